"""As whom PostgreSQL's programs run: never as root, and without a change to the machine."""

from __future__ import annotations

import os
import pwd
import sys

from msgspec import Struct

from dflint.postgres import unprivileged_exec


class Identity(Struct, frozen=True):
    """Who runs a program.

    Attributes:
        name: as `dflint.postgres.unprivileged_exec` reads it.
        owner: user and group that have to own the program's files; None where they stay the caller's.
    """

    name: str
    owner: tuple[int, int] | None = None

    def command(self, program: str, *arguments: str, libraries: str | None = None) -> list[str]:
        """The command line that runs a program; it ends with the calling thread.

        Args:
            program: its path.
            arguments: its arguments.
            libraries: a directory that its loader searches first.
        """
        script = [sys.executable, "-I", "-S", unprivileged_exec.__file__]
        return [*script, self.name, str(os.getpid()), libraries or "", program, *arguments]


def identities() -> tuple[Identity, ...]:
    """Who may run PostgreSQL for this process, the best first. Where the first is forbidden, the next is tried."""
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return (Identity("own"),)
    inside = _unprivileged_user()
    namespace = Identity(f"namespace:{inside[0]}")
    if user != 0:
        return namespace, Identity("own")
    return namespace, Identity(f"user:{inside[0]}:{inside[1]}", owner=inside)


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _unprivileged_user() -> tuple[int, int]:
    """User and group to be instead of root: nobody, or whoever has a name, which initdb asks for."""
    named = {entry.pw_name: (entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall() if entry.pw_uid != 0}
    return named.get("nobody") or next(iter(named.values()), (65534, 65534))
