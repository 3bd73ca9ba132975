"""What an operation, and a whole statement, does to the server while it runs."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Confidence = Literal["high", "medium", "low"]
Basis = Literal["static", "replay", "snapshot", "live"]
TransactionUse = Literal["allowed", "refused", "unknown"]


class RoleLock(Struct, frozen=True):
    """A lock on the relations that play a role in the operation.

    ``role``: as facts write it, such as ``target``, ``referenced`` or ``children.indexes``.
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
        rewritten, scanned, rebuilt: the roles of the relations that this happens to, the worst case with unknowns.
        transaction: whether the server lets it run in a transaction block.
        refused: SQLSTATE of a certain refusal, "" when there is none.
        waits_for: writers_of_target, readers_of_target, old_snapshots.
        leftover_on_timeout: what a cancelled run leaves behind, "" for nothing.
        invalidates_prepared: prepared statements that name the target are planned again, or fail.
        unknown: which facts were missing, in words for users.
    """

    facts: tuple[str, ...] = ()
    confidence: Confidence = "medium"
    locks: tuple[RoleLock, ...] = ()
    rewrite: bool | None = False
    scan: bool | None = False
    index_rebuild: bool | None = False
    transaction: TransactionUse = "allowed"
    refused: str = ""
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str = ""
    unknown: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    scanned: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()
    invalidates_prepared: bool = False
    note: str = ""

    def lock(self, role: str = "target") -> str | None:
        """The mode of the lock on that role, in SQL spelling, or None."""
        for lock in self.locks:
            if lock.role == role:
                return lock.mode
        return None


class Refusal(Struct, frozen=True):
    """Why the server refuses a statement."""

    sqlstate: str
    reason: str


class Conflicts(Struct, frozen=True):
    """Whom the statement's locks stop while they are held."""

    reads: bool = False
    writes: bool = False
    ddl: bool = False


class FactUse(Struct, frozen=True):
    """A fact that an answer rests on."""

    fact: str
    confidence: Confidence


class SqlSpan(Struct, frozen=True):
    """Where a statement stands: lines and columns from 1, columns in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class StatementEffects(Struct, frozen=True, kw_only=True):
    """What one statement does, by identity of every relation that existed before it.

    Attributes:
        file, line, sql_span: where it stands.
        operations: kinds, in the text's order.
        locks: printed identity -> strongest mode held at any time up to commit, in SQL spelling.
        rewrites: tables and materialized views whose heap gets a new file.
        scans: tables read from end to end.
        index_rebuilds: indexes whose file changes, also as part of a rewrite.
        transaction: whether it may run in a transaction block.
        refused_by_server: the server refuses it as things stand.
        waits_for: whom it waits for beside holders of conflicting locks.
        leftover_on_timeout: what a cancelled run leaves behind.
        rests_on: the facts behind all this.
        unknown: what could not be known, in words for users; empty is good.
        invalidates_prepared: sessions with prepared statements on the relations plan again, or fail with 0A000.
        lock_count: entries it needs in the server's lock table.
    """

    file: str
    line: int
    sql_span: SqlSpan
    operations: tuple[str, ...] = ()
    locks: dict[str, str] = {}
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    index_rebuilds: tuple[str, ...] = ()
    transaction: TransactionUse = "allowed"
    refused_by_server: Refusal | None = None
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str | None = None
    conflicts_with: Conflicts = Conflicts()
    rests_on: tuple[FactUse, ...] = ()
    unknown: tuple[str, ...] = ()
    invalidates_prepared: bool = False
    lock_count: int = 0


class EffectsDocument(Struct, frozen=True):
    """What ``dflint effects`` says of a file. ``pg_version`` is the server's major version."""

    schema_version: Literal[1]
    pg_version: int
    statements: tuple[StatementEffects, ...] = ()
