"""What an operation does to the server while it runs."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Confidence = Literal["high", "medium", "low"]
Basis = Literal["static", "replay", "snapshot", "live"]


class RoleLock(Struct, frozen=True):
    """A lock on the relation that plays a role in the operation.

    ``role``: target, referenced, parent, child, default_partition, index, sequence, view, using_table, partitions.
    ``certain`` is False where, for want of a fact, a weaker lock or none is possible too.
    """

    role: str
    mode: str
    certain: bool = True


class Effect(Struct, frozen=True):
    """The effect of one operation under one catalog, by facts.

    Three-valued: None means unknown, for want of the facts named in ``unknown``.

    Attributes:
        facts: ids of the facts it rests on.
        confidence: of the weakest of them; high only for facts proven on servers.
        locks: strongest mode per role; with unknowns, the worst case.
        rewrite: a table's heap is rewritten.
        scan: a table is read from end to end under the lock.
        index_rebuild: an index is built or rebuilt under the lock.
        transaction: whether the server lets it run in a transaction block.
        refused: SQLSTATE of a certain refusal, "" when there is none.
        waits_for: writers_of_target, readers_of_target, old_snapshots.
        leftover_on_timeout: what a cancelled run leaves behind, "" for nothing.
        unknown: which facts were missing, in words for users.
    """

    facts: tuple[str, ...] = ()
    confidence: Confidence = "medium"
    locks: tuple[RoleLock, ...] = ()
    rewrite: bool | None = False
    scan: bool | None = False
    index_rebuild: bool | None = False
    transaction: Literal["allowed", "refused", "unknown"] = "allowed"
    refused: str = ""
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str = ""
    unknown: tuple[str, ...] = ()

    def lock(self, role: str = "target") -> str | None:
        """The mode of the lock on that role, in SQL spelling, or None."""
        for lock in self.locks:
            if lock.role == role:
                return lock.mode
        return None
