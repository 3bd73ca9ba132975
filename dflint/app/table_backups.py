"""Giving a table the rows of its full backup back."""

from __future__ import annotations

from typing import Any, Final

from dflint.model.errors import InputError
from dflint.postgres.source import ConnectionSource


async def restore_backup(source: ConnectionSource, backup: str, table: str, *, remove_later: bool = False) -> int:
    """Give a table the rows of its full backup back, in one transaction.

    Rows with the key of a saved one get its values; missing ones are inserted. The table's own triggers do not fire;
    its foreign keys and checks hold.

    Args:
        source: the database.
        backup: the copy, as `RenamePlan.backup_table` names it.
        table: the table, by its name of now.
        remove_later: delete the rows that were not there at the time of the backup.

    Returns:
        How many rows were written or deleted.

    Raises:
        InputError: the table has no primary key, or not the columns of the backup.
        ServerError: there is no connection.
    """
    connection = await source.connect(autocommit=False)
    try:
        columns, keys, triggers = await _shape(connection, backup, table)
        own, copy = await _regclass(connection, table), await _regclass(connection, backup)
        listed, keyed = ", ".join(columns), ", ".join(keys)
        others = [each for each in columns if each not in keys]
        sets = ", ".join(f"{each} = excluded.{each}" for each in others)
        action = f"UPDATE SET {sets}" if sets else "NOTHING"
        both = " AND ".join(f"kept.{key} = own.{key}" for key in keys)
        statements = [f"LOCK TABLE {own} IN SHARE ROW EXCLUSIVE MODE"]
        statements += [f"ALTER TABLE {own} DISABLE TRIGGER {each}" for each in triggers]
        if remove_later:
            statements.append(f"DELETE FROM {own} own WHERE NOT EXISTS (SELECT FROM {copy} kept WHERE {both})")  # noqa: S608
        rows = f"SELECT {listed} FROM {copy} ON CONFLICT ({keyed}) DO {action}"  # noqa: S608  # all names are quoted
        statements.append(f"INSERT INTO {own} ({listed}) OVERRIDING SYSTEM VALUE {rows}")
        statements += [f"ALTER TABLE {own} ENABLE TRIGGER {each}" for each in triggers]
        written = 0
        for statement in statements:
            cursor = await connection.execute(statement.encode())
            written += max(cursor.rowcount, 0)
        await connection.commit()
        return written
    finally:
        await connection.close()


_COLUMNS: Final = b"""
SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
       (SELECT array_agg(quote_ident(k.attname) ORDER BY k.attnum) FROM pg_attribute k JOIN pg_index i
          ON i.indrelid = k.attrelid AND k.attnum = ANY (i.indkey) WHERE i.indrelid = %(table)s::regclass
         AND i.indisprimary),
       (SELECT array_agg(quote_ident(t.tgname)) FROM pg_trigger t WHERE t.tgrelid = %(table)s::regclass
         AND NOT t.tgisinternal AND t.tgenabled = 'O'),
       array_agg(a.attname::text ORDER BY a.attname) = (SELECT array_agg(b.attname::text ORDER BY b.attname)
         FROM pg_attribute b WHERE b.attrelid = %(backup)s::regclass AND b.attnum > 0 AND NOT b.attisdropped)
FROM pg_attribute a WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""


async def _shape(connection: Any, backup: str, table: str) -> tuple[list[str], list[str], list[str]]:
    """The columns to be written, those of the primary key, and the triggers that would fire."""
    for name in (backup, table):
        await _regclass(connection, name)
    columns, keys, triggers, same = await (
        await connection.execute(_COLUMNS, {"table": table, "backup": backup})
    ).fetchone()
    if not keys:
        raise InputError(f"{table} has no primary key", remedy=f"copy the rows that you need from {backup} by hand")
    if not same:
        raise InputError(f"{table} has other columns than {backup}", remedy="copy the rows that you need by hand")
    return columns, keys, triggers or []


async def _regclass(connection: Any, name: str) -> str:
    """The name as the server prints it, with its schema."""
    query = (
        b"SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c "
        b"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)"
    )
    row = await (await connection.execute(query, (name,))).fetchone()
    if row is None:
        raise InputError(f"there is no table {name}", remedy="write its name as in SQL, with its schema")
    return str(row[0])
