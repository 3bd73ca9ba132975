"""Who was there before: whether others may use a relation, and what the transaction already keeps from them."""

from __future__ import annotations

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


def held_exclusively(context: Context) -> dict[Name, Context]:
    """Tables that others may use and that the transaction has locked against readers, with the first context of each.

    What the same statement does is left out.
    """
    held: dict[Name, Context] = {}
    for earlier in context.earlier:
        if earlier.operation.kind in _GONE or earlier.statement is context.statement:
            continue
        for name, mode in earlier.locks:
            if mode != EXCLUSIVE or name in held or isinstance(earlier.relation(name), (Index, Sequence)):
                continue
            if existing(name, earlier):
                held[name] = earlier
    return held


def shown(name: Name) -> str:
    """A name as people write it: without the schema that everybody has."""
    return str(Name(None, name.name) if name.schema == "public" else name)


def listed(names: list[str], most: int = 3) -> str:
    """``a, b and c``, or the first few ``and 7 more``."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
