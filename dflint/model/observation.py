"""What a server was seen doing with one statement: the counterpart of `dflint.model.effect.StatementEffects`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: First words of the command tags of statements that scan nothing by definition: what most of them read is the
#: planner's business, and TRUNCATE builds its indexes over an empty file.
TAGS_WITHOUT_SCANS = frozenset("SELECT INSERT UPDATE DELETE MERGE COPY EXPLAIN FETCH MOVE DECLARE TRUNCATE".split())


class SqlError(Struct, frozen=True):
    """An error that the server gave."""

    sqlstate: str
    message: str


class Observation(Struct, frozen=True, kw_only=True):
    """What one statement did.

    Relations are those that existed before the statement: tables, partitions, views, materialized views, foreign
    tables, sequences and indexes; no system catalogs, no toast, no composite types. They are printed identities.

    A statement that failed has no locks, rewrites, scans and index_rebuilds: the server let go of everything.

    Attributes:
        locks: strongest mode held until commit, in SQL spelling. Of a statement that cannot run in a transaction: the
            strongest seen while it ran, so the true mode is this one or a stronger one.
        rewrites: tables and materialized views whose heap has a new file, sorted.
        scans: tables and materialized views of which the statement began a sequential scan, sorted; whether they hold
            rows does not matter. Checking, validating, copying into a new file and building indexes begin one;
            TRUNCATE, SET TABLESPACE, ANALYZE and plain VACUUM do not. Reading that the planner plans for the
            statement's own query does not count (SELECT, INSERT, UPDATE, DELETE, MERGE, COPY, CREATE … AS); that of
            REFRESH MATERIALIZED VIEW and of foreign keys being validated does.
        index_rebuilds: indexes with a new file, sorted. One that was dropped and made again with the same file is not.
        transaction: whether it may run in a transaction block.
        error: how it failed, None if it did not.
        duration_ms: wall time of the statement alone.
        wal_bytes: write-ahead log written by the whole server meanwhile.
        waits_for: readers_of_target, writers_of_target, old_snapshots: whom it waits for although no lock conflicts;
            None where nobody tried.
        leftover: what a run that was cancelled while it waited for them left behind, "" for nothing; None where
            nobody tried.
    """

    locks: dict[str, str] = {}
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    index_rebuilds: tuple[str, ...] = ()
    transaction: Literal["allowed", "refused"] = "allowed"
    error: SqlError | None = None
    duration_ms: float = 0.0
    wal_bytes: int = 0
    waits_for: tuple[str, ...] | None = None
    leftover: str | None = None
