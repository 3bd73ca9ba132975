"""``dflint locks``, as a shell runs it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests.cli.running import ROOT, run, spawn
from tests.servers import TestServer

RUN = "33333333-3333-3333-3333-333333333333"


@pytest.fixture
def held(pg: TestServer) -> Iterator[str]:
    """The connection string of a database whose lock a session holds that will not give it back."""
    dsn = pg.new_database()

    code = f"""
import asyncio, sys
from dflint.guard.lock import MigrationLockManager
async def main():
    lock = await MigrationLockManager(sys.argv[1], run_id={RUN!r}).acquire_migration_lock(
        operation_description="a long migration")
    print("held", flush=True)
    await lock.connection.execute("SELECT pg_sleep(600)")
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, dsn], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield dsn
        process.kill()


def test_where_nobody_has_ever_run(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    shown = run(capsys, "locks", "--db", dsn)
    assert shown == (0, "nobody holds the migration lock\nnobody waits for a lock\n", "")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regnamespace('dflint')").fetchone() == (None,)


def test_show_and_break(held: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "locks", "--db", held)
    assert shown.status == 0
    assert f"of run {RUN} holds the whole database (a long migration)" in shown.stdout
    unasked = spawn("locks", "break", RUN[:8], "--db", held)
    assert (unasked.status, unasked.stdout) == (2, "")
    assert "--yes" in unasked.stderr
    broken = spawn("locks", "break", RUN[:8], "--yes", DFLINT_DB=held)
    assert broken.status == 0
    assert f"the lock of run {RUN} is broken" in broken.stdout
    assert "nobody holds" in run(capsys, "locks", "--db", held).stdout
    again = run(capsys, "locks", "break", RUN, "--yes", "--db", held)
    assert again.status == 2
    assert "dflint locks shows who does" in again.stderr


def test_without_a_database(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    assert "--db" in run(capsys, "locks").stderr


def test_watching_ends_with_an_interrupt(pg: TestServer) -> None:
    async def watch() -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "dflint", "locks", "--watch", "--interval", "0.1", "--db", pg.new_database()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])},
        )
        assert process.stdout is not None
        lines = [await process.stdout.readline() for _ in range(6)]
        process.send_signal(2)
        _, error = await process.communicate()
        assert lines == [b"nobody holds the migration lock\n", b"nobody waits for a lock\n"] * 3
        return process.returncode, error

    status, error = asyncio.run(watch())
    assert (status, error.strip()) == (130, b"dflint: interrupted")
