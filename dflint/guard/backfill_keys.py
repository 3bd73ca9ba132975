"""Cutting one UPDATE or DELETE into ranges of a unique key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composable, Composed, Identifier

from dflint.guard.errors import GuardRefused
from dflint.model import names
from dflint.model.operations.data import Delete, Update
from dflint.model.plan import Step
from dflint.planning.statements import operations_of
from dflint.sql.libpg_query import COMMENT_TOKENS, LibPgQuery, load_library

Connection = psycopg.AsyncConnection[Any]
Key = tuple[str, ...]

#: Settings under which a value's text means the same in every session that reads it.
_UNAMBIGUOUS = {"DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "extra_float_digits": "1", "bytea_output": "hex"}


class KeyColumn(Struct, frozen=True):
    """A column of the key, and its type in SQL spelling."""

    name: str
    type: str


class Target(Struct, frozen=True, kw_only=True):
    """The table of a backfill and the key along which it goes.

    Attributes:
        oid: of the table.
        schema, table: its name.
        columns: of the key, in the order of its index.
        rows: as the server estimates; None: it was never counted.
        bytes: of the table's main fork, partitions included.
        ambiguous: the text of a key's value depends on settings of the session.
    """

    oid: int
    schema: str
    table: str
    columns: tuple[KeyColumn, ...]
    rows: int | None
    bytes: int
    ambiguous: bool

    @property
    def name(self) -> Identifier:
        """The table, for a statement."""
        return Identifier(self.schema, self.table)


_TABLE = """
    SELECT c.oid::bigint, c.relkind::text,
           (SELECT sum(t.reltuples) FILTER (WHERE t.reltuples >= 0)::bigint FROM leaves l JOIN pg_catalog.pg_class t
                ON t.oid = l.oid),
           (SELECT bool_and(t.reltuples >= 0) FROM leaves l JOIN pg_catalog.pg_class t ON t.oid = l.oid),
           (SELECT coalesce(sum(pg_catalog.pg_relation_size(l.oid)), 0)::bigint FROM leaves l)
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %(schema)s AND c.relname = %(table)s
    """
_LEAVES = """
    WITH leaves AS (
        SELECT coalesce(p.relid, c.oid) AS oid
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) p ON c.relkind = 'p'
         WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND coalesce(p.isleaf, true))
    """

# Whole, not partial, not deferrable, of columns that are NOT NULL: each row has one key, and no two have the same.
_KEYS = """
    SELECT (SELECT array_agg(a.attname::text ORDER BY k.place)
              FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts) AS columns
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = x.relam
     WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
       AND i.indexprs IS NULL AND m.amname = 'btree'
       AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
     ORDER BY i.indisprimary DESC, i.indexrelid
    """

_COLUMNS = """
    SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory::text
      FROM unnest(%s::text[]) WITH ORDINALITY AS k (name, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = %s AND a.attname = k.name
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     ORDER BY k.place
    """

#: Types whose text is the same under all settings, besides strings and enums.
_PLAIN_TYPES = frozenset({"integer", "bigint", "smallint", "uuid", "text", "boolean", "oid", "name"})


async def find_target(connection: Connection, step: Step) -> Target:
    """The table and the key of a backfill, as they are in this database.

    Raises:
        GuardRefused: there is no such table, or the key is not unique and NOT NULL.
    """
    assert step.backfill is not None
    parts = names.Identity.parse(step.backfill.table).parts
    schema, table = parts
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute((_LEAVES + _TABLE).encode(), {"schema": schema, "table": table})
    row = await cursor.fetchone()
    if row is None or row[1] not in {"r", "p"}:
        raise GuardRefused(f"there is no table {schema}.{table}", next="make the plan anew with dflint plan --db")
    oid, _, rows, counted, size = row
    await cursor.execute(_KEYS.encode(), [oid])
    keys = [tuple(columns) for (columns,) in await cursor.fetchall() if columns]
    wanted = step.backfill.key
    found = next((key for key in keys if sorted(key) == sorted(wanted)), None)
    if found is None:
        raise GuardRefused(
            f"step {step.id}: ({', '.join(wanted)}) is no key of {schema}.{table}: a backfill has to know where it "
            "was, and needs a unique index on columns that are NOT NULL",
            next=_advice(keys),
        )
    await cursor.execute(_COLUMNS.encode(), [list(found), oid])
    columns = await cursor.fetchall()
    return Target(
        oid=oid,
        schema=schema,
        table=table,
        columns=tuple(KeyColumn(name, type_) for name, type_, _ in columns),
        rows=rows if counted else None,
        bytes=size,
        ambiguous=any(type_ not in _PLAIN_TYPES and category not in {"S", "E"} for _, type_, category in columns),
    )


def _advice(keys: Sequence[Key]) -> str:
    if keys:
        return "take one that it has: " + ", ".join(f"({', '.join(key)})" for key in keys)
    return (
        "make one: CREATE UNIQUE INDEX CONCURRENTLY on columns that are NOT NULL; or run the statement as one "
        "transaction"
    )


class Ranges:
    """The statements of a backfill."""

    def __init__(self, step: Step, target: Target) -> None:
        """Cut the step's statement.

        Raises:
            GuardRefused: batches of it would not do what the whole would.
        """
        self._target = target
        self._head, self._condition, self._alias = _cut(step, target)

    def highest(self) -> Composed:
        """The highest key of all; no row for an empty table."""
        return SQL("SELECT {} FROM {} ORDER BY {} LIMIT 1").format(
            self._texts(), self._table(), self._order(descending=True)
        )

    def end_of_batch(self, after: Key | None, high: Key, size: int) -> tuple[Composed, list[str]]:
        """The key of the last of so many rows; no row where fewer are left."""
        where, parameters = self._between(after, high, alias=None)
        statement = SQL("SELECT {} FROM {} WHERE {} ORDER BY {} OFFSET {} LIMIT 1").format(
            self._texts(), self._table(), where, self._order(descending=False), SQL(str(size - 1))
        )
        return statement, parameters

    def change(self, after: Key | None, end: Key) -> tuple[Composed, list[str]]:
        """The step's statement for the rows after one key, up to another."""
        where, parameters = self._between(after, end, alias=self._alias)
        # The text is the step's own, in which a per cent sign is nothing but one.
        statement = SQL("{} WHERE {}{}").format(_verbatim(self._head), where, _verbatim(self._condition))
        return statement, parameters

    def _between(self, after: Key | None, end: Key, alias: str | None) -> tuple[Composed, list[str]]:
        columns = self._row([_name(*((alias, column.name) if alias else (column.name,))) for column in self._columns])
        values = self._row([SQL("%s::{}").format(SQL(column.type)) for column in self._columns])
        upper = SQL("{} <= {}").format(columns, values)
        if after is None:
            return upper, list(end)
        return SQL("{} > {} AND {}").format(columns, values, upper), [*after, *end]

    @property
    def _columns(self) -> tuple[KeyColumn, ...]:
        return self._target.columns

    @staticmethod
    def _row(parts: Sequence[Composable]) -> Composed:
        # A row of one is compared like its member, but not by an index.
        listed = SQL(", ").join(parts)
        return SQL("({})").format(listed) if len(parts) > 1 else Composed([listed])

    def _table(self) -> SQL:
        return _name(self._target.schema, self._target.table)

    def _texts(self) -> Composed:
        return SQL(", ").join(SQL("{}::text").format(_name(column.name)) for column in self._columns)

    def _order(self, *, descending: bool) -> Composed:
        direction = SQL(" DESC") if descending else SQL("")
        return SQL(", ").join(_name(self._target.table, column.name) + direction for column in self._columns)


async def fetch_key(
    connection: Connection, target: Target, statement: Composed, parameters: Sequence[str]
) -> Key | None:
    """The key that a statement of `Ranges` finds, as texts that mean the same in every session."""
    cursor = connection.cursor(row_factory=tuple_row)
    if not target.ambiguous:
        row = await (await cursor.execute(statement, parameters, prepare=False)).fetchone()
        return None if row is None else tuple(row)
    # In a transaction of its own or a savepoint: the statement is to see the settings as they were.
    async with connection.transaction():
        names_, values = list(_UNAMBIGUOUS), list(_UNAMBIGUOUS.values())
        await cursor.execute(
            b"SELECT pg_catalog.current_setting(n) FROM unnest(%s::text[]) WITH ORDINALITY AS s (n, i) ORDER BY i",
            [names_],
        )
        before = [value for (value,) in await cursor.fetchall()]
        await _set(cursor, names_, values)
        row = await (await cursor.execute(statement, parameters, prepare=False)).fetchone()
        await _set(cursor, names_, before)
    return None if row is None else tuple(row)


async def _set(cursor: psycopg.AsyncCursor[Any], settings: Sequence[str], values: Sequence[str]) -> None:
    await cursor.execute(
        b"SELECT pg_catalog.set_config(n, v, true) FROM unnest(%s::text[], %s::text[]) AS s (n, v)", [settings, values]
    )


def _name(*parts: str) -> SQL:
    """A name, in a statement that has parameters."""
    return _verbatim(Identifier(*parts).as_bytes(None))


def _verbatim(text: bytes) -> SQL:
    # A part of a template is no template itself: braces stay what they are.
    return SQL(text.decode().replace("%", "%%"))


@cache
def _library() -> LibPgQuery:
    return load_library()


def _cut(step: Step, target: Target) -> tuple[bytes, bytes, str]:
    """The statement up to its WHERE; its condition as ``AND (…)``; the name by which it calls the table.

    Raises:
        GuardRefused: it is no UPDATE or DELETE of that table that can be cut.
    """
    text = step.sql.encode()
    operations = operations_of(step.sql)
    change = operations[0] if len(operations) == 1 else None
    if not isinstance(change, Update | Delete):
        raise _refused(step, "it is not one UPDATE or DELETE", "make it one, or a step of another kind")
    if change.target.name != target.table or (change.target.schema or target.schema) != target.schema:
        raise _refused(step, f"it changes {change.target}, not {target.schema}.{target.table}", "correct the plan")
    if change.current_of:
        raise _refused(step, "WHERE CURRENT OF belongs to a cursor", "write a condition")
    moved = sorted({column.name for column in target.columns} & set(getattr(change, "assigned", ())))
    if moved:
        raise _refused(
            step,
            f"it changes {', '.join(moved)} of the key along which it goes: rows would be met twice",
            "take another key, or run it as one transaction",
        )
    words = _words(text)
    if any(word in {b"with", b"returning"} for _, _, word in words):
        raise _refused(
            step,
            "WITH and RETURNING would be worked out anew for every batch",
            "write it without, or run it as one transaction",
        )
    end = max(stop for _, stop, word in words if word != b";")
    where = next(((start, stop) for start, stop, word in words if word == b"where"), None)
    alias = change.alias or target.table
    if where is None:
        return text[:end], b"", alias
    # A comment may end the condition: the bracket goes on a line of its own.
    return text[: where[0]], b" AND (" + text[where[1] : end] + b"\n)", alias


def _words(text: bytes) -> list[tuple[int, int, bytes]]:
    """The tokens that are in no bracket, brackets included, in lower case: an identifier in quotes keeps them."""
    found = []
    depth = 0
    for token in _library().scan(text):
        if token.code in COMMENT_TOKENS:
            continue
        word = text[token.start : token.end].lower()
        depth -= word in {b")", b"]"}
        if depth == 0:
            found.append((token.start, token.end, word))
        depth += word in {b"(", b"["}
    return found


def _refused(step: Step, reason: str, remedy: str) -> GuardRefused:
    return GuardRefused(f"step {step.id} cannot be cut into batches: {reason}", next=remedy)
