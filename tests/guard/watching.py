"""A lock, a ledger and a monitor on a test's database, as the executor has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

from dflint.guard.capabilities import capabilities
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock, MigrationLockManager
from dflint.guard.monitor import Limits, Monitor
from dflint.model.plan import Backfill, Check, Plan, PlanTarget, Step, StepKind, Timeouts
from dflint.postgres import connect


class Told:
    """Remembers what an execution tells."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def event(self, kind: str, **detail: Any) -> None:
        self.events.append((kind, detail))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [detail for each, detail in self.events if each == kind]


class Guarded(Struct):
    """What a step is executed with."""

    lock: MigrationLock
    ledger: Ledger
    monitor: Monitor
    told: Told

    @property
    def connection(self) -> AsyncConnection[Any]:
        return self.lock.connection


@asynccontextmanager
async def guarded(dsn: str, limits: Limits | None = None, *, run_id: str | None = None) -> AsyncIterator[Guarded]:
    """The lock of a database, and a monitor of the session that holds it."""
    told = Told()
    async with MigrationLockManager(dsn, run_id=run_id).acquire_migration_lock(timeout_seconds=20) as lock:
        able = await capabilities(lock.connection)
        async with Monitor(lock.dsn, lock.connection, limits, able, progress=told) as monitor:
            yield Guarded(lock, Ledger(lock.connection), monitor, told)


@asynccontextmanager
async def session(dsn: str, *statements: str, **parameters: Any) -> AsyncIterator[AsyncConnection[Any]]:
    """A session in autocommit mode that has executed some statements."""
    async with await connect(dsn, autocommit=True) as connection:
        if "application_name" in parameters:
            await connection.execute(
                "SELECT set_config('application_name', %s, false)", [parameters["application_name"]]
            )
        for statement in statements:
            await connection.execute(statement.encode())
        yield connection


def step(sql: str, kind: StepKind = "tx", *, locks: Mapping[str, str] | None = None, **fields: Any) -> Step:
    """One step."""
    return Step(id=fields.pop("id", "1"), sql=sql, kind=kind, group="test", locks=dict(locks or {}), **fields)


def backfill(
    sql: str,
    *key: str,
    table: str = "table:public.t",
    batch: int = 1000,
    post: tuple[Check, ...] = (),
    lock_ms: int = 500,
) -> Step:
    """A step that is cut into batches."""
    return step(
        sql,
        "backfill",
        locks={table: "ROW EXCLUSIVE"},
        backfill=Backfill(table, key, batch),
        post=post,
        timeouts=Timeouts(lock_ms, 5_000),
    )


def plan_of(*steps: Step, major: int = 18) -> Plan:
    """A plan of steps."""
    return Plan(source="test", target=PlanTarget(major), steps=steps, hash="a-hash")


async def run_of(ledger: Ledger, *steps: Step) -> str:
    """The id of a new run."""
    plan = plan_of(*steps)
    run = await ledger.create_run(plan, "0.0", step_hashes=[f"hash of {step.id}" for step in steps])
    return run.run_id
