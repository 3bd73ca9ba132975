"""A command of the user's, run as a child in a process group of its own, so that nothing of it stays."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dflint.model.errors import InputError

#: How long a command that was told to stop may take, seconds.
_PATIENCE = 5.0
_PR_SET_PDEATHSIG = 1


async def run_child(command: Sequence[str], environment: Mapping[str, str], *, stdout: int | None = None) -> int:
    """Run a command to its end.

    It gets no standard input. When this coroutine is cancelled, or when this process dies, the command is stopped,
    and with it what it started.

    Args:
        command: program and arguments.
        environment: complete.
        stdout: file descriptor for its output; None: that of this process.

    Returns:
        Its exit status; 128 and the signal's number when a signal ended it.

    Raises:
        InputError: there is no such program, or it cannot be run.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            env=dict(environment),
            process_group=0,
            preexec_fn=_end_with_parent(os.getpid()) if sys.platform == "linux" else None,
        )
    except OSError as error:
        raise InputError(f"{command[0]!r} cannot be run: {error.strerror}") from error
    try:
        status = await child.wait()
    finally:
        await _stop(child)
    return status if status >= 0 else 128 - status


async def _stop(child: asyncio.subprocess.Process) -> None:
    """End what is left of the command's process group."""
    _signal(child.pid, signal.SIGTERM)
    if child.returncode is None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(child.wait()), _PATIENCE)
    _signal(child.pid, signal.SIGKILL)
    if child.returncode is None:
        await child.wait()


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_with_parent(parent: int) -> Callable[[], None]:
    library = ctypes.CDLL(None)

    def set_up() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)

    return set_up
