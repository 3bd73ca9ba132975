"""Bodies of functions and procedures: parsed, but not run by the statement that creates the routine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from dflint.model.catalog import Routine
from dflint.model.deferred import Deferred
from dflint.model.expressions import Type
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Select
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Parameter
from dflint.sql.build.nodes import Node, claim, single, strings
from dflint.sql.build.plpgsql import Body, doubts, read_body
from dflint.sql.build.queries import contents
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep


def content(
    node: Node,
    body: str | None,
    language: str | None,
    parameters: Sequence[Parameter],
    returns: Type | None,
    library: LibPgQuery,
) -> Deferred[Body]:
    """What the body of an unwrapped ``CreateFunctionStmt`` would do, all ``inside="routine"``.

    Args:
        body: its text, None where there is none.
        language: in lower case.

    Raises:
        Unread: a body of the SQL standard, which is a part of the statement, holds something unknown.
    """
    if "sql_body" in node:
        return Deferred(partial(Body, *_standard_body(node["sql_body"], library)))
    if body is None:
        return Deferred(partial(Body, (), "the body is not in the migration"))
    if language == "plpgsql":
        head = partial(header, strings(node["funcname"])[-1], "is_procedure" in node, parameters, returns)
        return Deferred(partial(_plpgsql_body, head, body, library))
    if language == "sql":
        return Deferred(partial(_sql_body, body, library))
    return Deferred(partial(Body, (), f"the language {language} is not read"))


def _plpgsql_body(header: Callable[[str], str], body: str, library: LibPgQuery) -> Body:
    found = read_body(header, body, library, "routine")
    return Body(_in_routine(found.operations), found.problem or doubts(found.operations))


def called_body(routine: Routine, given: Mapping[str, str], library: LibPgQuery) -> Body:
    """What a call of the routine does.

    Args:
        given: the values of parameters that are constant, as text, by name.
    """
    body = routine.body or ""
    if routine.language == "sql":
        return _sql_body(body, library)
    plain = {p.name for p in routine.parameters if p.type.name.name in _PLAIN and not p.type.dimensions}
    known = {name: value for name, value in given.items() if name in plain}
    head = partial(header, routine.name.name, routine.kind == "procedure", routine.parameters, routine.returns)
    found = read_body(head, body, library, "do", known)
    return Body(found.operations, found.problem or doubts(found.operations))


#: Types whose values print as they are written.
_PLAIN = frozenset({"text", "varchar", "name", "int2", "int4", "int8", "regclass"})
#: An empty list of statements is an empty object.
_EMPTY: Node = {"items": ()}


def _standard_body(wrapped: Node, library: LibPgQuery) -> Body:
    """RETURN expression, or BEGIN ATOMIC statements END."""
    kind, content = single(wrapped)
    if kind == "List":
        statements = [item for outer in content["items"] for item in outer.get("List", _EMPTY)["items"]]
    else:
        statements = [wrapped]
    return _understood([operation for item in statements for operation in _standard_statement(item, library)])


RETURN_STMT = frozenset({"returnval"})


def _standard_statement(wrapped: Node, library: LibPgQuery) -> Sequence[Operation]:
    kind, content = single(wrapped)
    if kind != "ReturnStmt":
        return build(wrapped, library)
    claim(content, RETURN_STMT)
    found = contents(content["returnval"])
    return [Select(query=found)] if found.reads or found.functions else []


def _sql_body(body: str, library: LibPgQuery) -> Body:
    try:
        tree = msgspec.json.decode(library.parse(body.encode()))
    except GrammarError as error:
        return Body((), f"SQL body: {error.message}")
    except (TooDeep, RecursionError):
        return Body((), "SQL body: nests too deep to be analysed")
    return _understood([op for raw in tree["stmts"] for op in build(raw["stmt"], library)])


def _understood(built: Sequence[Operation]) -> Body:
    return Body(_in_routine(built), doubts(built))


def _in_routine(built: Sequence[Operation]) -> tuple[Operation, ...]:
    return tuple(
        [
            op if op.inside == "routine" and op.at < 0 else msgspec.structs.replace(op, at=-1, inside="routine")
            for op in built
        ]
    )


def header(name: str, is_procedure: bool, parameters: Sequence[Parameter], returns: Type | None, row: str) -> str:
    """CREATE … AS with the routine's and the parameters' names, so that the body's variables resolve.

    Types that only a catalog knows become ``row``, the name of a type that is not known or of one that is: PL/pgSQL's
    grammar needs no more than their shape.
    """
    given = [
        f"{_MODE_WORDS[p.mode]}{quote_identifier(p.name) if p.name else ''} {_shape(p.type, row)}"
        for p in parameters
        if p.mode != "table"
    ]
    # Variables may be written with the routine's name before them.
    head = f"{quote_identifier(name)}({', '.join(given)})"
    if is_procedure:
        return f"CREATE PROCEDURE {head} LANGUAGE plpgsql AS "
    table = [f"{quote_identifier(p.name or 'c')} {_shape(p.type, row)}" for p in parameters if p.mode == "table"]
    if table:
        result = f"RETURNS TABLE ({', '.join(table)})"
    elif returns is None:
        result = ""
    else:
        result = f"RETURNS {'SETOF ' if returns.setof else ''}{_shape(returns, row)}"
    return f"CREATE FUNCTION {head} {result} LANGUAGE plpgsql AS "


_MODE_WORDS = {"in": "", "variadic": "", "inout": "INOUT ", "out": "OUT "}
_SHAPES = frozenset({"trigger", "event_trigger", "void", "record", "bool", "int4", "int8", "text", "numeric", "jsonb"})


def _shape(given: Type, row: str) -> str:
    if given.name.schema == "pg_catalog" and not given.reference:
        shape = given.name.name if given.name.name in _SHAPES else "text"
    else:
        shape = "text" if given.dimensions or given.reference else row
    return shape + "[]" * given.dimensions
