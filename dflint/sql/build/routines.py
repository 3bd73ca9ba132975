"""Routines and DO blocks, triggers, rules and policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import Call, DoBlock
from dflint.model.operations.objects import (
    AlterOther,
    AlterPolicy,
    AlterRoutine,
    CreateOther,
    CreatePolicy,
    CreateRoutine,
    CreateRule,
    CreateTrigger,
)
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Options, Parameter
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import (
    Node,
    Unread,
    claim,
    constant_text,
    qualified,
    relation,
    role,
    single,
    strings,
    type_name,
)
from dflint.sql.build.object_names import object_kind, object_with_arguments
from dflint.sql.build.plpgsql import Body, dollar_quoted, read_body
from dflint.sql.build.queries import reads
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep

# --- functions and procedures -----------------------------------------------------------------------------------------

_CREATE = frozenset("is_procedure replace funcname parameters returnType options sql_body".split())
_MODES: dict[str, Literal["in", "out", "inout", "variadic", "table"]] = {
    "FUNC_PARAM_DEFAULT": "in",
    "FUNC_PARAM_IN": "in",
    "FUNC_PARAM_OUT": "out",
    "FUNC_PARAM_INOUT": "inout",
    "FUNC_PARAM_VARIADIC": "variadic",
    "FUNC_PARAM_TABLE": "table",
}
_PARAMETER = frozenset("name argType mode defexpr location".split())


def create_routine(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """CREATE FUNCTION and CREATE PROCEDURE. The statements of the body are references: they do not run now."""
    claim(node, _CREATE)
    attributes = _attributes(node.get("options", ()))
    parameters = tuple([_parameter(wrapped["FunctionParameter"]) for wrapped in node.get("parameters", ())])
    returns = type_name(node["returnType"]) if "returnType" in node else None
    language = attributes.setdefault("language", "sql" if "sql_body" in node else None)
    source = attributes.pop("source")
    body = source[0] if len(source) == 1 else None
    found = _references(node, body, language, parameters, returns, library)
    return [
        CreateRoutine(
            target=qualified(node["funcname"]),
            routine="procedure" if node.get("is_procedure") else "function",
            or_replace=node.get("replace", False),
            parameters=parameters,
            returns=returns,
            returns_table=any(parameter.mode == "table" for parameter in parameters),
            body=body,
            sql_body="sql_body" in node,
            references=found.operations,
            body_understood=not found.problem,
            **attributes,
        )
    ]


def _parameter(node: Node) -> Parameter:
    claim(node, _PARAMETER)
    return Parameter(
        node.get("name"),
        type_name(node["argType"]),
        _MODES[node["mode"]],
        expression(node["defexpr"]) if "defexpr" in node else None,
    )


def _attributes(options: Sequence[Node]) -> dict[str, Any]:
    """The options of a routine as the fields of `CreateRoutine`, and its ``source``."""
    found: dict[str, Any] = {"source": []}
    configuration: list[tuple[str, str | None]] = []
    for wrapped in options:
        option = wrapped["DefElem"]
        name = option["defname"]
        arg = option.get("arg")
        if name == "as":
            found["source"] = strings(arg["List"]["items"])
        elif name == "set":
            configuration.append(_setting(arg["VariableSetStmt"]))
        elif name == "support":
            found["support"] = qualified(arg["List"]["items"])
        elif name in _TEXT_OPTIONS:
            found[name] = constant_text(arg).lower() if name == "language" else constant_text(arg)
        elif name in _FLAGS:
            found[_FLAGS[name]] = constant_text(arg) == "true" if arg is not None else False
        elif name != "transform":
            raise Unread(f"routine option {name}")
    if configuration:
        found["configuration"] = tuple(configuration)
    return found


_TEXT_OPTIONS = frozenset({"language", "volatility", "parallel", "cost", "rows"})
_FLAGS = {"strict": "strict", "security": "security_definer", "leakproof": "leakproof", "window": "window"}


def _setting(node: Node) -> tuple[str, str | None]:
    values = [constant_text(arg) for arg in node.get("args", ())]
    return node["name"], ", ".join(values) if values else None


def _references(
    node: Node,
    body: str | None,
    language: str | None,
    parameters: Sequence[Parameter],
    returns: Type | None,
    library: LibPgQuery,
) -> Body:
    if "sql_body" in node:
        return _standard_body(node["sql_body"], library)
    if body is None:
        return Body((), "the body is not in the migration")
    if language == "plpgsql":
        return read_body(_header(node, parameters, returns) + dollar_quoted(body), library, "routine")
    if language == "sql":
        return _sql_body(body, library)
    return Body((), f"the language {language} is not read")


def _standard_body(wrapped: Node, library: LibPgQuery) -> Body:
    """RETURN expression, or BEGIN ATOMIC statements END."""
    kind, content = single(wrapped)
    if kind == "ReturnStmt":
        return Body(())
    statements = [item for outer in content.get("items", ()) for item in outer["List"].get("items", ())]
    built = [op for item in statements if "ReturnStmt" not in item for op in build(item, library)]
    return _understood(built)


def _sql_body(body: str, library: LibPgQuery) -> Body:
    try:
        tree = msgspec.json.decode(library.parse(body.encode()))
    except GrammarError as error:
        return Body((), f"SQL body: {error.message}")
    except (TooDeep, RecursionError):
        return Body((), "SQL body: nests too deep to be analysed")
    return _understood([op for raw in tree["stmts"] for op in build(raw["stmt"], library)])


def _understood(built: list[Operation]) -> Body:
    opaque = next((op.reason for op in built if isinstance(op, Opaque)), "")
    return Body(tuple([msgspec.structs.replace(op, at=-1, inside="routine") for op in built]), opaque)


def _header(node: Node, parameters: Sequence[Parameter], returns: Type | None) -> str:
    """CREATE … AS with the parameters' names, so that the body's variables resolve.

    Types that only a catalog knows are replaced: PL/pgSQL's grammar needs no more than their shape.
    """
    given = [
        f"{'INOUT ' if p.mode == 'inout' else 'OUT ' if p.mode == 'out' else ''}"
        f"{quote_identifier(p.name) if p.name else ''} {_shape(p.type)}"
        for p in parameters
        if p.mode != "table"
    ]
    head = f"({', '.join(given)})"
    if node.get("is_procedure"):
        return f"CREATE PROCEDURE p{head} LANGUAGE plpgsql AS "
    table = [f"{quote_identifier(p.name or 'c')} {_shape(p.type)}" for p in parameters if p.mode == "table"]
    if table:
        result = f"RETURNS TABLE ({', '.join(table)})"
    elif returns is None:
        result = ""
    else:
        result = f"RETURNS {'SETOF ' if returns.setof else ''}{_shape(returns)}"
    return f"CREATE FUNCTION f{head} {result} LANGUAGE plpgsql AS "


_SHAPES = frozenset({"trigger", "event_trigger", "void", "record", "bool", "int4", "int8", "text", "numeric", "jsonb"})


def _shape(given: Type) -> str:
    known = given.name.schema == "pg_catalog" and given.name.name in _SHAPES
    return (given.name.name if known else "text") + "[]" * given.dimensions


_ALTER = frozenset("objtype func actions".split())


def alter_routine(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER FUNCTION, PROCEDURE or ROUTINE attributes."""
    claim(node, _ALTER)
    options: list[tuple[str, str | None]] = []
    for wrapped in node.get("actions", ()):
        option = wrapped["DefElem"]
        arg = option.get("arg")
        if option["defname"] == "set":
            name, value = _setting(arg["VariableSetStmt"]) if "name" in arg["VariableSetStmt"] else ("all", None)
            options.append((f"set.{name}", value))
        else:
            options.append((option["defname"], constant_text(arg) if arg is not None else None))
    return [
        AlterRoutine(
            **object_with_arguments(node["func"]), object_kind=object_kind(node["objtype"]), options=tuple(options)
        )
    ]


_CALL = frozenset("funccall funcexpr outargs".split())


def call(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CALL."""
    claim(node, _CALL)
    return [Call(target=qualified(node["funccall"]["funcname"]))]


_DO = frozenset("args".split())


def do_block(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """DO: the block, then the operations inside."""
    claim(node, _DO)
    language, body = "plpgsql", ""
    for wrapped in node.get("args", ()):
        option = wrapped["DefElem"]
        if option["defname"] == "as":
            body = constant_text(option["arg"])
        elif option["defname"] == "language":
            language = constant_text(option["arg"]).lower()
        else:
            raise Unread(f"DO option {option['defname']}")
    if language != "plpgsql":
        return [DoBlock(language=language, understood=False, reason=f"the language {language} is not read")]
    found = read_body("DO " + dollar_quoted(body), library, "do")
    return [DoBlock(language=language, understood=not found.problem, reason=found.problem), *found.operations]


# --- triggers ---------------------------------------------------------------------------------------------------------

_TRIGGER = frozenset(
    """isconstraint replace trigname relation funcname args row timing events columns whenClause transitionRels
    deferrable initdeferred constrrel""".split()
)
# Bits of pg_trigger.h.
_TIMINGS: dict[int, Literal["before", "after", "instead_of"]] = {0: "after", 2: "before", 64: "instead_of"}
_EVENTS = ((4, "insert"), (8, "delete"), (16, "update"), (32, "truncate"))


def create_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TRIGGER."""
    claim(node, _TRIGGER)
    events = node.get("events", 0)
    return [
        CreateTrigger(
            target=relation(node["relation"]),
            name=node["trigname"],
            function=qualified(node["funcname"]),
            timing=_TIMINGS[node.get("timing", 0)],
            events=tuple([name for bit, name in _EVENTS if events & bit]),
            columns=tuple(strings(node.get("columns", ()))),
            for_each_row=node.get("row", False),
            when=expression(node["whenClause"]) if "whenClause" in node else None,
            or_replace=node.get("replace", False),
            constraint=node.get("isconstraint", False),
            referenced=relation(node["constrrel"]) if "constrrel" in node else None,
            deferrable=node.get("deferrable", False),
            initially_deferred=node.get("initdeferred", False),
            arguments=tuple(strings(node.get("args", ()))),
            transition_tables=tuple([each["TriggerTransition"]["name"] for each in node.get("transitionRels", ())]),
        )
    ]


_EVENT_TRIGGER = frozenset("trigname eventname whenclause funcname".split())


def create_event_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE EVENT TRIGGER."""
    claim(node, _EVENT_TRIGGER)
    options: Options = (
        ("event", node["eventname"]),
        ("function", str(qualified(node["funcname"]))),
        *[(when["DefElem"]["defname"], constant_text(when["DefElem"]["arg"])) for when in node.get("whenclause", ())],
    )
    return [CreateOther(target=Name(None, node["trigname"]), object_kind="event_trigger", options=options)]


_ALTER_EVENT_TRIGGER = frozenset("trigname tgenabled".split())
_STATES = {"O": "enable", "D": "disable", "R": "replica", "A": "always"}


def alter_event_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER EVENT TRIGGER ENABLE or DISABLE."""
    claim(node, _ALTER_EVENT_TRIGGER)
    action = _STATES[node["tgenabled"]]
    return [AlterOther(target=Name(None, node["trigname"]), object_kind="event_trigger", action=action)]


# --- rules and policies -----------------------------------------------------------------------------------------------

_RULE = frozenset("relation rulename whereClause event instead actions replace".split())
_RULE_EVENTS: dict[str, Literal["select", "insert", "update", "delete"]] = {
    "CMD_SELECT": "select",
    "CMD_INSERT": "insert",
    "CMD_UPDATE": "update",
    "CMD_DELETE": "delete",
}


def create_rule(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE RULE."""
    claim(node, _RULE)
    actions = node.get("actions", ())
    return [
        CreateRule(
            target=relation(node["relation"]),
            name=node["rulename"],
            event=_RULE_EVENTS[node["event"]],
            instead=node.get("instead", False),
            or_replace=node.get("replace", False),
            where=expression(node["whereClause"]) if "whereClause" in node else None,
            actions=len(actions),
            reads=tuple(dict.fromkeys(name for action in actions for name in reads(action))),
        )
    ]


_CREATE_POLICY = frozenset("policy_name table cmd_name permissive roles qual with_check".split())


def create_policy(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE POLICY."""
    claim(node, _CREATE_POLICY)
    return [
        CreatePolicy(
            target=relation(node["table"]),
            name=node["policy_name"],
            command=node["cmd_name"],
            permissive=node.get("permissive", False),
            roles=tuple([role(each) for each in node.get("roles", ())]),
            using=expression(node["qual"]) if "qual" in node else None,
            check=expression(node["with_check"]) if "with_check" in node else None,
        )
    ]


_ALTER_POLICY = frozenset("policy_name table roles qual with_check".split())


def alter_policy(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER POLICY."""
    claim(node, _ALTER_POLICY)
    return [
        AlterPolicy(
            target=relation(node["table"]),
            name=node["policy_name"],
            roles=tuple([role(each) for each in node.get("roles", ())]),
            using=expression(node["qual"]) if "qual" in node else None,
            check=expression(node["with_check"]) if "with_check" in node else None,
        )
    ]
