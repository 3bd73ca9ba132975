"""The journal in the target database: runs, their steps, and an audit trail that shows tampering.

All methods use the connection that was given, in its transaction if there is one: what a step did and that it was done
are then committed together. Every statement is one round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb

from dflint.guard.chain import broken_link
from dflint.guard.errors import GuardRefused
from dflint.guard.identity import identity_of
from dflint.guard.ledger_setup import ensure_ledger, ledger_exists
from dflint.model.errors import InputError
from dflint.model.plan import Plan
from dflint.model.run import (
    FINISHED,
    BackfillCursor,
    Checkpoint,
    Event,
    Identity,
    Run,
    RunState,
    StepRecord,
    StepState,
)

__all__ = ["Ledger", "ensure_ledger", "ledger_exists"]

_RUNS = """
SELECT run_id::text, plan_hash, plan::text, state, reason, created_at, finished_at, tool_version, target::text
  FROM dflint.run """
_STEPS = """
SELECT run_id::text, ord, step_id, step_hash, kind, state, attempts, fence, started_at, finished_at, error
  FROM dflint.step WHERE run_id = %s ORDER BY ord"""
_EVENTS = """
SELECT seq, at, run_id::text, ord, fence, kind, detail, prev_hash, hash
  FROM dflint.event WHERE run_id = %s ORDER BY seq"""
_CURSOR = """
SELECT last_key, high_key, rows_done, batch_size FROM dflint.cursor
 WHERE run_id = %s AND ord = %s AND shard = %s"""
_Made = TypeVar("_Made", bound=msgspec.Struct)

#: A step in one of these is finished, for better or worse.
_ENDED: tuple[StepState, ...] = ("done", "failed", "undone", "skipped")


class Ledger:
    """The ledger, as one connection sees it. `ensure_ledger` comes first."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    # Runs.

    async def create_run(
        self,
        plan: Plan,
        tool_version: str,
        *,
        step_hashes: Sequence[str],
        run_id: str | None = None,
        target: Identity | None = None,
    ) -> Run:
        """Write down a run and its steps, before the first is begun.

        Args:
            plan: what will be done; it has a hash.
            tool_version: of this dflint.
            step_hashes: one for each step.
            run_id: a UUID; None: a new one.
            target: the database; None: that of the connection.

        Raises:
            InputError: the plan has no hash, or there are more or fewer hashes than steps.
        """
        if plan.hash is None:
            raise InputError("the plan has no hash", remedy="judge it anew after editing it")
        if len(step_hashes) != len(plan.steps):
            raise InputError(f"{len(plan.steps)} steps and {len(step_hashes)} hashes of steps")
        run_id = run_id or str(uuid4())
        target = target or await identity_of(self.connection)
        await self._execute(
            """WITH run AS (INSERT INTO dflint.run (run_id, plan_hash, plan, target, tool_version, state)
                            VALUES (%s, %s, %s::jsonb, %s::jsonb, %s, 'planned') RETURNING run_id)
               INSERT INTO dflint.step (run_id, ord, step_id, step_hash, kind)
               SELECT run.run_id, one.ord - 1, one.step_id, one.step_hash, one.kind
                 FROM run, unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY
                      AS one (step_id, step_hash, kind, ord)""",
            run_id,
            plan.hash,
            msgspec.json.encode(plan).decode(),
            msgspec.json.encode(target).decode(),
            tool_version,
            [step.id for step in plan.steps],
            list(step_hashes),
            [step.kind for step in plan.steps],
        )
        return await self.load_run(run_id)

    async def load_run(self, run_id: str) -> Run:
        """One run.

        Raises:
            InputError: there is none with this id.
        """
        found = await self._runs("WHERE run_id = %s", _uuid(run_id))
        if not found:
            raise InputError(f"there is no run {run_id} in this database", remedy="dflint runs list shows all")
        return found[0]

    async def runs(self, limit: int = 50) -> list[Run]:
        """The newest first."""
        return await self._runs("ORDER BY created_at DESC, run_id LIMIT %s", limit)

    async def unfinished_runs(self) -> list[Run]:
        """Those that may be resumed or aborted, the newest first."""
        return await self._runs("WHERE state <> ALL (%s) ORDER BY created_at DESC, run_id", sorted(FINISHED))

    async def runs_of_plan(self, plan_hash: str) -> list[Run]:
        """Those of one plan, the newest first."""
        return await self._runs("WHERE plan_hash = %s ORDER BY created_at DESC, run_id", plan_hash)

    async def set_run_state(self, run_id: str, state: RunState, reason: str | None = None) -> None:
        """Say how a run is.

        Raises:
            InputError: there is no such run.
        """
        cursor = await self._execute(
            """UPDATE dflint.run SET state = %s, reason = %s,
                      finished_at = CASE WHEN %s THEN clock_timestamp() END
                WHERE run_id = %s""",
            state,
            reason,
            state in FINISHED,
            _uuid(run_id),
        )
        if cursor.rowcount != 1:
            raise InputError(f"there is no run {run_id} in this database")

    # Steps.

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The steps of a run, in order."""
        cursor = await self._execute(_STEPS, _uuid(run_id))
        return [_made(StepRecord, row) for row in await cursor.fetchall()]

    async def set_step(
        self,
        run_id: str,
        ord: int,
        state: StepState,
        *,
        attempts: int | None = None,
        error: Mapping[str, Any] | None = None,
        fence: int | None = None,
        xid: str | None = None,
    ) -> None:
        """Say how a step is. A step that is done can be undone, and nothing else.

        Args:
            run_id: the run.
            ord: the step's place, from 0.
            state: how it is now.
            attempts: how often it was begun; None: as before.
            error: what PostgreSQL said; None: there is none.
            fence: of the lock; None: as before.
            xid: of the transaction that does the step; None: as before.

        Raises:
            GuardRefused: the step is done, or there is none.
        """
        cursor = await self._execute(
            """UPDATE dflint.step SET state = %(state)s, attempts = coalesce(%(attempts)s, attempts),
                      error = %(error)s, fence = coalesce(%(fence)s, fence), xid = coalesce(%(xid)s, xid),
                      started_at = CASE WHEN %(begun)s THEN coalesce(started_at, clock_timestamp())
                                        ELSE started_at END,
                      finished_at = CASE WHEN %(ended)s THEN clock_timestamp() END
                WHERE run_id = %(run)s AND ord = %(ord)s AND (state <> 'done' OR %(state)s = 'undone')""",
            state=state,
            attempts=attempts,
            error=None if error is None else Jsonb(dict(error), dumps=_dumps),
            fence=fence,
            xid=xid,
            begun=state != "pending",
            ended=state in _ENDED,
            run=_uuid(run_id),
            ord=ord,
        )
        if cursor.rowcount != 1:
            raise GuardRefused(
                f"step {ord + 1} of run {run_id} is done already, or there is no such step",
                next=f"see dflint runs show {run_id}",
            )

    async def complete(
        self, run_id: str, ord: int, fence: int, attempts: int, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Say that a step is done, with its event: one round trip, for every step pays for it.

        Raises:
            GuardRefused: the step is done already, or there is none.
        """
        cursor = await self._execute(
            """WITH done AS (
                   UPDATE dflint.step SET state = 'done', attempts = %(attempts)s, error = NULL, fence = %(fence)s,
                          started_at = coalesce(started_at, now()), finished_at = clock_timestamp()
                    WHERE run_id = %(run)s AND ord = %(ord)s AND state <> 'done' RETURNING run_id, ord)
               SELECT dflint.append_event(run_id, ord, %(fence)s::bigint, 'done', %(detail)s::jsonb) FROM done""",
            run=_uuid(run_id),
            ord=ord,
            fence=fence,
            attempts=attempts,
            detail=Jsonb(dict(detail or {}), dumps=_dumps),
        )
        if await cursor.fetchone() is None:
            raise GuardRefused(
                f"step {ord + 1} of run {run_id} is done already, or there is no such step",
                next=f"see dflint runs show {run_id}",
            )

    # The audit trail.

    async def event(
        self, run_id: str, ord: int | None, fence: int | None, kind: str, detail: Mapping[str, Any] | None = None
    ) -> int:
        """Add a line to a run's audit trail; its number.

        In a transaction, the end of the run's chain stays locked until it ends: add events at its end.

        Raises:
            psycopg.errors.UniqueViolation: a second ``done`` for one step.
        """
        cursor = await self._execute(
            "SELECT dflint.append_event(%s::uuid, %s::int, %s::bigint, %s::text, %s::jsonb)",
            run_id,
            ord,
            fence,
            kind,
            Jsonb(dict(detail or {}), dumps=_dumps),
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def events(self, run_id: str) -> list[Event]:
        """The audit trail of a run, in order."""
        cursor = await self._execute(_EVENTS, _uuid(run_id))
        return [_made(Event, row) for row in await cursor.fetchall()]

    async def verify_chain(self, run_id: str) -> str | None:
        """Whether a run's audit trail is as it was written.

        Whoever owns the tables can write a new trail as a whole; single changes, by anybody, show.

        Returns:
            None when it is; else where it is not, in words.
        """
        return await broken_link(self.connection, _uuid(run_id))

    # Backfills.

    async def cursor(self, run_id: str, ord: int, *, shard: int = 0, for_update: bool = False) -> BackfillCursor | None:
        """Where a backfill is; None before its first batch.

        Args:
            run_id: the run.
            ord: the step.
            shard: of several that run side by side.
            for_update: nobody else may move it before this transaction ends.
        """
        cursor = await self._execute(
            _CURSOR + (" FOR UPDATE" if for_update else ""),
            _uuid(run_id),
            ord,
            shard,
        )
        row = await cursor.fetchone()
        return None if row is None else _made(BackfillCursor, row)

    async def advance_cursor(
        self,
        run_id: str,
        ord: int,
        *,
        last_key: Sequence[str] | None,
        rows: int,
        batch_size: int | None = None,
        high_key: Sequence[str] | None = None,
        shard: int = 0,
    ) -> None:
        """Move a backfill's cursor, in the transaction that changes the rows.

        Args:
            run_id: the run.
            ord: the step.
            last_key: of the last row that was changed; None: as before.
            rows: how many were changed; they are added up.
            batch_size: rows in the next batch; None: as before.
            high_key: where the backfill ends; None: as before.
            shard: of several that run side by side.
        """
        await self._execute(
            """INSERT INTO dflint.cursor AS c
                      (run_id, ord, shard, last_key, high_key, rows_done, batch_size, updated_at)
               VALUES (%s, %s, %s, %s::text[], %s::text[], %s, %s, clock_timestamp())
               ON CONFLICT (run_id, ord, shard) DO UPDATE
                  SET last_key = coalesce(excluded.last_key, c.last_key),
                      high_key = coalesce(excluded.high_key, c.high_key),
                      rows_done = c.rows_done + excluded.rows_done,
                      batch_size = coalesce(excluded.batch_size, c.batch_size),
                      updated_at = excluded.updated_at""",
            _uuid(run_id),
            ord,
            shard,
            None if last_key is None else list(last_key),
            None if high_key is None else list(high_key),
            rows,
            batch_size,
        )

    # Checkpoints and signs of life.

    async def checkpoint(
        self, run_id: str, ord: int | None, phase: str, name: str, ok: bool | None, observed: Mapping[str, Any]
    ) -> None:
        """Write down what a validator observed."""
        await self._execute(
            "INSERT INTO dflint.checkpoint (run_id, ord, phase, name, ok, observed) VALUES (%s, %s, %s, %s, %s, %s)",
            _uuid(run_id),
            ord,
            phase,
            name,
            ok,
            Jsonb(dict(observed), dumps=_dumps),
        )

    async def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """What validators observed in a run, in order."""
        cursor = await self._execute(
            """SELECT run_id::text, ord, phase, name, ok, observed, at FROM dflint.checkpoint
                WHERE run_id = %s ORDER BY number""",
            _uuid(run_id),
        )
        return [_made(Checkpoint, row) for row in await cursor.fetchall()]

    async def heartbeat(self, run_id: str, fence: int) -> None:
        """Give a sign of life. Nobody's lock is ever taken because there was none."""
        await self._execute(
            """INSERT INTO dflint.heartbeat AS h (run_id, fence, at) VALUES (%s, %s, clock_timestamp())
               ON CONFLICT (run_id) DO UPDATE SET fence = excluded.fence, at = excluded.at
                WHERE h.fence <= excluded.fence""",
            _uuid(run_id),
            fence,
        )

    async def _runs(self, condition: str, *parameters: Any) -> list[Run]:
        cursor = await self._execute(_RUNS + condition, *parameters)
        return [_run(row) for row in await cursor.fetchall()]

    async def _execute(self, query: str, *parameters: Any, **named: Any) -> psycopg.AsyncCursor[TupleRow]:
        # Whatever rows the connection gives by itself.
        cursor = self.connection.cursor(row_factory=tuple_row)
        await cursor.execute(query.encode(), named or parameters)
        return cursor


def _run(row: TupleRow) -> Run:
    run_id, plan_hash, plan, state, reason, created_at, finished_at, tool_version, target = row
    return Run(
        run_id=run_id,
        plan_hash=plan_hash,
        plan=msgspec.json.decode(plan, type=Plan),
        state=state,
        reason=reason,
        created_at=created_at,
        finished_at=finished_at,
        tool_version=tool_version,
        target=msgspec.json.decode(target, type=Identity),
    )


def _made(kind: type[_Made], row: TupleRow) -> _Made:
    """A value whose fields are the row's columns, in order."""
    values = (tuple(value) if isinstance(value, list) else value for value in row)
    return kind(**dict(zip(kind.__struct_fields__, values, strict=True)))


def _uuid(run_id: str) -> UUID:
    """A run's id.

    Raises:
        InputError: it is none.
    """
    try:
        return UUID(run_id)
    except ValueError:
        pass
    raise InputError(f"{run_id!r} is not the id of a run", remedy="dflint runs list shows them")


def _dumps(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)
