"""Extensions and publications."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import UNREADABLE
from dflint.catalog.reader.deparse import Deparsed, Request
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.session import SQL, ReaderSession, Row, since
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import Extension, Publication

_EXTENSIONS: Final = SQL("SELECT extname, extnamespace, extversion FROM pg_catalog.pg_extension")
_PUBLICATIONS: Final = SQL(
    """
    SELECT oid, pubname, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, pubowner
    FROM pg_catalog.pg_publication
    """
)
_TABLES: Final = SQL(
    "SELECT oid, prpubid, prrelid, {columns}::pg_catalog.text, {filtered} FROM pg_catalog.pg_publication_rel"
)
_SCHEMAS: Final = SQL("SELECT pnpubid, pnnspid FROM pg_catalog.pg_publication_namespace")
FILTERS: Final = "row filters of publications"
FILTERS_QUERY: Final = SQL(
    """
    SELECT oid, pg_catalog.pg_get_expr(prqual, prrelid) FROM pg_catalog.pg_publication_rel
    WHERE oid = ANY (%s::pg_catalog.oid[])
    """
)
_OPERATIONS: Final = ("insert", "update", "delete", "truncate")


class PublicationRows:
    """What the server says of publications."""

    def __init__(self, rows: list[Row], tables: list[Row], schemas: list[Row]) -> None:
        self.rows = rows
        self.tables = tables
        self.schemas = schemas

    def requests(self) -> list[Request]:
        """The row filters, which are to be printed."""
        return [Request(row[0], (row[2],)) for row in self.tables if row[4]]


async def read_extensions(session: ReaderSession, names: Names) -> dict[str, Extension]:
    """The extensions that are installed."""
    rows = await session.fetch_or_note("extensions", _EXTENSIONS)
    return {name: Extension(name, names.schemas.get(schema), version) for name, schema, version in rows}


async def read_publications(session: ReaderSession) -> PublicationRows:
    """The publications."""
    rows = await session.fetch_or_note("publications", _PUBLICATIONS)
    if not rows:
        return PublicationRows([], [], [])
    version = session.version
    query = _TABLES.format(
        columns=since(version, 15, "prattrs", "NULL"), filtered=since(version, 15, "prqual IS NOT NULL", "false")
    )
    tables = await session.fetch_or_note("tables of publications", query)
    schemas = await session.fetch_or_note("schemas of publications", _SCHEMAS) if version >= 15 else []
    return PublicationRows(rows, tables, schemas)


def build_publications(
    rows: PublicationRows, names: Names, columns: dict[int, dict[int, str]], texts: Texts, deparsed: Deparsed
) -> dict[str, Publication]:
    """The publications by name."""
    return {row[1]: _publication(row, rows, names, columns, texts, deparsed) for row in rows.rows}


def _publication(
    row: Row,
    rows: PublicationRows,
    names: Names,
    columns: dict[int, dict[int, str]],
    texts: Texts,
    deparsed: Deparsed,
) -> Publication:
    oid, name, all_tables = row[:3]
    published = tuple([operation for operation, wanted in zip(_OPERATIONS, row[3:7], strict=True) if wanted])
    tables = [each for each in rows.tables if each[1] == oid and each[2] in names.relations]
    lists = []
    filters = []
    for membership, _publication, table, numbers, filtered in tables:
        if numbers is not None:
            of_table = columns.get(table, {})
            listed = tuple([of_table.get(int(number), "?") for number in numbers.split()])
            lists.append((names.relations[table], listed))
        if filtered:
            found = texts.expression(deparsed.text(FILTERS, membership))
            filters.append((names.relations[table], found if found is not None else UNREADABLE))
    return Publication(
        name,
        tuple(sorted([names.relations[each[2]] for each in tables])),
        tuple(sorted([names.schemas[schema] for publication, schema in rows.schemas if publication == oid])),
        all_tables,
        tuple(sorted(lists)),
        tuple(sorted(filters, key=lambda each: each[0])),
        None if len(published) == len(_OPERATIONS) else published,
        row[7],
    )
