"""Reading one table with all that matters to its foreign keys, and nothing else.

Two values are read: a catalog in which everything that has to do with the table is whole, and the net of the foreign
keys by which its rows reach those of other tables, however far.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from dflint.catalog.reader.building import CatalogBuilder
from dflint.catalog.reader.constraints import ACTIONS, MATCHES
from dflint.catalog.reader.fetching import read_rows
from dflint.catalog.reader.relations import TABLE_KINDS
from dflint.catalog.reader.scope import around
from dflint.catalog.reader.session import SQL, ReaderSession, Row, oid_array, reader_session, since
from dflint.catalog.reader.texts import Texts, parser_library
from dflint.model.catalog import Catalog
from dflint.model.foreign_keys import ForeignKey, ForeignKeyNet
from dflint.model.garbage import no_garbage_collection
from dflint.model.names import Name

_ATTEMPTS: Final = 3
_LOCK_MS: Final = 200

_SNAPSHOT: Final = SQL("SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text")
_FOUND: Final = """
    SELECT c.oid::pg_catalog.int8, c.relkind::pg_catalog.text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %(name)s AND n.nspname = ANY (%(schemas)s) AND c.relpersistence <> 't'
    ORDER BY pg_catalog.array_position(%(schemas)s::pg_catalog.text[], n.nspname::pg_catalog.text) LIMIT 1
"""
#: The tables from which foreign keys lead to a table, with their partitions and children and what they are one of.
_REACH: Final = SQL(
    """
    WITH RECURSIVE links (here, further) AS MATERIALIZED (
        SELECT confrelid, conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
        UNION ALL SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits
        UNION ALL SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
                  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE c.relispartition
    ), reach (oid) AS (
        SELECT %(table)s::pg_catalog.oid
        UNION SELECT l.further FROM reach r JOIN links l ON l.here = r.oid
    )
    SELECT oid FROM reach
    """
)
_KEYS: Final = SQL(
    """
    SELECT k.oid, k.conname, k.conrelid, k.confrelid, k.conkey, k.confkey, k.confdeltype, k.confupdtype,
           k.confmatchtype, k.convalidated, k.condeferrable, k.condeferred, {set_columns}, {enforced}
    FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = ANY (%(tables)s::pg_catalog.oid[]) AND k.contype = 'f' AND k.conparentid = 0
    """
)
_RELATIONS: Final = SQL(
    """
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples::pg_catalog.int8, c.relpages, i.inhparent,
           c.relispartition
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.oid = ANY (%(tables)s::pg_catalog.oid[])
    """
)
_COLUMNS: Final = SQL(
    """
    SELECT attrelid, attnum, attname, attgenerated <> '' FROM pg_catalog.pg_attribute
    WHERE attrelid = ANY (%(tables)s::pg_catalog.oid[]) AND attnum > 0 AND NOT attisdropped
    """
)
#: What generated columns are computed from: before PostgreSQL 15 the column itself needs it, since then its expression.
_GENERATED: Final = SQL(
    """
    SELECT d.adrelid, d.adnum, p.refobjsubid FROM pg_catalog.pg_attrdef d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
    JOIN pg_catalog.pg_depend p ON p.refclassid = 1259 AND p.refobjid = d.adrelid AND p.refobjsubid <> d.adnum
     AND ((p.classid = 2604 AND p.objid = d.oid) OR (p.classid = 1259 AND p.objid = d.adrelid AND p.objsubid = d.adnum))
    WHERE d.adrelid = ANY (%(tables)s::pg_catalog.oid[])
    """
)
_DEFINITIONS: Final = SQL(
    "SELECT oid, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
    " WHERE oid = ANY (%(keys)s::pg_catalog.oid[])"
)


class Surroundings(Struct, frozen=True):
    """One table and what has to do with it.

    Attributes:
        catalog: all that matters to the table; nothing is known of the rest.
        net: the foreign keys that lead to the table, directly or through others, and its own.
        definitions: its own keys and those that refer to it, by printed identity, as the server prints them.
    """

    catalog: Catalog
    net: ForeignKeyNet
    definitions: dict[str, str]


async def find_table(connection: psycopg.AsyncConnection[Any], name: Name, path: tuple[str, ...]) -> int | None:
    """The OID of the table that a name means; None: there is none.

    Args:
        connection: to read with.
        name: with or without its schema.
        path: schemas where it may be, in order, if it has none.

    Raises:
        psycopg.Error: the server gives no answer.
    """
    schemas = list(path) if name.schema is None else [name.schema]
    row = await (await connection.execute(_FOUND, {"name": name.name, "schemas": schemas})).fetchone()
    return row[0] if row is not None and row[1] in TABLE_KINDS else None


async def read_surroundings(
    connection: psycopg.AsyncConnection[Any], table: int, words: Collection[str] = (), *, timeout_ms: int = 30_000
) -> Surroundings:
    """What has to do with one table.

    Something was committed meanwhile: it is read again, until two readings agree.

    Args:
        connection: outside a transaction; it is given back as it was.
        table: its OID.
        words: names that are to change, such as a column's.
        timeout_ms: for each query.

    Raises:
        InputError: the connection is in a transaction, or the server is older than 13.
        psycopg.Error: the server refuses, or the connection is lost.
    """
    texts = Texts(parser_library())
    async with reader_session(connection, timeout_ms=timeout_ms, lock_ms=_LOCK_MS) as session:
        with no_garbage_collection(keeping=True):
            before = await session.fetch(_SNAPSHOT)
            found = await _read(session, texts, table, words)
            if await session.fetch(_SNAPSHOT) == before:
                return found
            for _attempt in range(_ATTEMPTS):
                session.incomplete.clear()
                again = await _read(session, texts, table, words)
                if again == found:
                    return again
                found = again
        changing = (*found.catalog.incomplete, "the schema changed while it was read")
        return replace(found, catalog=replace(found.catalog, incomplete=changing))


async def _read(session: ReaderSession, texts: Texts, table: int, words: Collection[str]) -> Surroundings:
    rows = await read_rows(session, texts, None, await around(session, table, words))
    catalog = CatalogBuilder(session, texts, rows).build()
    reader = _NetReader(session, table)
    await reader.read()
    return Surroundings(
        replace(catalog, incomplete=tuple(session.incomplete)), reader.net(), await reader.definitions()
    )


class _NetReader:
    def __init__(self, session: ReaderSession, table: int) -> None:
        self._session, self._table = session, table
        self._keys: dict[int, ForeignKey] = {}
        self._near: list[int] = []
        self._names: dict[int, Name] = {}
        self._rows: dict[int, Row] = {}
        self._parents: dict[int, list[int]] = {}
        self._columns: dict[int, dict[int, str]] = {}
        self._generated: dict[Name, dict[str, tuple[str, ...]]] = {}

    async def read(self) -> None:
        """Ask the server."""
        session, version = self._session, self._session.version
        reach = {oid for (oid,) in await session.fetch(_REACH, {"table": self._table})}
        query = _KEYS.format(
            set_columns=since(version, 15, "k.confdelsetcols", "NULL::pg_catalog.int2[]"),
            enforced=since(version, 18, "k.conenforced", "true"),
        )
        keys = await session.fetch(query, {"tables": oid_array(reach)})
        wanted = [row for row in keys if row[3] in reach or row[2] == self._table]
        tables = {"tables": oid_array(reach | {row[3] for row in wanted})}
        for row in await session.fetch(_RELATIONS, tables):
            self._names[row[0]], self._rows[row[0]] = Name(row[1], row[2]), row
            if row[6] is not None:
                self._parents.setdefault(row[0], []).append(row[6])
        has_generated = False
        for relation, number, name, generated in await session.fetch(_COLUMNS, tables):
            self._columns.setdefault(relation, {})[number] = name
            has_generated |= generated
        if has_generated:
            for relation, number, used in await session.fetch(_GENERATED, tables):
                columns = self._generated.setdefault(self._names[relation], {})
                made = self._columns[relation][number]
                columns[made] = (*columns.get(made, ()), self._columns[relation][used])
        self._keys = {row[0]: self._key(row) for row in wanted}
        self._near = [row[0] for row in wanted if self._table in (row[2], row[3])]

    def _key(self, row: Row) -> ForeignKey:
        own, referenced = self._columns[row[2]], self._columns[row[3]]
        return ForeignKey(
            name=row[1],
            table=self._names[row[2]],
            references=self._names[row[3]],
            pairs=tuple([(own[one], referenced[other]) for one, other in zip(row[4], row[5], strict=True)]),
            on_delete=ACTIONS[row[6]],
            on_update=ACTIONS[row[7]],
            set_columns=tuple([own[number] for number in row[12] or ()]),
            match=MATCHES[row[8]],
            validated=row[9],
            deferrable=row[10],
            initially_deferred=row[11],
            enforced=row[13],
        )

    def net(self) -> ForeignKeyNet:
        """What was read."""
        partitions: dict[Name, Name] = {}
        children: dict[Name, tuple[Name, ...]] = {}
        for oid, parents in self._parents.items():
            for parent in parents:
                if parent not in self._names:
                    continue
                if self._rows[oid][7]:
                    partitions[self._names[oid]] = self._names[parent]
                else:
                    children[self._names[parent]] = (*children.get(self._names[parent], ()), self._names[oid])
        keys = tuple(sorted(self._keys.values(), key=lambda key: (key.table, key.name)))
        rows = {self._names[oid]: self._size(oid) for oid in self._rows}
        return ForeignKeyNet(keys, rows, partitions, children, self._generated)

    def _size(self, oid: int) -> int | None:
        """Rows of a table, None where nobody has counted; of a partitioned one the sum of its partitions."""
        _oid, _schema, _name, kind, tuples, pages, _parent, _partition = self._rows[oid]
        if kind != "p":
            counted = tuples > 0 if kind == "f" else tuples >= 0 and (tuples or pages)
            return tuples if counted else None
        sizes = [self._size(child) for child, parents in self._parents.items() if oid in parents]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    async def definitions(self) -> dict[str, str]:
        """How the server prints the keys next to the table."""
        rows = await self._session.fetch(_DEFINITIONS, {"keys": oid_array(self._near)})
        return {self._keys[oid].identity: text for oid, text in rows}
