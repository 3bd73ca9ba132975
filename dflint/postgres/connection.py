"""Sessions, and connection strings in messages. A password is never in either's errors."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dflint.model.errors import InputError, ServerError

#: The name under which dflint's sessions are seen by others.
APPLICATION_NAME = "dflint"

_CONNECT_TIMEOUT = 15


async def connect(dsn: str, *, autocommit: bool = False, **parameters: Any) -> psycopg.AsyncConnection:
    """Open a session.

    Args:
        dsn: a libpq connection string or URL.
        autocommit: each statement is its own transaction.
        parameters: more of libpq's parameters; they win over the string's.

    Raises:
        InputError: the string is malformed.
        ServerError: there is no answer, or no admittance.
    """
    given = parse(dsn)
    given = {"connect_timeout": _CONNECT_TIMEOUT, **given, **parameters, "application_name": APPLICATION_NAME}
    try:
        return await psycopg.AsyncConnection.connect(**given, autocommit=autocommit)
    except psycopg.Error as error:
        reason = _without_secrets(" ".join(str(error).split()), given)
    # Outside the handler: the original message may hold the password, and tracebacks print it.
    raise ServerError(f"no session with {printable(dsn)}: {reason}")


def parse(dsn: str) -> dict[str, Any]:
    """The parameters that a connection string holds.

    Raises:
        InputError: it is malformed. The message does not quote it.
    """
    if _is_ambiguous(dsn):
        raise InputError(
            "the connection URL has an @ in a place where it means something else",
            remedy="write @, :, /, ? and # in user names and passwords as %40, %3A, %2F, %3F and %23",
        )
    try:
        return dict(conninfo_to_dict(dsn))
    except psycopg.Error:
        pass
    raise InputError(
        "the connection string is malformed",
        remedy="write it as postgresql://user@host:5432/database or 'host=... dbname=...'",
    )


def _is_ambiguous(dsn: str) -> bool:
    """Whether a password that was not encoded would be taken for a host or a database, which messages name."""
    scheme, _, rest = dsn.partition("://")
    if scheme not in {"postgres", "postgresql"} or "@" not in rest:
        return False
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return rest.count("@") > 1 or "@" not in authority


def printable(dsn: str) -> str:
    """A connection string for messages: without what is secret in it."""
    try:
        given = parse(dsn)
    except InputError:
        return "(malformed connection string)"
    shown = {name: value for name, value in given.items() if name not in _secret_names() and value != ""}
    return make_conninfo(**shown)


@cache
def _secret_names() -> frozenset[str]:
    # libpq marks what is not to be shown, also in versions to come.
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults() if b"*" in option.dispchar)


def _without_secrets(message: str, given: dict[str, Any]) -> str:
    for name in _secret_names():
        if value := given.get(name):
            message = message.replace(str(value), "...")
    return message
