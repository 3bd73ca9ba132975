"""The routines that a statement calls, by name or by firing triggers, and what their bodies do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from dflint.facts import subjects
from dflint.facts.routine_bodies import created
from dflint.model.catalog import Routine, Table, View
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.session import SessionCommand
from dflint.model.schema import Query
from dflint.sql.parse import Parser

#: Routines call routines, but not for ever.
_DEEPEST = 8
#: Languages whose bodies can be read.
_READ = frozenset({"sql", "plpgsql"})
#: Languages of functions that come with the server and its extensions: they lock no relation of the user.
_BUILT_IN = frozenset({"internal", "c"})


def with_called(contexts: Iterable[Context], parser: Parser) -> tuple[list[Context], list[str]]:
    """The contexts of a statement, each followed by those of what the routines it calls do.

    Returns:
        The contexts, and what could not be read, in words for users.
    """
    found: list[Context] = []
    unread: list[str] = []
    for context in contexts:
        prepared = _prepared(context)
        if prepared is not None:
            found += [_inner(context, operation) for operation in prepared]
        else:
            found.append(context)
            _add_called(context, parser, found, unread, frozenset())
    return found, unread


def _prepared(context: Context) -> Sequence[Operation] | None:
    """What EXECUTE runs, in the place of the operation that says it is not known; None where it is not known indeed."""
    operation = context.operation
    if operation.kind != "dynamic_sql":
        return None
    own = context.statement.operations[0]
    if not isinstance(own, SessionCommand) or own.command != "execute":
        return None
    for statement in reversed(context.statements[: context.statement.index]):
        for earlier in statement.operations:
            if isinstance(earlier, SessionCommand) and earlier.command == "prepare" and earlier.name == own.name:
                return earlier.prepared
    return None


def _inner(context: Context, operation: Operation) -> Context:
    """The context of an operation that runs as part of another."""
    hidden = replace(operation, inside="routine")
    return replace(context, operation=hidden, _effect=None, _locks=None, answers={}, _resolved={})


def _add_called(
    context: Context, parser: Parser, found: list[Context], unread: list[str], calling: frozenset[Name]
) -> None:
    for routine in dict.fromkeys(called(context)):
        if routine.name in calling or routine.language in _BUILT_IN:
            continue
        inside = calling | {routine.name}
        body = created(routine, parser) if routine.language in _READ and len(calling) < _DEEPEST else None
        if body is None or not body.body_understood:
            unread.append(f"what {routine.kind} {routine.name} does")
        for operation in () if body is None else body.references:
            inner = _inner(context, operation)
            found.append(inner)
            _add_called(inner, parser, found, unread, inside)


def called(context: Context) -> Iterator[Routine]:
    """The user's routines that the operation itself calls."""
    catalog, path = context.catalog, context.session.search_path
    for name in (*_named(context), *_fired(context)):
        places = (name,) if name.schema is not None else tuple(Name(schema, name.name) for schema in path)
        for place in places:
            routines = catalog.routines.get(place)
            if routines:
                yield from routines
                break


def _named(context: Context) -> Iterator[Name]:
    operation = context.operation
    if operation.kind in ("create_view", "create_function", "create_procedure"):
        return
    query = getattr(operation, "query", None)
    if isinstance(query, Query):
        yield from query.functions
    where = getattr(operation, "where", None)
    if isinstance(where, Expr):
        yield from where.functions()
    if operation.kind == "call" and operation.target is not None:
        yield operation.target
    if operation.kind == "refresh_materialized_view" and operation.target is not None:
        view = context.relation(operation.target)
        if isinstance(view, View):
            yield from view.query.functions


def _fired(context: Context) -> Iterator[Name]:
    """The functions of the triggers that INSERT, UPDATE, DELETE and TRUNCATE fire."""
    event, table = context.operation.kind, subjects.table(context)
    if event in ("insert", "update", "delete", "truncate") and isinstance(table, Table):
        for trigger in table.triggers:
            if event in trigger.events and trigger.state != "disable":
                yield trigger.function
