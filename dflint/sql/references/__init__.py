"""Which objects of a catalog a text refers to, and where: SQL, and bodies of SQL and PL/pgSQL routines.

Names mean what PostgreSQL's rules say they mean: aliases, WITH, subqueries, USING, variables. What stands in comments
and string constants, and columns of the same name elsewhere, are no references.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from dflint.model.catalog import Catalog, Routine, Table, View
from dflint.model.names import Name
from dflint.sql.build.nodes import Unread
from dflint.sql.build.routine_bodies import header
from dflint.sql.libpg_query import GrammarError
from dflint.sql.parse import Parser
from dflint.sql.references.found import Found
from dflint.sql.references.places import Fragment, Text
from dflint.sql.references.plpgsql import PlpgsqlBody, walk_sql
from dflint.sql.references.queries import Queries
from dflint.sql.references.scopes import Field, Names, Scope, Source, takes
from dflint.sql.references.values import BodyReferences, Place, Reference

__all__ = [
    "BodyReferences",
    "Place",
    "Reference",
    "expression_references",
    "query_references",
    "routine_references",
    "rule_references",
    "takes",
]

_SHAPES = (KeyError, TypeError, ValueError, IndexError, StopIteration)


def query_references(sql: str, catalog: Catalog, search_path: tuple[str, ...], parser: Parser) -> BodyReferences:
    """What the statements of an SQL text refer to; such as the query of a view.

    Args:
        search_path: for names without a schema.
    """
    return _sql(sql, Names(catalog, search_path), parser, ())


def rule_references(
    actions: str, relation: Name, catalog: Catalog, search_path: tuple[str, ...], parser: Parser
) -> BodyReferences:
    """What the statements of a rewrite rule refer to; NEW and OLD are rows of its relation."""
    names = Names(catalog, search_path)
    rows = [Source(name, names.fields(relation)) for name in ("new", "old")]
    return _sql(actions, names, parser, rows)


def expression_references(
    expression: str, table: Name, catalog: Catalog, search_path: tuple[str, ...], parser: Parser
) -> BodyReferences:
    """What an expression over one table refers to: a default, generated column, CHECK, policy or index expression."""
    text = _scanned(expression, parser)
    if isinstance(text, BodyReferences):
        return text
    names = Names(catalog, search_path)
    found = Found(text)
    walker = Queries(names, Fragment.whole(text), found, {})
    source = Source(table.name, names.fields(table), table, True)
    try:
        tree = msgspec.json.decode(parser.library.parse_plpgsql_expression(text.raw, 2))
        walker.statement(tree["stmts"][0]["stmt"], Scope((source,)))
    except GrammarError as error:
        found.doubt(error.message)
    except (*_SHAPES, Unread, RecursionError) as error:
        found.doubt(f"an unexpected shape: {error!r}")
    return found.result()


def routine_references(
    routine: Routine, catalog: Catalog, parser: Parser, search_path: tuple[str, ...] = ("public",)
) -> BodyReferences:
    """What the body of a routine refers to, with offsets into ``routine.body``.

    Its own setting of search_path wins over ``search_path``. NEW and OLD of a trigger function are the rows of all
    tables that have such a trigger. A body of the SQL standard has no text, and no references here: the server
    records its dependencies.
    """
    if routine.body is None or routine.language not in ("sql", "plpgsql"):
        return BodyReferences(unreadable=None if routine.language == "sql" else f"{routine.language} is not read")
    names = Names(catalog, _own_path(routine) or search_path)
    if routine.language == "sql":
        return _sql(routine.body, names, parser, _parameters(routine, names))
    given = [*_parameters(routine, names), *_trigger_rows(routine, names)]
    win = dict(routine.configuration).get("plpgsql.variable_conflict") == "use_variable"
    try:
        body = PlpgsqlBody(routine.body, names, parser.library, given, variables_win=win)
    except GrammarError as error:
        return BodyReferences(unreadable=error.message)
    try:
        body.walk(partial(header, routine.name.name, routine.kind == "procedure", routine.parameters, routine.returns))
    except GrammarError as error:
        body.found.doubt(error.message)
    except (*_SHAPES, Unread, RecursionError) as error:
        body.found.doubt(f"PL/pgSQL: an unexpected shape: {error!r}")
    return body.found.result()


def _scanned(text: str, parser: Parser) -> Text | BodyReferences:
    try:
        return Text(text, parser.library)
    except GrammarError as error:
        return BodyReferences(unreadable=error.message)


def _sql(sql: str, names: Names, parser: Parser, given: Iterable[Source]) -> BodyReferences:
    text = _scanned(sql, parser)
    if isinstance(text, BodyReferences):
        return text
    found = Found(text)
    variables = {source.alias or "": source for source in given}
    try:
        walk_sql(text, Queries(names, Fragment.whole(text), found, variables), parser.library)
    except (*_SHAPES, Unread, RecursionError) as error:
        found.doubt(f"an unexpected shape: {error!r}")
    return found.result()


def _own_path(routine: Routine) -> tuple[str, ...] | None:
    """The search_path that the routine sets for itself."""
    value = dict(routine.configuration).get("search_path")
    if value is None:
        return None
    return tuple(part.strip().strip('"') for part in value.split(",") if part.strip() not in ('"$user"', "", '""'))


def _parameters(routine: Routine, names: Names) -> list[Source]:
    """The parameters, by name, by ``routine.name`` and by number."""
    found: list[Source] = []
    number = 0
    for parameter in routine.parameters:
        number += parameter.mode != "table"
        fields = names.fields(parameter.type.name) if not parameter.type.dimensions else None
        shape: tuple[Field, ...] = fields or ()
        shown: Sequence[str | None] = (parameter.name, parameter.name and f"{routine.name.name}.{parameter.name}")
        found += [Source(name, shape) for name in (*shown, f"${number}") if name]
    return found


def _trigger_rows(routine: Routine, names: Names) -> list[Source]:
    """NEW and OLD, with the columns of every table that has a trigger on the routine."""
    if routine.returns is None or routine.returns.name.name != "trigger":
        return []
    fields: list[Field] = []
    known = True
    transition: dict[str, list[Field]] = {}
    for user in names.catalog.users_of_routine.get(routine.name, ()):
        relation = names.catalog.relations.get(user)
        row = names.fields(user)
        known = known and row is not None
        fields += row or ()
        if isinstance(relation, Table | View):
            for trigger in relation.triggers:
                for table in trigger.transition_tables if trigger.function == routine.name else ():
                    transition.setdefault(table, []).extend(row or ())
    names.transition.update({name: tuple(row) for name, row in transition.items()})
    return [Source(name, tuple(fields) if known and fields else None) for name in ("new", "old")]
