"""Nothing stays: neither after SIGINT, nor, once dflint has run again, after kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dflint.postgres.processes import start_time
from tests.cli.running import ROOT, spawn
from tests.trace.recording import leftovers

#: A migrate command that says where the server is, leaves a process of its own behind, and hangs.
COMMAND = """
import os, pathlib, subprocess, sys, time, psycopg
connection = psycopg.connect(os.environ["DATABASE_URL"])
connection.execute("create table t (i int)")
data = connection.execute("show data_directory").fetchone()[0]
nothing = subprocess.DEVNULL
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=nothing, stderr=nothing)
pids = [os.getpid(), grandchild.pid, int(pathlib.Path(data, "postmaster.pid").read_text().split()[0])]
pathlib.Path("state.tmp").write_text(" ".join([data, *map(str, pids)]))
os.rename("state.tmp", "state")
time.sleep(60)
"""


class Running:
    """A trace whose command hangs.

    Attributes:
        folder: the server's.
        pids: of the command, of what it started, and of the postmaster.
    """

    def __init__(self, cwd: Path) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
        self.environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cwd / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dflint", "trace", "--", sys.executable, "-c", COMMAND],
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        state = cwd / "state"
        deadline = time.monotonic() + 120
        while not state.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        data, *pids = state.read_text().split(" ")
        self.folder = Path(data).parent
        self.pids = [int(pid) for pid in pids]
        self.started = {pid: start_time(pid) for pid in self.pids}

    def alive(self) -> list[int]:
        return [pid for pid in self.pids if start_time(pid) == self.started[pid]]

    def wait_until_gone(self, pids: list[int], patience: float = 30) -> None:
        deadline = time.monotonic() + patience
        while set(pids) & set(self.alive()):
            assert time.monotonic() < deadline, "still running"
            time.sleep(0.05)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    if found.process.poll() is None:
        found.process.kill()
    found.process.communicate()
    for pid in found.alive():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_trace_leaves_nothing(running: Running, tmp_path: Path, number: int) -> None:
    assert running.folder.is_dir()
    running.process.send_signal(number)
    _, stderr = running.process.communicate(timeout=60)
    assert running.process.returncode == 130
    assert b"dflint: interrupted" in stderr
    assert running.alive() == []
    assert not running.folder.exists()
    assert list((tmp_path / "cache" / "dflint" / "postgres" / "servers").glob("*.json")) == []
    assert not (tmp_path / ".dflint").exists()


def test_after_a_kill_the_next_start_clears_up(running: Running, tmp_path: Path) -> None:
    before = leftovers()
    assert str(running.folder) in before
    running.process.kill()
    running.process.communicate()
    # The kernel tells them that dflint is gone.
    running.wait_until_gone(running.pids)
    assert running.folder.exists()
    ran = spawn("trace", "--no-observe", "-q", "--", "true", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ran.status == 3, ran.stderr
    assert running.alive() == []
    assert not running.folder.exists()
    assert list((tmp_path / "cache" / "dflint" / "postgres" / "servers").glob("*.json")) == []
