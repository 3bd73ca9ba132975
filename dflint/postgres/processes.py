"""Which process is which: a process id is reused, a process id with its start time is not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

#: Linux; elsewhere `ps` is asked.
_PROC = os.path.exists("/proc/self/stat")


def start_time(pid: int) -> str | None:
    """When a process started, in a unit that only serves comparing; None when there is no such process."""
    if _PROC:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            return None
        # The second field, the name, may hold blanks and parentheses. A zombie has ended.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    return _ps(pid, "lstart=")


def has_argument(pid: int, argument: str) -> bool:
    """Whether a process was started with that very argument."""
    if _PROC:
        try:
            return os.fsencode(argument) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
    return argument in (_ps(pid, "command=") or "").split(" ")


def stop(pid: int, started: str | None, argument: str, *, patience: float = 5.0) -> None:
    """Stop PostgreSQL at once, if the process is the one that is meant; with SIGKILL when it does not follow.

    Args:
        pid: its process id.
        started: its start time; None when it was not noted.
        argument: what it must have been started with.
        patience: how long it may take, seconds.
    """
    try:
        # The descriptor stays with this process even if the id is given to another one in the meantime.
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:
        return
    try:
        now = start_time(pid)
        if now is None or (started is not None and now != started) or not has_argument(pid, argument):
            return
        for number in (signal.SIGQUIT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                if descriptor is None:
                    os.kill(pid, number)
                else:
                    signal.pidfd_send_signal(descriptor, number)
            if _ended(pid, now, descriptor, patience):
                return
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _ended(pid: int, started: str, descriptor: int | None, patience: float) -> bool:
    if descriptor is not None:
        return bool(select.select([descriptor], [], [], patience)[0])
    deadline = time.monotonic() + patience
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _ps(pid: int, column: str) -> str | None:
    done = subprocess.run(["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
