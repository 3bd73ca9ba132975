"""Routines and DO blocks, triggers, rules and policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Call, DoBlock, Select
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
from dflint.model.schema import Options, Parameter
from dflint.sql.build.data import invocation
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import (
    Node,
    Unread,
    claim,
    constant_text,
    qualified,
    relation,
    role,
    strings,
    type_name,
)
from dflint.sql.build.object_names import object_kind, object_with_arguments
from dflint.sql.build.plpgsql import read_body
from dflint.sql.build.queries import contents
from dflint.sql.build.routine_bodies import content
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep

# --- functions and procedures -----------------------------------------------------------------------------------------

CREATE_FUNCTION_STMT = frozenset("is_procedure replace funcname parameters returnType options sql_body".split())
_MODES: dict[str, Literal["in", "out", "inout", "variadic", "table"]] = {
    "FUNC_PARAM_DEFAULT": "in",
    "FUNC_PARAM_IN": "in",
    "FUNC_PARAM_OUT": "out",
    "FUNC_PARAM_INOUT": "inout",
    "FUNC_PARAM_VARIADIC": "variadic",
    "FUNC_PARAM_TABLE": "table",
}
FUNCTION_PARAMETER = frozenset("name argType mode defexpr location".split())


def create_routine(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """CREATE FUNCTION and CREATE PROCEDURE. The statements of the body are references: they do not run now."""
    claim(node, CREATE_FUNCTION_STMT)
    attributes = _attributes(node.get("options", ()))
    parameters = tuple([_parameter(wrapped["FunctionParameter"]) for wrapped in node.get("parameters", ())])
    returns = type_name(node["returnType"]) if "returnType" in node else None
    language = attributes.setdefault("language", "sql" if "sql_body" in node else None)
    source = attributes.pop("source")
    body = source[0] if len(source) == 1 else None
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
            content=content(node, body, language, parameters, returns, library),
            inlined=_inlined(node, body, returns, attributes, library),
            **attributes,
        )
    ]


#: What the SELECT of a function that can be inlined consists of.
_SELECT_EXPRESSION = frozenset({"targetList", "limitOption", "op"})


def _inlined(
    node: Node, body: str | None, returns: Type | None, attributes: dict[str, Any], library: LibPgQuery
) -> Expr | None:
    """The expression of an SQL function that is one SELECT without FROM, or one RETURN."""
    barred = attributes.get("strict") or attributes.get("security_definer") or "configuration" in attributes
    if attributes["language"] != "sql" or returns is None or returns.setof or barred or node.get("is_procedure"):
        return None
    if body is None:
        value = node["sql_body"].get("ReturnStmt", {}).get("returnval") if "sql_body" in node else None
    else:
        value = _selected(body, library)
    try:
        found = None if value is None else expression(value)
    except (Unread, RecursionError):
        return None
    return None if found is None or any(part.kind == "subquery" for part in found.walk()) else found


def _selected(body: str, library: LibPgQuery) -> Node | None:
    """The only value of a body that is one SELECT and nothing else."""
    if body.lstrip()[:6].lower() != "select":
        return None
    try:
        statements = msgspec.json.decode(library.parse(body.encode()))["stmts"]
    except (GrammarError, TooDeep, RecursionError):
        return None
    select = statements[0]["stmt"].get("SelectStmt") if len(statements) == 1 else None
    if select is None or not select.keys() <= _SELECT_EXPRESSION or len(select.get("targetList", ())) != 1:
        return None
    value: Node | None = select["targetList"][0]["ResTarget"].get("val")
    return value


def _parameter(node: Node) -> Parameter:
    claim(node, FUNCTION_PARAMETER)
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
        name, arg = _option(wrapped)
        if name == "as":
            found["source"] = strings(arg["List"]["items"])
        elif name == "set":
            configuration.append(_setting(arg["VariableSetStmt"]))
        elif name == "support":
            found["support"] = qualified(arg["List"]["items"])
        elif name in _TEXT_OPTIONS:
            found[name] = constant_text(arg).lower() if name == "language" else constant_text(arg)
        elif name in _FLAGS:
            found[_FLAGS[name]] = constant_text(arg) == "true"
        elif name != "transform":
            raise Unread(f"routine option {name}")
    if configuration:
        found["configuration"] = tuple(configuration)
    return found


_TEXT_OPTIONS = frozenset({"language", "volatility", "parallel", "cost", "rows"})
_FLAGS = {"strict": "strict", "security": "security_definer", "leakproof": "leakproof", "window": "window"}


_OPTION = frozenset("defname arg defaction location".split())


def _option(wrapped: Node) -> tuple[str, Any]:
    """Name and value of an option; the value None where it has none."""
    option = wrapped["DefElem"]
    if not option.keys() <= _OPTION:
        claim(option, _OPTION)
    return option["defname"], option.get("arg")


VARIABLE_SET_STMT = frozenset("kind name args jumble_args is_local location".split())
_KINDS = frozenset("VAR_SET_VALUE VAR_SET_DEFAULT VAR_SET_CURRENT VAR_SET_MULTI VAR_RESET VAR_RESET_ALL".split())


def _setting(node: Node) -> tuple[str, str | None]:
    """A SET or RESET clause; None where it gives no value of its own, the name ``all`` for RESET ALL."""
    claim(node, VARIABLE_SET_STMT)
    if node["kind"] not in _KINDS:
        raise Unread(node["kind"])
    values = [constant_text(arg) for arg in node.get("args", ())]
    return node.get("name", "all"), ", ".join(values) if values else None


ALTER_FUNCTION_STMT = frozenset("objtype func actions".split())


def alter_routine(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER FUNCTION, PROCEDURE or ROUTINE attributes; settings are options named ``set.`` and the parameter."""
    claim(node, ALTER_FUNCTION_STMT)
    options: list[tuple[str, str | None]] = []
    for wrapped in node["actions"]:
        name, arg = _option(wrapped)
        if name == "set":
            variable, value = _setting(arg["VariableSetStmt"])
            options.append((f"set.{variable}", value))
        elif name == "support":
            options.append((name, str(qualified(arg["List"]["items"]))))
        else:
            options.append((name, constant_text(arg)))
    return [
        AlterRoutine(
            **object_with_arguments(node["func"]), object_kind=object_kind(node["objtype"]), options=tuple(options)
        )
    ]


#: The raw parser sets the first only.
CALL_STMT = frozenset({"funccall"})


def call(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CALL; an argument that reads relations or calls functions is a query before it."""
    claim(node, CALL_STMT)
    written = node["funccall"]
    target = Call(target=qualified(written["funcname"]), calls=(invocation(written, True),))
    if "args" not in written:
        return [target]
    found = contents({"FuncCall": written})
    # The first function found is the procedure.
    if not found.reads and len(found.functions) < 2:
        return [target]
    return [Select(query=msgspec.structs.replace(found, functions=found.functions[1:])), target]


DO_STMT = frozenset({"args"})


def do_block(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """DO: the block, then the operations inside."""
    claim(node, DO_STMT)
    language, body = "plpgsql", ""
    for wrapped in node["args"]:
        name, arg = _option(wrapped)
        if name == "as":
            body = constant_text(arg)
        elif name == "language":
            language = constant_text(arg).lower()
        else:
            raise Unread(f"DO option {name}")
    if language != "plpgsql":
        return [DoBlock(language=language, understood=False, reason=f"the language {language} is not read")]
    found = read_body(lambda _: "DO ", body, library, "do")
    return [DoBlock(language=language, understood=not found.problem, reason=found.problem), *found.operations]


# --- triggers ---------------------------------------------------------------------------------------------------------

CREATE_TRIG_STMT = frozenset(
    """isconstraint replace trigname relation funcname args row timing events columns whenClause transitionRels
    deferrable initdeferred constrrel""".split()
)
# Bits of pg_trigger.h.
_TIMINGS: dict[int, Literal["before", "after", "instead_of"]] = {0: "after", 2: "before", 64: "instead_of"}
_EVENTS = ((4, "insert"), (8, "delete"), (16, "update"), (32, "truncate"))


def create_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TRIGGER."""
    claim(node, CREATE_TRIG_STMT)
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
            # The old rows first, as the server lists them.
            transition_tables=tuple([name for _, name in sorted(map(_transition, node.get("transitionRels", ())))]),
        )
    ]


TRIGGER_TRANSITION = frozenset({"name", "isNew", "isTable"})


def _transition(wrapped: Node) -> tuple[bool, str]:
    """Whether a transition table holds the new rows, and its name."""
    node = wrapped["TriggerTransition"]
    claim(node, TRIGGER_TRANSITION)
    return "isNew" in node, str(node["name"])


CREATE_EVENT_TRIG_STMT = frozenset("trigname eventname whenclause funcname".split())


def create_event_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE EVENT TRIGGER."""
    claim(node, CREATE_EVENT_TRIG_STMT)
    options: Options = (
        ("event", node["eventname"]),
        ("function", str(qualified(node["funcname"]))),
        *[(name, constant_text(arg)) for name, arg in map(_option, node.get("whenclause", ()))],
    )
    return [CreateOther(target=Name(None, node["trigname"]), object_kind="event_trigger", options=options)]


ALTER_EVENT_TRIG_STMT = frozenset("trigname tgenabled".split())
_STATES = {"O": "enable", "D": "disable", "R": "replica", "A": "always"}


def alter_event_trigger(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER EVENT TRIGGER ENABLE or DISABLE."""
    claim(node, ALTER_EVENT_TRIG_STMT)
    action = _STATES[node["tgenabled"]]
    return [AlterOther(target=Name(None, node["trigname"]), object_kind="event_trigger", action=action)]


# --- rules and policies -----------------------------------------------------------------------------------------------

RULE_STMT = frozenset("relation rulename whereClause event instead actions replace".split())
_RULE_EVENTS: dict[str, Literal["select", "insert", "update", "delete"]] = {
    "CMD_SELECT": "select",
    "CMD_INSERT": "insert",
    "CMD_UPDATE": "update",
    "CMD_DELETE": "delete",
}


def create_rule(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE RULE."""
    claim(node, RULE_STMT)
    actions = node.get("actions", ())
    # NOTIFY is the one action that is no query.
    found = [contents(action) for action in actions if "NotifyStmt" not in action]
    return [
        CreateRule(
            target=relation(node["relation"]),
            name=node["rulename"],
            event=_RULE_EVENTS[node["event"]],
            instead=node.get("instead", False),
            or_replace=node.get("replace", False),
            where=expression(node["whereClause"]) if "whereClause" in node else None,
            actions=len(actions),
            reads=tuple(dict.fromkeys(name for each in found for name in (*each.reads, *each.writes))),
            writes=tuple(dict.fromkeys(name for each in found for name in each.writes)),
        )
    ]


CREATE_POLICY_STMT = frozenset("policy_name table cmd_name permissive roles qual with_check".split())


def create_policy(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE POLICY."""
    claim(node, CREATE_POLICY_STMT)
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


ALTER_POLICY_STMT = frozenset("policy_name table roles qual with_check".split())


def alter_policy(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER POLICY."""
    claim(node, ALTER_POLICY_STMT)
    return [
        AlterPolicy(
            target=relation(node["table"]),
            name=node["policy_name"],
            roles=tuple([role(each) for each in node.get("roles", ())]),
            using=expression(node["qual"]) if "qual" in node else None,
            check=expression(node["with_check"]) if "with_check" in node else None,
        )
    ]
