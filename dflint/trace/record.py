"""Recording what a command does to a database, by the server's log."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection, sql

from dflint.model.errors import InputError, ServerError
from dflint.model.trace import TracedTransaction
from dflint.postgres import Server, connect
from dflint.postgres.connection import APPLICATION_NAME
from dflint.sql.parse import Parser
from dflint.trace.child import run_child
from dflint.trace.recover import recover
from dflint.trace.server_log import log_file, read_entries

#: How long sessions of a command that has ended may stay, and how long the log may lag behind, seconds.
_PATIENCE = 10.0
_POLL = 0.01


class Recording(Struct, frozen=True):
    """What a command did.

    Attributes:
        exit_status: the command's.
        transactions: in the order in which they began.
        left_open: how many sessions were still there when it had ended.
    """

    exit_status: int
    transactions: tuple[TracedTransaction, ...]
    left_open: int = 0


async def record(
    server: Server,
    database: str,
    command: Sequence[str],
    parser: Parser,
    *,
    extra: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Recording:
    """Run a command against a database and recover what it did.

    Args:
        server: a scratch server over TCP with `dflint.trace.server_log.logging_settings`.
        database: its name.
        command: program and arguments.
        parser: for the statements found.
        extra: more variables, as `environment` reads them.
        stdout: file descriptor for the command's output; None: that of this process.

    Raises:
        InputError: the command cannot be run, or an extra variable has an unknown place holder.
        ServerError: the server or its log is gone.
    """
    assert server.scratch is not None
    log = log_file(server.scratch.data)
    status = await run_child(command, environment(server, database, extra or {}), stdout=stdout)
    async with await connect(server.dsn(database), autocommit=True) as connection:
        left_open = await _until_alone(connection)
        await _until_logged(connection, log)
        await _stop_logging(connection)
    found = recover(read_entries(log), parser, leave_out=APPLICATION_NAME)
    return Recording(status, tuple(found), left_open)


def environment(server: Server, database: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a command finds the database, and no other.

    Args:
        extra: variables in whose values ``{url}``, ``{host}``, ``{port}``, ``{user}``, ``{password}`` and
            ``{database}`` stand for the database's.

    Raises:
        InputError: an unknown place holder.
    """
    to = server.tcp(database)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    places = {name: to[name] for name in ("host", "port", "user", "password")}
    places |= {"database": database, "url": server.url(database)}
    for name, value in extra.items():
        try:
            kept[name] = value.format_map(places)
        except (KeyError, ValueError, IndexError) as error:
            known = ", ".join(f"{{{place}}}" for place in sorted(places))
            raise InputError(f"{name}={value} has an unknown place holder", remedy=f"known: {known}") from error
    standard = {
        "DATABASE_URL": places["url"],
        "PGHOST": to["host"],
        "PGPORT": to["port"],
        "PGUSER": to["user"],
        "PGPASSWORD": to["password"],
        "PGDATABASE": database,
        "PGSSLMODE": "disable",
    }
    return {**kept, **{name: value for name, value in standard.items() if name not in extra}}


async def _until_alone(connection: AsyncConnection[Any]) -> int:
    """Wait until the command's sessions are gone; how many are not."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        cursor = await connection.execute(
            b"select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        row = await cursor.fetchone()
        others = int(row[0]) if row else 0
        if not others or asyncio.get_running_loop().time() > deadline:
            return others
        await asyncio.sleep(_POLL)


async def _until_logged(connection: AsyncConnection[Any], log: Path) -> None:
    """Wait until the log holds everything up to now: the collector writes it in order, but later."""
    mark = f"dflint-{secrets.token_hex(12)}"
    await connection.execute(sql.SQL("select {}").format(mark))
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    wanted = f"statement: select '{mark}'".encode()
    while True:
        if log.is_file() and wanted in await asyncio.to_thread(_end_of, log):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise ServerError("the server's log does not show what was sent to it")
        await asyncio.sleep(_POLL)


def _end_of(log: Path) -> bytes:
    with log.open("rb") as stream:
        stream.seek(max(log.stat().st_size - 65_536, 0))
        return stream.read()


async def _stop_logging(connection: AsyncConnection[Any]) -> None:
    """What dflint itself runs from here on need not be logged."""
    for name in ("log_statement", "log_duration", "log_parser_stats"):
        value = "none" if name == "log_statement" else "off"
        await connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))
    await connection.execute(b"select pg_reload_conf()")
