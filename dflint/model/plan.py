"""What will be done: an ordered list of steps. What is printed is what runs."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: ``tx``: one or more statements in one transaction; ``nontx``: one statement that PostgreSQL refuses in a transaction;
#: ``backfill``: one UPDATE or DELETE, run in batches along a key; ``check``: a query that must say true; ``manual``:
#: something that a person has to do.
StepKind = Literal["tx", "nontx", "backfill", "check", "manual"]

#: Whom the step's strongest lock stops: nobody; other schema changes and VACUUM; writers; readers and writers.
#: ``unknown`` where it cannot be told.
LockClass = Literal["none", "schema_changes", "writes", "reads", "unknown"]


class Timeouts(Struct, frozen=True):
    """In milliseconds; 0 is no limit. ``lock_ms`` counts for each lock that a statement waits for."""

    lock_ms: int
    statement_ms: int


class Estimate(Struct, frozen=True):
    """How long the step holds its locks, in seconds, and on what that rests, in words.

    Attributes:
        wal_bytes: from and to how much it writes to the log.
        disk_bytes: from and to how much space it needs beside what is taken before, at its peak, without the log.
    """

    low_s: float
    high_s: float
    basis: str
    wal_bytes: tuple[int, int] | None = None
    disk_bytes: tuple[int, int] | None = None


class Check(Struct, frozen=True):
    """A condition of the database: ``sql`` is one query whose single value must be true."""

    name: str
    sql: str


class Undo(Struct, frozen=True, omit_defaults=True):
    """How a step is taken back: by ``sql``, statements in this order, or, where ``irreversible`` says why, not at all.

    An empty ``sql`` without a reason means that there is nothing to take back.
    """

    sql: tuple[str, ...] | None = None
    irreversible: str | None = None


class Backfill(Struct, frozen=True):
    """How the UPDATE or DELETE of a step is cut into batches.

    Attributes:
        table: printed identity.
        key: the columns of a unique key that are NOT NULL, in its order.
        batch: rows in the first batch; later ones adapt to the time they take.
    """

    table: str
    key: tuple[str, ...]
    batch: int


class Step(Struct, frozen=True, kw_only=True):
    """One thing that is done whole or, where that is said, continued where it stopped.

    Attributes:
        id: unique in the plan: ``1``, ``2``, …
        sql: the statements, as the source has them, without the transaction control that the executor adds.
        kind: see `StepKind`.
        group: what the step belongs to, such as the path of the migration file it comes from.
        locks: printed identity -> strongest mode, as predicted.
        lock_class: whom these stop.
        timeouts: for each attempt.
        estimate: None where nothing is known of sizes.
        pre, post: what must hold before and after.
        undo: how to take it back.
        backfill: for steps of that kind.
        settings: run-time parameters that the statements rely on, in force for the step alone: name -> value, as
            set_config() takes it.
        notes: what a person should know who decides about it.
    """

    id: str
    sql: str
    kind: StepKind
    group: str
    locks: dict[str, str] = {}
    lock_class: LockClass = "unknown"
    timeouts: Timeouts = Timeouts(500, 30_000)
    estimate: Estimate | None = None
    pre: tuple[Check, ...] = ()
    post: tuple[Check, ...] = ()
    undo: Undo = Undo()
    backfill: Backfill | None = None
    settings: dict[str, str] = {}
    notes: tuple[str, ...] = ()


class PlanTarget(Struct, frozen=True):
    """For what database the plan was made.

    Attributes:
        pg_version: major version.
        catalog_fingerprint: of the objects that the plan touches, as they were; "" where no catalog was given.
    """

    pg_version: int
    catalog_fingerprint: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """Steps, in order, and what they were made for.

    Attributes:
        source: the files, or what else it was made from, in words.
        point_of_no_return: id of the first step that cannot be taken back; None where all can.
        hash: over what is executed, up to comments and white space: the same file makes the same plan after it was
            applied, although what is predicted of it differs. None in a file that was edited by hand.
    """

    source: str
    target: PlanTarget
    steps: tuple[Step, ...]
    point_of_no_return: str | None = None
    hash: str | None = None
