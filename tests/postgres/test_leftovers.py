"""Nothing stays: not after an interrupt, and not after a kill once dflint starts again."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dflint.postgres import processes as system
from dflint.postgres import registry
from dflint.postgres.scratch import Scratch
from dflint.postgres.server import start_server
from tests.postgres import processes

SERVE = """
    import asyncio, json
    from dflint.postgres import start_server
    {change}
    async def serve():
        async with start_server(in_memory={in_memory}) as server:
            scratch = server.scratch
            print(json.dumps([scratch._process.pid, str(scratch.folder), str(scratch.sockets)]), flush=True)
            await asyncio.sleep(60)
    asyncio.run(serve())
"""

#: The kernel does not end the server together with this one's process: as on other systems.
OUTLIVE = """
    from dflint.postgres import identity
    def command(self, program, *arguments, libraries=None):
        return [program, *arguments]
    identity.Identity.command = command
"""


def eventually(condition: Callable[[], bool], patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    return system.start_time(pid) is not None


@pytest.mark.parametrize(("in_memory", "outlive"), [(True, False), (False, True)])
def test_after_a_kill_the_next_start_clears_up(home: Path, in_memory: bool, outlive: bool) -> None:
    code = SERVE.format(change=OUTLIVE.strip() if outlive else "", in_memory=in_memory)
    with processes.started(code, home, ordinary=True) as child:
        pid, *folders = json.loads(processes.line(child))
        assert runs(pid)
        child.kill()
        child.wait()
    if outlive:
        assert runs(pid)
    else:
        assert eventually(lambda: not runs(pid))
    assert all(Path(folder).exists() for folder in folders)
    with Scratch(cache=home / "dflint" / "postgres"):
        assert not runs(pid)
        assert not any(Path(folder).exists() for folder in folders)
        assert len(processes.entries(home)) == 1
    assert processes.entries(home) == []


def test_a_living_owner_is_left_alone(home: Path) -> None:
    with Scratch(cache=home / "dflint" / "postgres") as scratch:
        assert registry.sweep(home / "dflint" / "postgres" / "servers") == 0
        processes.run("from dflint.postgres.scratch import Scratch\nwith Scratch(): pass", home)
        assert scratch._process is not None
        assert scratch._process.poll() is None
        assert scratch.data.exists()


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_an_interrupt_at_any_time_leaves_nothing(home: Path, delay: float) -> None:
    code = SERVE.format(change="print('begun', flush=True)", in_memory=True)
    with processes.started(code, home) as child:
        assert processes.line(child) == "begun"
        noted: list[str] = []
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline:
            noted += [entry.read_text() for entry in processes.entries(home)]
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.wait(20)
    assert processes.entries(home) == []
    for text in filter(None, noted):
        entry = json.loads(text)
        assert not any(Path(folder).exists() for folder in entry["folders"])
        assert entry["postmaster"] is None or not runs(entry["postmaster"])


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1])
def test_cancelling_waits_for_what_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def serve() -> None:
        async with start_server(in_memory=False):
            await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(serve())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not ours to stop."""
    code = "import signal, sys, time; signal.signal(signal.SIGQUIT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, "/some/data"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_only_the_very_process_is_stopped(stranger: subprocess.Popen[bytes]) -> None:
    started = system.start_time(stranger.pid)
    assert started is not None
    system.stop(stranger.pid, started, "/other/data")
    system.stop(stranger.pid, started, "/some/dat")
    system.stop(stranger.pid, str(int(started) + 1), "/some/data")
    assert stranger.poll() is None
    # The one that is meant goes, also if it does not listen.
    system.stop(stranger.pid, started, "/some/data", patience=0.2)
    assert stranger.wait(5) == -signal.SIGKILL


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert system.start_time(process.pid) is None
    system.stop(process.pid, None, "")


def test_sweeping_takes_only_our_own_folders(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "dflint-link").symlink_to(precious)
    (tmp_path / "dflint-ours").mkdir()
    servers = tmp_path / "servers"
    servers.mkdir()
    folders = [str(tmp_path / name) for name in ("precious", "dflint-link", "dflint-ours", "dflint-gone")]
    (servers / "1.json").write_text(json.dumps({"data": "", "folders": folders}))
    (servers / "2.json").write_text("")
    (servers / "3.json").write_text("not ours")
    assert registry.sweep(servers) == 2
    assert precious.exists()
    assert not (tmp_path / "dflint-ours").exists()
    assert [path.name for path in servers.glob("*.json")] == ["3.json"]


def test_a_server_that_is_killed_itself(home: Path) -> None:
    cache = home / "dflint" / "postgres"
    with Scratch(cache=cache) as scratch:
        assert scratch._process is not None
        scratch._process.kill()
        scratch._process.wait()
        folder = scratch.folder
    assert not folder.exists()
    assert list((cache / "servers").glob("*.json")) == []


def test_what_cannot_be_removed_is_remembered(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from dflint.postgres import registry
        home = Path({home!r})
        claim = registry.Claim(home / "servers")
        folder = claim.folder(home)
        (folder / "closed" / "full").mkdir(parents=True)
        (folder / "closed").chmod(0)
        claim.release()
        assert folder.exists()
        assert registry.sweep(home / "servers") == 0
        (folder / "closed").chmod(0o700)
        assert registry.sweep(home / "servers") == 1
        assert not folder.exists()
    """
    processes.run(code.format(home=str(tmp_path)), tmp_path, ordinary=True)
