"""Who was there before: whether others may use a relation, and what the transaction already keeps from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from dflint.model.catalog import Index, Sequence, Table
from dflint.model.context import Context
from dflint.model.names import Name

EXCLUSIVE = "ACCESS EXCLUSIVE"

#: What is dropped is gone: that its lock stays keeps nobody waiting who would not fail anyway.
_GONE = frozenset({"drop_table", "drop_view", "drop_materialized_view", "drop_foreign_table", "drop_index"})


def existing(name: Name, context: Context) -> bool | None:
    """Whether others may use the relation: it was there before this change. None: unknown."""
    if name.schema == "pg_temp":
        return False
    found = context.relation(name)
    if found is None or (isinstance(found, Table) and found.persistence == "temporary"):
        return False
    new = context.is_new(name)
    return None if new is None else not new


def _locked_exclusively(context: Context) -> Iterator[Name]:
    if context.operation.kind in _GONE:
        return
    renamed = getattr(context.operation, "new_name", None) if context.operation.kind == "rename_table" else None
    for name, mode in context.locks:
        if mode == EXCLUSIVE and renamed is not None and existing(name, context):
            yield Name(name.schema, renamed)  # later statements know it by that name
        elif (
            mode == EXCLUSIVE and not isinstance(context.relation(name), (Index, Sequence)) and existing(name, context)
        ):
            yield name


def first_under_lock(
    context: Context, alike: Callable[[Context], bool], own: Collection[Name] = ()
) -> dict[Name, None]:
    """Tables that others may use and that earlier statements of the transaction have locked against readers: for the
    first statement that runs under such locks, empty for the others.

    It looks back no further than it must, so that a long transaction does not take quadratic time.

    Args:
        alike: whether an earlier statement would have been told the same.
        own: tables that do not count, as the statement locks them itself.
    """
    held: dict[Name, None] = {}
    before = False
    for earlier in reversed(context.earlier):
        if earlier.statement is context.statement:
            continue
        locked = [name for name in _locked_exclusively(earlier) if name not in own]
        if before and locked:
            return {}  # said already
        held.update(dict.fromkeys(locked))
        if not before and alike(earlier):
            if not held:
                return {}  # what is held now was held then, too
            before = True
    return dict(reversed(held.items()))


def shown(name: Name) -> str:
    """A name as people write it: without the schema that everybody has."""
    return str(Name(None, name.name) if name.schema == "public" else name)


def listed(names: list[str], most: int = 3) -> str:
    """``a, b and c``, or the first few ``and 7 more``."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
