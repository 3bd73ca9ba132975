"""What statements are assessed against: the catalog, sizes that it does not know, and how the database is used."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from dflint.analysis.risk.sizes import unsized, with_rows, with_sizes
from dflint.app.effects import predict
from dflint.app.impact import requested
from dflint.app.request import NEWEST_VERSION
from dflint.app.snapshot_files import open_snapshot
from dflint.catalog.activity import read_activity, read_sizes
from dflint.catalog.reader import read_catalog
from dflint.model.catalog import Catalog, Table
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.risk import Activity
from dflint.planning.statements import operations_of
from dflint.postgres.source import ConnectionSource


class Surroundings(Struct, eq=False):
    """What statements are assessed against.

    Attributes:
        catalog: what exists.
        activity: how it is used; None where that is not known.
        search_path: for names without a schema.
    """

    catalog: Catalog
    activity: Activity | None = None
    search_path: tuple[str, ...] = ("public",)

    @property
    def version(self) -> int:
        """Major version of the server."""
        return self.catalog.version or NEWEST_VERSION

    def supposing(self, sql: str, rows: int | None) -> Surroundings:
        """The same, with so many rows in each table that the statements are about; None: as they are."""
        if rows is None:
            return self
        catalog = self.catalog
        for operation in operations_of(sql):
            name = None if operation.target is None else catalog.resolve(operation.target, self.search_path)
            if name is not None and isinstance(catalog.relation(name), Table):
                catalog = with_rows(catalog, name, rows)
        return Surroundings(catalog, self.activity, self.search_path)


async def surroundings_of(
    db: ConnectionSource | str | None, sql: str, *, snapshot: str | None = None, rows: Mapping[str, int] | None = None
) -> Surroundings:
    """What statements are assessed against, read from a database or a snapshot.

    Args:
        db: the database; None: the snapshot has it.
        sql: the statements; sizes of what they lock are looked up where the catalog does not know them.
        snapshot: path of a snapshot.
        rows: suppose so many rows in tables, by names in SQL spelling.

    Raises:
        InputError: neither is given; a statement cannot be read; a supposed table does not exist.
        ServerError: the database cannot be read.
    """
    if db is None:
        if snapshot is None:
            raise InputError("no database was named", remedy="give --db DSN or --catalog FILE, or set DFLINT_DB")
        found = Surroundings(open_snapshot(snapshot).load())
    else:
        found = await _live(ConnectionSource.coerce(db), sql)
    for table, number in (rows or {}).items():
        name = found.catalog.resolve(table_name(table), found.search_path)
        found.catalog = with_rows(found.catalog, name, number)
    return found


async def _live(source: ConnectionSource, sql: str) -> Surroundings:
    connection = await source.connect()
    try:
        row = await (await connection.execute(b"SELECT current_schemas(false)::text[]")).fetchone()
        path = tuple(row[0]) if row is not None else ("public",)
        catalog = await read_catalog(connection)
        locked = (
            Name(*Identity.parse(identity).parts)
            for effects in predict(sql, catalog, version=catalog.version or NEWEST_VERSION)
            for identity in (*effects.locks, *effects.scans)
        )
        sizes = await read_sizes(connection, unsized(catalog, locked))
        return Surroundings(with_sizes(catalog, sizes), await read_activity(connection), path)
    finally:
        await connection.close()


def table_name(given: str) -> Name:
    """The name of a table in SQL spelling.

    Raises:
        InputError: it is no name.
    """
    operation = requested("drop-table", (given,))
    assert operation.target is not None
    return operation.target
