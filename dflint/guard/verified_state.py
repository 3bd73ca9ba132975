"""Whether a database is what it was: its catalog, and the rows of the tables that somebody named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection, sql

from dflint.catalog.reader import read_catalog
from dflint.catalog.snapshot_file import dump
from dflint.plugin.validators import TableName

#: Lines of a snapshot that are about dflint's own schemas.
_OWN = re.compile(rb'"id":"[a-z_]+:(?:dflint|dflint_trash)["."]')


class State(Struct, frozen=True):
    """What there was at one moment.

    Attributes:
        objects: identity -> what the catalog says of it.
        rows: table -> how many rows, and a number over all their values; None where the table is not there.
        incomplete: what could not be read.
    """

    objects: dict[str, bytes]
    rows: dict[TableName, tuple[int, str] | None]
    incomplete: tuple[str, ...]

    @classmethod
    async def read(cls, connection: AsyncConnection[Any], tables: Sequence[TableName] = ()) -> State:
        """Read it.

        Args:
            connection: outside a transaction, in autocommit mode.
            tables: whose rows to take a checksum of.

        Raises:
            psycopg.Error: the connection is lost.
        """
        catalog = await read_catalog(connection)
        schema, _ = dump(catalog)
        # The header holds a hash and the time of nothing: objects only.
        lines = [line.rstrip(b",") for line in schema.split(b"\n")[1:-1] if line.startswith(b"{")]
        objects: dict[str, bytes] = {}
        for line in lines:
            if not _OWN.search(line):
                identity = msgspec.json.decode(line)["id"]
                objects[identity] = objects.get(identity, b"") + line
        rows = {table: await _rows(connection, table) for table in tables}
        return cls(objects, rows, tuple(str(reason) for reason in catalog.incomplete))

    def differences(self, other: State) -> tuple[str, ...]:
        """What ``other`` says differently, or cannot tell, in words."""
        found = [
            f"the catalog could not be read completely: {reason}" for reason in (*self.incomplete, *other.incomplete)
        ]
        found += [
            f"{identity} {_how(identity in self.objects, identity in other.objects)}"
            for identity in sorted(self.objects.keys() | other.objects.keys())
            if self.objects.get(identity) != other.objects.get(identity)
        ]
        found += [
            f"the rows of {schema}.{table} are not those from before"
            for (schema, table), was in self.rows.items()
            if other.rows.get((schema, table)) != was
        ]
        return tuple(found)


def _how(before: bool, now: bool) -> str:
    if before and now:
        return "is not as it was"
    return "is gone" if before else "is new"


async def _rows(connection: AsyncConnection[Any], table: TableName) -> tuple[int, str] | None:
    query = sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from {} t")
    found = await connection.execute("select to_regclass(%s)", (sql.Identifier(*table).as_string(connection),))
    row = await found.fetchone()
    if row is None or row[0] is None:
        return None
    counted = await (await connection.execute(query.format(sql.Identifier(*table)))).fetchone()
    assert counted is not None
    return counted[0], counted[1]
