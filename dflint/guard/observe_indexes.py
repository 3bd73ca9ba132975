"""What the catalog says about indexes that were built, rebuilt or dropped concurrently, and who is at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from immutables import Map
from msgspec import Struct
from msgspec.structs import replace
from psycopg.sql import SQL, Composed, Identifier

from dflint.catalog.comparing import differences
from dflint.catalog.reader import read_catalog
from dflint.history.replay import apply
from dflint.model.catalog import Catalog, Index
from dflint.model.names import Name
from dflint.model.operations.indexes import CreateIndex
from dflint.model.quoting import quote_identifier
from dflint.model.session import Session

Connection = psycopg.AsyncConnection[Any]

#: What PostgreSQL calls the indexes that REINDEX CONCURRENTLY makes and leaves behind when it is stopped.
_LEFTOVER = r"_cc(new|old)\d*$"

#: Fields of an index in which a build that was stopped differs from what it was to become, or which do not tell it
#: from another: whether it is finished, how large it is, and what it was attached to since.
_NOT_ITS_DEFINITION = frozenset({"valid", "ready", "bytes", "parents", "constraint"})


class IndexState(Struct, frozen=True):
    """An index, or another relation that has the name.

    Attributes:
        oid: its OID.
        schema, name: its name.
        table: OID of its table; 0 when it is no index.
        valid, ready, live: as in pg_index. Only an index that is all of these is whole.
        unique: it refuses duplicates, also while it is invalid but ready.
    """

    oid: int
    schema: str
    name: str
    table: int
    valid: bool
    ready: bool
    live: bool
    unique: bool

    @property
    def whole(self) -> bool:
        """The planner uses it and writers maintain it."""
        return self.valid and self.ready and self.live

    def drop(self) -> Composed:
        """The statement that removes it without stopping readers or writers."""
        return SQL("DROP INDEX CONCURRENTLY {}").format(Identifier(self.schema, self.name))

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Building(Struct, frozen=True):
    """Another session that builds, rebuilds or drops an index of a table; ``certain`` where the server says so."""

    pid: int
    certain: bool


_INDEXES = SQL(
    """
    SELECT c.oid::bigint, n.nspname::text, c.relname::text, coalesce(i.indrelid, 0)::bigint,
           coalesce(i.indisvalid, false), coalesce(i.indisready, false), coalesce(i.indislive, false),
           coalesce(i.indisunique, false)
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    """
)


async def relation_oid(connection: Connection, name: Name) -> int | None:
    """The OID of the relation that a name means in this session; None when there is none."""
    written = ".".join(quote_identifier(part) for part in name if part is not None)
    row = await (await connection.execute("SELECT pg_catalog.to_regclass(%s)::oid::bigint", [written])).fetchone()
    return None if row is None else row[0]


async def index_named(connection: Connection, table: int, name: str) -> IndexState | None:
    """Whatever has that name in the table's schema."""
    where = SQL(
        "WHERE c.relname = %s AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = %s)"
    )
    found = await _fetch(connection, where, [name, table])
    return found[0] if found else None


async def index_by_oid(connection: Connection, oid: int) -> IndexState | None:
    """The index with that OID."""
    found = await _fetch(connection, SQL("WHERE c.oid = %s"), [oid])
    return found[0] if found else None


#: Of tables, and of the tables in which PostgreSQL keeps their long values.
_OF_TABLES = (
    "i.indrelid IN (SELECT unnest(ARRAY[t.oid, t.reltoastrelid])"
    " FROM pg_catalog.pg_class t WHERE t.oid = ANY(%s::oid[]))"
)


async def indexes_of(connection: Connection, tables: Sequence[int]) -> list[IndexState]:
    """All indexes of tables, by OID."""
    return await _fetch(connection, SQL(f"WHERE {_OF_TABLES} ORDER BY c.oid"), [list(tables)])


async def leftovers_of(connection: Connection, tables: Sequence[int]) -> list[IndexState]:
    """What stopped runs of REINDEX CONCURRENTLY left at tables, by OID."""
    where = SQL(
        f"WHERE {_OF_TABLES} AND NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relname ~ %s ORDER BY c.oid"
    )
    return await _fetch(connection, where, [list(tables), _LEFTOVER])


async def builder_of(connection: Connection, table: int) -> Building | None:
    """A session other than this one that builds an index of the table, or may be doing so.

    Who may not see others' progress still sees their locks: each concurrent command holds SHARE UPDATE EXCLUSIVE on
    the table from its beginning to its end, and so do VACUUM and ANALYZE, which is why that alone is not certain.
    """
    query = """
        SELECT l.pid, p.relid IS NOT DISTINCT FROM l.relation AND p.pid IS NOT NULL
          FROM pg_catalog.pg_locks l
          LEFT JOIN pg_catalog.pg_stat_progress_create_index p ON p.pid = l.pid
          LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'relation' AND l.relation = %s AND l.granted
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           AND l.mode = 'ShareUpdateExclusiveLock'
           AND l.pid <> pg_catalog.pg_backend_pid()
           AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
         ORDER BY 2 DESC, 1
         LIMIT 1
        """
    row = await (await connection.execute(query, [table])).fetchone()
    return None if row is None else Building(*row)


async def differs(connection: Connection, operation: CreateIndex, found: IndexState, table_schema: str) -> str | None:
    """In what an index differs from what the statement would make, in words; None when it is the same.

    What the statement would make is worked out by replaying it, and compared in the normal form that makes a
    spelling and PostgreSQL's own way to write it equal.
    """
    path = await _search_path(connection)
    live = await read_catalog(connection, schemas={table_schema, found.schema})
    name = Name(found.schema, found.name)
    real = live.relations.get(name)
    if not isinstance(real, Index):
        return f"{found} could not be read"
    without = Catalog(
        basis="live",
        closed=True,
        version=live.version,
        schemas=live.schemas,
        relations=live.relations.delete(name),
        types=live.types,
        routines=live.routines,
    )
    version = connection.info.server_version // 10_000
    named = replace(operation, name=found.name)
    replayed = apply(named, without, Session(search_path=path), version).relations.get(name)
    if not isinstance(replayed, Index):
        return "what the statement would make could not be worked out"
    told = differences(Catalog(relations=Map({name: replayed})), Catalog(relations=Map({name: real})))
    fields = sorted({each.path.partition(".")[0].partition("[")[0] for each in told} - _NOT_ITS_DEFINITION)
    return ", ".join(fields) or None


async def _search_path(connection: Connection) -> tuple[str, ...]:
    row = await (await connection.execute("SELECT pg_catalog.current_schemas(false)::text[]")).fetchone()
    return tuple(row[0]) if row else ("public",)


async def _fetch(connection: Connection, where: SQL, parameters: Sequence[object]) -> list[IndexState]:
    rows = await (await connection.execute(_INDEXES + where, parameters)).fetchall()
    return [IndexState(*row) for row in rows]
