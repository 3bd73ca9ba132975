"""Bodies of functions and procedures: parsed, but not run by the statement that creates the routine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

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


def references(
    node: Node,
    body: str | None,
    language: str | None,
    parameters: Sequence[Parameter],
    returns: Type | None,
    library: LibPgQuery,
) -> Body:
    """What the body of an unwrapped ``CreateFunctionStmt`` would do, all ``inside="routine"``.

    Args:
        body: its text, None where there is none.
        language: in lower case.
    """
    if "sql_body" in node:
        return _standard_body(node["sql_body"], library)
    if body is None:
        return Body((), "the body is not in the migration")
    if language == "plpgsql":
        found = read_body(partial(_header, node, parameters, returns), body, library, "routine")
        return Body(_in_routine(found.operations), found.problem or doubts(found.operations))
    if language == "sql":
        return _sql_body(body, library)
    return Body((), f"the language {language} is not read")


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


def _header(node: Node, parameters: Sequence[Parameter], returns: Type | None, row: str) -> str:
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
    head = f"{quote_identifier(strings(node['funcname'])[-1])}({', '.join(given)})"
    if "is_procedure" in node:
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
