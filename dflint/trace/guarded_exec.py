"""Run a program and end everything it started when the process that asked for it is gone. A script of stdlib alone.

    python -I -S guarded_exec.py PARENT PROGRAM ARGUMENT...

It has to lead a process group, in which the program and what that starts are, too. PARENT is the process that must
live on. The exit status is the program's; 128 and the signal's number when a signal ended it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def _end_all(_number: int, _frame: object) -> None:
    os.killpg(0, signal.SIGKILL)


def _wait_on(_number: int, _frame: object) -> None:
    """The program hears it as well and ends; so does this process then."""


def main() -> int:
    """Run what the arguments name and return its exit status."""
    parent, *command = sys.argv[1:]
    signal.signal(signal.SIGUSR1, _end_all)
    # Handlers, and not SIG_IGN, which the program would inherit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _wait_on)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
        if os.getppid() != int(parent):
            return 1
    try:
        program = subprocess.Popen(command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 126
    status = program.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
