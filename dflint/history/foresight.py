"""What an operation will change: a replay ahead of time, for effects that depend on what goes with what."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft
from dflint.history.replay import advance
from dflint.model.context import Change, Context
from dflint.model.names import Name


def foresee(context: Context) -> Change:
    """What the context's operation will change, if it runs at all."""
    operation = context.operation
    if operation.conditional:
        operation = replace(operation, conditional=False)
    draft = Draft(context.catalog, context.version)
    after = advance(draft, operation, context.session, context.statement.operations, watch=True)
    touched = draft.touched or ()
    relations = frozenset(key for where, key in touched if where == "relations" and isinstance(key, Name))
    return Change(after, relations, bool(touched))
