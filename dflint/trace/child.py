"""A command of the user's, run as a child in a process group of its own, so that nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dflint.model.errors import InputError
from dflint.trace import guarded_exec

#: How long a command that was told to stop may take, seconds.
_PATIENCE = 5.0


async def run_child(command: Sequence[str], environment: Mapping[str, str], *, stdout: int | None = None) -> int:
    """Run a command to its end.

    It gets no standard input. When this coroutine is cancelled, or when this process dies, the command is ended, and
    with it what it started.

    Args:
        command: program and arguments.
        environment: complete.
        stdout: file descriptor for its output; None: that of this process.

    Returns:
        Its exit status; 128 and the signal's number when a signal ended it.

    Raises:
        InputError: there is no such program.
    """
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise InputError(f"{command[0]!r} cannot be run: there is no such program")
    guard = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", guarded_exec.__file__, str(os.getpid())),
        *(program, *command[1:]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        env=dict(environment),
        process_group=0,
    )
    try:
        return await guard.wait()
    finally:
        await _end(guard)


async def _end(guard: asyncio.subprocess.Process) -> None:
    """End what is left of the command's process group."""
    _signal(guard.pid, signal.SIGTERM)
    if guard.returncode is None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(guard.wait()), _PATIENCE)
    _signal(guard.pid, signal.SIGKILL)
    if guard.returncode is None:
        await guard.wait()


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
