"""Loading a schema: what a dump, or any SQL script for psql, makes in an empty database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from dflint.model.migration import Section, Span, Statement
from dflint.model.operations.base import Opaque
from dflint.model.operations.data import Copy
from dflint.model.operations.session import PsqlCommand
from dflint.postgres import connect
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText

_NO_ROLE = re.compile(r'role "(.+)" does not exist')
_UNDEFINED_OBJECT = "42704"
_COPY_END = re.compile(rb"^\\\.[ \t\r]*$", re.MULTILINE)
_DATABASE_WIDE = frozenset({"create_database", "alter_database", "drop_database"})

#: Statements that could not be run are listed up to this number.
_LISTED = 5


async def load_schema(dsn: str, path: str, content: bytes, parser: Parser) -> list[str]:
    """Run a script as psql does, statement by statement, and go on after errors.

    Roles that it names and nobody has made are made. psql commands are passed over.

    Args:
        dsn: of the database.
        path: of the script, for remarks.
        content: its text.

    Returns:
        Remarks: what could not be run, and why.

    Raises:
        SourceError: the text is no UTF-8, or holds a NUL byte.
    """
    text = SourceText(path, content)
    section = Section("up", Span(0, len(text.text)))
    statements = parser.parse(text.text, [section])[0]
    problems: list[str] = []
    async with await connect(dsn, autocommit=True) as connection:
        for statement in statements:
            start = text_start(text.text, statement)
            line, _ = text.position(start)
            if _is_passed_over(statement):
                included = [one for one in statement.operations if isinstance(one, Opaque)]
                problems += [f"{path}:{line}: {one.reason}" for one in included]
                continue
            problem = await _run(connection, text.text, start, statement)
            if problem is not None:
                problems.append(f"{path}:{line}: {problem}")
    return _listed(problems)


def _is_passed_over(statement: Statement) -> bool:
    for operation in statement.operations:
        if isinstance(operation, PsqlCommand) or (isinstance(operation, Opaque) and operation.node == "psql"):
            return True
        if operation.kind in _DATABASE_WIDE:
            return True
    return not statement.operations


async def _run(connection: AsyncConnection[Any], text: bytes, start: int, statement: Statement) -> str | None:
    """Run one statement; why it failed, None when it did not."""
    own = text[start : statement.end]
    made: set[str] = set()
    while True:
        try:
            if any(isinstance(one, Copy) and one.where == "stdin" for one in statement.operations):
                await _copy(connection, own, _copy_data(text, statement.end))
            else:
                await connection.execute(own)
            return None
        except psycopg.Error as error:
            message = error.diag.message_primary or str(error)
            missing = _NO_ROLE.fullmatch(message) if error.sqlstate == _UNDEFINED_OBJECT else None
            if missing is None or missing[1] in made:
                return message
            made.add(missing[1])
            await connection.execute(sql.SQL("create role {}").format(sql.Identifier(missing[1])))


async def _copy(connection: AsyncConnection[Any], statement: bytes, data: bytes) -> None:
    async with connection.cursor().copy(statement) as copy:
        await copy.write(data)


def _copy_data(text: bytes, end: int) -> bytes:
    r"""The lines between a COPY statement and the ``\.`` that ends them."""
    begin = text.find(b"\n", end) + 1
    last = _COPY_END.search(text, begin) if begin else None
    return text[begin : last.start()] if last else b""


def _listed(problems: Sequence[str]) -> list[str]:
    if len(problems) <= _LISTED:
        return list(problems)
    return [*problems[:_LISTED], f"… and {len(problems) - _LISTED} more of the schema's statements could not be run"]
