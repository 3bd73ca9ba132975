"""The migration lock manager: one entry while the block's migration runs, none after it."""

from __future__ import annotations

import psycopg
import pytest

from dflint.guard.lock import held_lock
from dflint.migrations.concurrent_access_manager import MigrationLockManager
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer
from tests.spec.running import run, source


def test_only_imports_are_changed() -> None:
    text = source("section_6")
    assert text.startswith("from dflint.migrations.concurrent_access_manager import MigrationLockManager\n")
    assert "dataflow" not in text


@pytest.mark.majors(14, 18)
@asynchronous
async def test_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    manager = MigrationLockManager(dsn)
    inside = []

    async def migrate() -> str:
        """With a connection of its own, as a user's migration has one."""
        inside.extend(await manager.get_active_locks())
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute("CREATE TABLE users (id int)")
        return "migrated"

    names = await run("section_6", connection_manager=dsn, execute_your_migration=migrate)

    (holder,) = inside
    assert holder.operation_description == "Add NOT NULL column to users table"
    assert holder.metadata == {"table": "users", "operation": "add_column"}
    assert holder.scope == "schema_modification"
    assert names["migration_result"] == "migrated"
    assert names["active_locks"] == await manager.get_active_locks() == []
    lock = names["migration_lock"]
    assert lock.released
    assert held_lock() is None
    assert capsys.readouterr().out.splitlines() == [
        f"Migration lock acquired: {lock.lock_id}",
        "Lock scope: schema_modification",
        "Migration completed under lock protection",
        "Active migration locks: 0",
    ]
    async with await connect(dsn, autocommit=True) as look:
        await look.execute("TABLE users")


@asynchronous
async def test_a_migration_that_fails_gives_the_lock_back(pg: TestServer) -> None:
    dsn = pg.new_database()

    async def migrate() -> None:
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        await run("section_6", connection_manager=dsn, execute_your_migration=migrate)
    assert await MigrationLockManager(dsn).get_active_locks() == []


@asynchronous
async def test_the_line_that_is_printed_for_each_lock(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The block's last line, which it only reaches when somebody holds a lock by then."""
    dsn = pg.new_database()
    manager = MigrationLockManager(dsn)
    lock = await manager.acquire_migration_lock(operation_description="a migration")
    for one in await manager.get_active_locks():
        print(f"  - {one.operation_description} (acquired: {one.acquired_at})")
    assert capsys.readouterr().out == f"  - a migration (acquired: {lock.acquired_at})\n"
    await lock.release()
