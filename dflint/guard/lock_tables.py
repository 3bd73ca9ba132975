"""Which tables a lock is for, whatever way their names are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.model.errors import InputError
from dflint.model.names import Identity

_RESOLVE = b"""
SELECT coalesce(n.nspname, CASE WHEN cardinality(parts) > 1 THEN parts[cardinality(parts) - 1]
                                ELSE current_schema() END),
       coalesce(c.relname, parts[cardinality(parts)]::name)
  FROM unnest(%s::text[]) WITH ORDINALITY AS given (name, number), LATERAL parse_ident(given.name) AS parts
       LEFT JOIN LATERAL to_regclass(given.name) AS relation ON true
       LEFT JOIN pg_catalog.pg_class c ON c.oid = relation
       LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY number"""


async def resolve(connection: AsyncConnection, names: Sequence[str]) -> tuple[str, ...]:
    """The printed identities of tables, for names as SQL has them, or printed identities; sorted, each once.

    The server resolves them: by the search path, by its rules for upper and lower case. A table that is not there yet
    is where it would be created.

    Raises:
        InputError: one of them is no name of a table.
    """
    printed = [name for name in names if name.startswith("table:")]
    written = [name for name in names if not name.startswith("table:")]
    found = {str(Identity.parse(name)) for name in printed}
    if written:
        cursor = connection.cursor(row_factory=tuple_row)
        try:
            await cursor.execute(_RESOLVE, (written,))
        except psycopg.Error as error:
            raise InputError(f"not names of tables: {', '.join(map(repr, written))}: {error}") from error
        found |= {str(Identity("table", (schema, name))) for schema, name in await cursor.fetchall()}
    return tuple(sorted(found))


def named(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The tables that a lock's metadata names: ``table``, ``tables``.

    Raises:
        InputError: they are not strings.
    """
    several = metadata.get("tables", ())
    one = metadata.get("table")
    names = ([several] if isinstance(several, str) else list(several)) + ([] if one is None else [one])
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not the name of a table", remedy='write "table": "public.users"')
    return tuple(names)
