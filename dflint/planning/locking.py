"""Whom a step's locks stop, and how long it may wait and run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dflint.model.locks import blocks_reads, blocks_writes, conflicts
from dflint.model.plan import LockClass, StepKind, Timeouts

#: For each attempt, in milliseconds. Behind a lock that is waited for others queue when it is a strong one; so it is
#: waited for shortly, and below deadlock_timeout, so that of two that wait for each other the migration gives way.
#: Statements under a lock that stops nobody may take their time.
_TIMEOUTS: Final[dict[LockClass, Timeouts]] = {
    "none": Timeouts(5_000, 0),
    "schema_changes": Timeouts(5_000, 0),
    "writes": Timeouts(500, 30_000),
    "reads": Timeouts(500, 30_000),
    "unknown": Timeouts(500, 30_000),
}
_BATCH: Final = Timeouts(500, 5_000)
#: They wait for others' transactions; a limit would only leave half of it behind. The executor watches them.
_UNLIMITED: Final = Timeouts(0, 0)


def lock_class(locks: Mapping[str, str], *, complete: bool = True) -> LockClass:
    """Whom locks stop, by the strongest of them.

    Args:
        locks: printed identity -> mode, in SQL spelling.
        complete: these are all. Of some that stop readers it does not matter whether there are more.
    """
    modes = set(locks.values())
    if any(map(blocks_reads, modes)):
        return "reads"
    if not complete:
        return "unknown"
    if any(map(blocks_writes, modes)):
        return "writes"
    if any(conflicts(mode, "SHARE UPDATE EXCLUSIVE") for mode in modes & _SELF_CONFLICTING):
        return "schema_changes"
    return "none"


#: Modes of which a table bears one at a time, without stopping writers.
_SELF_CONFLICTING: Final = frozenset({"SHARE UPDATE EXCLUSIVE"})


def timeouts_for(kind: StepKind, stops: LockClass) -> Timeouts:
    """The timeouts of a step that says nothing else."""
    if kind == "backfill":
        return _BATCH
    if kind == "nontx" and stops not in ("writes", "reads"):
        return _UNLIMITED
    return _TIMEOUTS[stops]
