"""What was done: a run of a plan, its steps and events, and who holds the migration lock."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from dflint.model.plan import Plan, StepKind

RunState = Literal[
    "planned", "running", "paused", "failed", "needs_operator", "rolling_back", "rolled_back", "done", "abandoned"
]
#: A run in one of these is over; all others are unfinished and may be resumed or aborted.
FINISHED: frozenset[RunState] = frozenset({"rolled_back", "done", "abandoned"})

StepState = Literal["pending", "intent", "running", "done", "failed", "unknown", "undone", "skipped"]


class Identity(Struct, frozen=True, kw_only=True):
    """Which database on which server a session reached. None is what the role may not see.

    A copy of the data directory has the same system identifier, timeline and database OID. The directory, the address
    and the start of the server are what tells it apart, and none of them is proof: see `dflint.guard.identity`.

    Attributes:
        system_identifier: of the cluster, as pg_control has it; a copy of its files has the same.
        timeline: of the write-ahead log that is written now; another one after a promotion or a restore.
        database_oid: of the database.
        database: its name.
        data_directory: where the server keeps its files.
        address: the server's address as the session sees it; None over a Unix-domain socket.
        port: the server's.
        started_at: when the postmaster started.
        marker: id of the ledger in schema ``dflint``; None where there is no ledger yet.
    """

    system_identifier: str | None
    timeline: int | None
    database_oid: int
    database: str
    data_directory: str | None = None
    address: str | None = None
    port: int | None = None
    started_at: datetime | None = None
    marker: str | None = None


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a plan.

    Attributes:
        run_id: a UUID.
        plan_hash: of the plan.
        plan: what is done.
        state: see `RunState`.
        reason: why it is in that state, one sentence; None where that is no question.
        created_at, finished_at: by the server's clock.
        tool_version: the dflint that made it.
        target: the database it was started on.
    """

    run_id: str
    plan_hash: str
    plan: Plan
    state: RunState
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
    tool_version: str
    target: Identity | None = None


class StepRecord(Struct, frozen=True, kw_only=True):
    """How far one step of a run is.

    Attributes:
        ord: place in the plan, from 0.
        step_id: its id in the plan.
        step_hash: over its statements, without comments and white space.
        kind: see `dflint.model.plan.StepKind`.
        state: see `StepState`.
        attempts: how often it was begun.
        fence: of the lock under which the state was written; None before the first.
        error: what PostgreSQL said when it failed last; None where it did not.
    """

    run_id: str
    ord: int
    step_id: str
    step_hash: str
    kind: StepKind
    state: StepState
    attempts: int = 0
    fence: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: dict[str, Any] | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One line of the audit trail. Each holds the hash of the one before it in the same run.

    Attributes:
        seq: from 1, without gaps within the run.
        at: by the server's clock.
        ord: the step it is about; None for the run itself.
        kind: ``lock_acquired``, ``intent``, ``attempt``, ``done``, …
    """

    seq: int
    at: datetime
    run_id: str
    ord: int | None
    fence: int | None
    kind: str
    detail: dict[str, Any]
    prev_hash: bytes | None
    hash: bytes


class BackfillCursor(Struct, frozen=True, kw_only=True):
    """Where a backfill is. Keys are the values of the key's columns as text.

    Attributes:
        last_key: of the last row that was changed; None before the first batch.
        high_key: where the backfill ends; None where that was not noted.
        rows_done: rows changed so far.
        batch_size: rows in the next batch; None where that was not noted.
    """

    last_key: tuple[str, ...] | None = None
    high_key: tuple[str, ...] | None = None
    rows_done: int = 0
    batch_size: int | None = None


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What one validator observed. ``ok`` is None where it could not tell."""

    run_id: str
    ord: int | None
    phase: str
    name: str
    ok: bool | None
    observed: dict[str, Any]
    at: datetime


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds the migration lock of a database. All of it is information: nobody's lock is taken because of it.

    Attributes:
        pid: of the backend that holds the lock.
        run_id: None where neither the ledger nor the session's name tells.
        scope: ``schema_modification``, ``table_modification`` or ``data_modification``.
        tables: the tables it is for; empty: the whole database.
        operation_description: what the holder said it was doing; "" where the ledger does not tell.
        metadata: what else it said.
        acquired_at: when; where the ledger does not tell, when the session began, and None where that is hidden.
        heartbeat_at: when the holding process last gave a sign of life.
        state: of the session, as pg_stat_activity has it; None where this role may not see it.
        query_age_s: seconds since its statement began, or since it became idle.
        fence: see `dflint.guard.lock`.
        stale: the backend is there, and its process has given no sign of life for a while: stopped, or cut off.
    """

    pid: int
    run_id: str | None
    scope: str
    tables: tuple[str, ...] = ()
    operation_description: str = ""
    metadata: dict[str, Any] = {}
    acquired_at: datetime | None = None
    heartbeat_at: datetime | None = None
    state: str | None = None
    query_age_s: float | None = None
    fence: int | None = None
    stale: bool = False
