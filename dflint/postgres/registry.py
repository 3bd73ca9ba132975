"""What is on this machine because of a running dflint, so that the next run can clear up after a killed one.

One file for each server, locked by the process that started it as long as it lives: the kernel lets go of the lock
however the process ends. An entry whose lock is free is left over; the server it names is stopped and its folders are
removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from dflint.postgres import processes

_PREFIX = "dflint-"


class Entry(msgspec.Struct):
    """What belongs to one server.

    Attributes:
        data: its data directory.
        folders: folders to remove.
        postmaster: process id of the postmaster, None before it was started.
        started: its start time, see `dflint.postgres.processes.start_time`.
    """

    data: str = ""
    folders: list[str] = []
    postmaster: int | None = None
    started: str | None = None


class Claim:
    """One server's entry, held by this process."""

    def __init__(self, directory: Path) -> None:
        """Make an entry in a registry's directory. `release` it in the end."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._path = directory / f"{secrets.token_hex(8)}.json"
        self.entry = Entry()
        with _alone(directory):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def folder(self, root: Path) -> Path:
        """Make a folder that is removed with the entry. It is noted before it exists."""
        path = root / f"{_PREFIX}{secrets.token_hex(6)}"
        self.entry.folders.append(str(path))
        self._write()
        path.mkdir(mode=0o700)
        return path

    def note_data(self, data: Path) -> None:
        """Note the data directory, before a postmaster runs on it."""
        self.entry.data = str(data)
        self._write()

    def note_postmaster(self, pid: int) -> None:
        """Note the postmaster that was just started."""
        self.entry.postmaster = pid
        self.entry.started = processes.start_time(pid)
        self._write()

    def release(self) -> None:
        """Remove the folders and the entry. The postmaster has ended."""
        # What cannot be removed now is left to the next start, which finds it by the entry.
        if _remove(self.entry.folders):
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)

    def _write(self) -> None:
        # In place: the lock is on this very file.
        content = msgspec.json.encode(self.entry)
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


def sweep(directory: Path) -> int:
    """Clear up after processes that are no more; how many servers there were."""
    swept = 0
    if not directory.is_dir():
        return swept
    with _alone(directory):
        for path in directory.glob("*.json"):
            swept += _sweep_entry(path)
    return swept


def _sweep_entry(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read()
        # Killed before the first note: then there is nothing else to clear up.
        if not _clear(msgspec.json.decode(content, type=Entry) if content else Entry()):
            return False
        path.unlink()
    except (OSError, msgspec.MsgspecError):
        # Held by a living process, or not to be judged.
        return False
    finally:
        os.close(descriptor)
    return True


def _clear(entry: Entry) -> bool:
    if entry.data:
        pid = entry.postmaster or _noted_by_postgres(entry.data)
        if pid is not None:
            processes.stop(pid, entry.started, entry.data)
    return _remove(entry.folders)


def _noted_by_postgres(data: str) -> int | None:
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8", errors="replace") as stream:
            return int(stream.readline())
    except (OSError, ValueError):
        return None


def _remove(folders: Iterable[str]) -> bool:
    """Remove folders that are ours; whether none is left."""
    ours = [
        # The name says whose it is, and a link put in its place is not followed.
        folder
        for folder in folders
        if os.path.basename(folder).startswith(_PREFIX) and not os.path.islink(folder)
    ]
    for folder in ours:
        shutil.rmtree(folder, ignore_errors=True)
    return not any(os.path.exists(folder) for folder in ours)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
