"""Which database is meant."""

from __future__ import annotations

import os

from dflint.app.config import Config
from dflint.model.errors import InputError, nearest

VARIABLE = "DFLINT_DB"


def database(given: str | None, config: Config | None = None) -> str:
    """The connection string of the database that ``--db`` names.

    Passwords need not be in it: PGPASSWORD, a password file and service files work as with psql.

    Args:
        given: a connection string or URL, or a name from ``[databases]`` of the configuration; None: DFLINT_DB says.
        config: the configuration; None: there is none.

    Raises:
        InputError: none was named, or the name is unknown.
    """
    found = given or os.environ.get(VARIABLE)
    if not found:
        raise InputError("no database was named", remedy=f"give --db DSN, or set {VARIABLE}")
    names = {} if config is None else config.databases
    if found in names:
        return names[found]
    if "=" in found or "://" in found:
        return found
    known = f"the configuration names {', '.join(sorted(names))}" if names else "the configuration names none"
    raise InputError(
        f"there is no database {found!r}: {known}",
        remedy=nearest(found, names) or "write a connection string as 'host=... dbname=...' or postgresql://...",
    )
