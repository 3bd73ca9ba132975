"""What a provider of PostgreSQL servers is: it says where installations may be found."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct


class Installation(Struct, frozen=True):
    """A place where PostgreSQL's programs may be. Whether they run is tried before they are used.

    Attributes:
        origin: where the place was found, for messages: ``DFLINT_PG_BINDIR``, a package's name.
        bindir: absolute path of the directory that holds ``postgres`` and ``initdb``.
        libraries: a directory that the loader has to search first; None where the programs find their own.
    """

    origin: str
    bindir: str
    libraries: str | None = None


#: Gives installations in the order they are to be tried. It only looks: nothing is started or downloaded.
Provider = Callable[[], Iterable[Installation]]
