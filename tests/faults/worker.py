"""A process that takes the migration lock and runs steps under it, so that it can be killed, stopped and cut off.

    python -m tests.faults.worker DSN RUN ACTION [ARGUMENT...]

It prints a line of JSON for each thing that it has reached. Its exit status is that of the error it ended with.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock, MigrationLockManager, assert_fence
from dflint.model.errors import DflintError
from tests.guard.plans import new_run

BATCH = 10


def say(what: str, **more: Any) -> None:
    print(json.dumps({"what": what, **more}), flush=True)


async def main(dsn: str, run_id: str, action: str, *arguments: str) -> None:
    say("started")
    manager = MigrationLockManager(dsn, run_id=run_id)
    async with manager.acquire_migration_lock(timeout_seconds=60, operation_description=action) as lock:
        say("held", pid=lock.connection.info.backend_pid, fence=lock.fence)
        await ACTIONS[action](lock, arguments)
    say("released")


async def hold(lock: MigrationLock, arguments: Sequence[str]) -> None:
    await asyncio.to_thread(sys.stdin.readline)
    async with lock.connection.transaction():
        await assert_fence(lock.connection, lock)
    say("woken")


async def steps(lock: MigrationLock, statements: Sequence[str]) -> None:
    """Each statement in a transaction of its own, with the record that it was done; between two, wait for a line."""
    ledger = Ledger(lock.connection)
    if not [run for run in await ledger.runs() if run.run_id == lock.run_id]:
        await new_run(ledger, *statements, run_id=lock.run_id)
    for step in await ledger.steps(lock.run_id):
        if step.state == "done":
            continue
        say("running", step=step.ord)
        async with lock.connection.transaction():
            await assert_fence(lock.connection, lock)
            await lock.connection.execute(statements[step.ord].encode())
            await ledger.set_step(lock.run_id, step.ord, "done", fence=lock.fence)
            await ledger.event(lock.run_id, step.ord, lock.fence, "done")
        say("done", step=step.ord)
        await asyncio.to_thread(sys.stdin.readline)


async def alone(lock: MigrationLock, statements: Sequence[str]) -> None:
    """Statements outside a transaction."""
    for statement in statements:
        say("running", step=0)
        await lock.connection.execute(statement.encode())
        say("done", step=0)


async def backfill(lock: MigrationLock, arguments: Sequence[str]) -> None:
    """Count every row of ``t`` up by one, in batches."""
    ledger = Ledger(lock.connection)
    changed = 1
    while changed:
        async with lock.connection.transaction():
            await assert_fence(lock.connection, lock)
            cursor = await ledger.cursor(lock.run_id, 0, for_update=True)
            last = "0" if cursor is None or cursor.last_key is None else cursor.last_key[0]
            rows = await lock.connection.execute(
                """UPDATE t SET n = n + 1 WHERE id IN
                   (SELECT id FROM t WHERE id > %s::bigint ORDER BY id LIMIT %s) RETURNING id""",
                (last, BATCH),
            )
            changed = rows.rowcount
            keys = [key for (key,) in await rows.fetchall()]
            say("batch", rows=changed)
            await ledger.advance_cursor(lock.run_id, 0, last_key=(str(max(keys)),) if keys else None, rows=changed)


async def unchecked(lock: MigrationLock, statements: Sequence[str]) -> None:
    """As `alone`, where the server does not look whether the client is still there."""
    await lock.connection.execute("SET client_connection_check_interval = 0")
    await alone(lock, statements)


ACTIONS = {"hold": hold, "steps": steps, "alone": alone, "backfill": backfill, "unchecked": unchecked}

if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except DflintError as error:
        say("failed", error=type(error).__name__, message=str(error))
        sys.exit(error.exit_code)
    except psycopg.Error as error:
        say("failed", error=type(error).__name__, sqlstate=error.sqlstate, notes=getattr(error, "__notes__", []))
        sys.exit(12)
