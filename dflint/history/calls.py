"""What the user's own routines do to the schema when a statement calls them with constants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from msgspec.structs import replace

from dflint.history.draft import Draft
from dflint.history.replay import advance, changes_schema
from dflint.model.catalog import Catalog, Routine
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Call, Invocation, Select
from dflint.model.session import Session
from dflint.sql.build.plpgsql import Body
from dflint.sql.build.routine_bodies import called_body
from dflint.sql.libpg_query import LibPgQuery

#: Routines call routines, but not for ever.
_DEEPEST = 8


def run_called(draft: Draft, operation: Operation, session: Session, library: LibPgQuery, depth: int = 0) -> Catalog:
    """The catalog after the routines that the operation calls; what they do is doubted by name where it is not known.

    The draft, which has nothing unfinished, goes along.
    """
    for invocation, routine in _called(draft, operation):
        body = _body(routine, invocation.arguments, library) if depth < _DEEPEST else Body((), "it calls itself")
        if invocation.once and not body.problem:
            before, draft.decided = draft.decided, {}
            for inner in body.operations:
                conditional = inner.conditional or operation.conditional
                advance(draft, replace(inner, conditional=conditional), session)
                run_called(draft, inner, session, library, depth + 1)
            draft.decided = before
        elif body.problem or any(changes_schema(inner) for inner in body.operations):
            draft.doubt(f"{routine.kind} {routine.name} was called, and what it did is not known")
            draft.finish()
    return draft.catalog


def _called(draft: Draft, operation: Operation) -> Iterator[tuple[Invocation, Routine]]:
    """The user's routines that are called; where overloads take as many arguments, none of them is known."""
    for invocation in operation.calls if isinstance(operation, Select | Call) else ():
        routines = draft.routines.get(draft.resolve_routine(invocation.name))
        if not routines:
            continue
        fitting = [each for each in routines if len(_given(each)) == len(invocation.arguments)]
        for routine in fitting[:1] if len(fitting) == 1 else routines:
            if routine.language in ("plpgsql", "sql") and routine.body is not None:
                yield invocation if len(fitting) == 1 else replace(invocation, once=False), routine


def _given(routine: Routine) -> list[str | None]:
    return [each.name for each in routine.parameters if each.mode in ("in", "inout", "variadic")]


@lru_cache(maxsize=256)
def _body(routine: Routine, arguments: tuple[str | None, ...], library: LibPgQuery) -> Body:
    names = _given(routine)
    pairs = zip(names, arguments, strict=True) if len(names) == len(arguments) else ()
    given = {name: value for name, value in pairs if name is not None and value is not None}
    return called_body(routine, given, library)
