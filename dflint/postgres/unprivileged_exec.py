"""Become a process that PostgreSQL accepts to run in, then the given program. Run as a script, of stdlib alone.

    python -I -S unprivileged_exec.py IDENTITY PARENT LIBRARIES PROGRAM ARGUMENT...

PostgreSQL's programs refuse to run as root, and initdb as a user without a name. IDENTITY is ``own`` (stay who we are),
``namespace:UID`` (in a user namespace of our own, where we are called UID: files stay ours and nothing else changes)
or ``user:UID:GID`` (really become that user, for root where namespaces are forbidden). PARENT is the process that this
one must not outlive. LIBRARIES is a directory that the program's loader searches first, or empty: it is not set any
earlier, because the program's libraries are not for Python.
"""

from __future__ import annotations

import ctypes
import os
import sys

#: Exit statuses with which this script says that it did not get as far as the program.
NO_IDENTITY = 71
NOT_EXECUTABLE = 126

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
# PostgreSQL's immediate shutdown. A number, because importing signal takes a third of the time to start.
_SIGQUIT = 3


def assume(identity: str) -> None:
    """Take on the identity.

    Raises:
        OSError: it is forbidden here.
    """
    kind, *numbers = identity.split(":")
    if kind == "namespace":
        _enter_namespace(int(numbers[0]))
    elif kind == "user":
        user, group = int(numbers[0]), int(numbers[1])
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)


def _enter_namespace(inside: int) -> None:
    user, group = os.geteuid(), os.getegid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {user} 1"),
        ("gid_map", f"{inside} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(content)


def end_with(parent: int) -> None:
    """Have the kernel stop this process at once when its parent ends, where it can."""
    if sys.platform == "linux":
        # After the identity: changing it clears the setting.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGQUIT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def main() -> None:
    """Do what the module says; it does not return."""
    identity, parent, libraries, program, *arguments = sys.argv[1:]
    os.umask(0o077)
    try:
        assume(identity)
    except OSError as error:
        _give_up(NO_IDENTITY, f"identity {identity}: {error}")
    end_with(int(parent))
    if libraries:
        others = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = f"{libraries}:{others}" if others else libraries
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - this is what it is for
    except OSError as error:
        _give_up(NOT_EXECUTABLE, f"{program}: {error.strerror}")


def _give_up(status: int, message: str) -> None:
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
