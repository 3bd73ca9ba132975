"""A database that the user gave to try migrations on."""

from __future__ import annotations

from dflint.model.errors import InputError
from dflint.postgres import connect, printable

_CONTENT = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast' limit 1
"""


async def refuse_unless_empty(dsn: str) -> None:
    """See that a database holds nothing.

    Raises:
        InputError: it holds a relation.
    """
    async with await connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(_CONTENT.encode())
        row = await cursor.fetchone()
    if row is not None:
        raise InputError(
            f"{printable(dsn)} is not empty ({row[0]}), and trace runs the migrations there",
            remedy="leave --db out to use a scratch server, or say --expendable when what is in it may be lost",
        )
