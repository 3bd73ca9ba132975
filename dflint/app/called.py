"""The routines that a statement calls, by name or by firing triggers, and what their bodies do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from msgspec.structs import replace

from dflint.facts import subjects
from dflint.facts.type_names import spell
from dflint.model.catalog import Routine, Table, View
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.migration import Section, Span
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import CreateRoutine
from dflint.model.operations.session import SessionCommand
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Parameter, Query
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
        body = _body(routine, parser) if routine.language in _READ and len(calling) < _DEEPEST else None
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


def _body(routine: Routine, parser: Parser) -> CreateRoutine | None:
    text = _definition(routine)
    return None if text is None else _parsed(text, parser)


@lru_cache(maxsize=256)
def _parsed(text: str, parser: Parser) -> CreateRoutine | None:
    content = text.encode()
    statements = parser.parse(content, [Section("up", Span(0, len(content)), wire="string")])[0]
    operations = (operation for statement in statements for operation in statement.operations)
    return next((operation for operation in operations if isinstance(operation, CreateRoutine)), None)


def _definition(routine: Routine) -> str | None:
    """CREATE … of the routine; None where its body is not known as text."""
    if routine.body is None:
        return None
    parameters = ", ".join(_parameter(each) for each in routine.parameters if each.mode != "table")
    returns = ""
    columns = [each for each in routine.parameters if each.mode == "table"]
    if columns:
        returns = f" RETURNS TABLE ({', '.join(_parameter(each) for each in columns)})"
    elif routine.returns is not None:
        returns = f" RETURNS {'SETOF ' if routine.returns.setof else ''}{spell(routine.returns)}"
    kind = "PROCEDURE" if routine.kind == "procedure" else "FUNCTION"
    body = routine.body.replace("'", "''").replace("\\", "\\\\")
    name = quote_identifier(routine.name.name)
    return f"CREATE {kind} {name}({parameters}){returns} LANGUAGE {routine.language} AS E'{body}'"


def _parameter(parameter: Parameter) -> str:
    mode = {"in": "", "variadic": "VARIADIC ", "inout": "INOUT ", "out": "OUT "}.get(parameter.mode, "")
    name = quote_identifier(parameter.name) + " " if parameter.name else ""
    return f"{mode}{name}{spell(parameter.type)}"
