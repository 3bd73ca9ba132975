"""Noticing that the schema changed while it was read.

A change of the schema leaves rows of a transaction that had not ended before, or takes rows away. So the catalogs are
compared before and after: how many rows each has, and which of them stem from transactions that were not over when
the reading began. VACUUM and ANALYZE write their estimates in place and are no change. Temporary tables, which some
applications make all the time, are left out.
"""

from __future__ import annotations

from typing import Final, LiteralString, NamedTuple

from psycopg.sql import Identifier, Literal

from dflint.catalog.reader.session import SQL, ReaderSession, Row, oid_array

_SNAPSHOT: Final = SQL("SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text")
_TEMPORARY: Final = SQL("SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't'")

#: Catalogs, and which of their rows count; ``%(temporary)s`` are the OIDs of temporary relations.
_CATALOGS: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("pg_class", "relpersistence <> 't'"),
    ("pg_attrdef", "NOT adrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    ("pg_constraint", "NOT conrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    ("pg_index", "NOT indrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    ("pg_trigger", "NOT tgrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    ("pg_inherits", "NOT inhrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    ("pg_sequence", "NOT seqrelid = ANY (%(temporary)s::pg_catalog.oid[])"),
    # Row types and array types change with others.
    ("pg_type", "typrelid = 0 AND typarray <> 0"),
    ("pg_namespace", r"nspname NOT LIKE 'pg\_%%'"),
    ("pg_policy", "true"),
    ("pg_rewrite", "true"),
    ("pg_proc", "true"),
    ("pg_enum", "true"),
    ("pg_extension", "true"),
    ("pg_partitioned_table", "true"),
    ("pg_publication", "true"),
    ("pg_publication_rel", "true"),
    ("pg_statistic_ext", "true"),
    ("pg_event_trigger", "true"),
    ("pg_foreign_table", "true"),
)
_DIGESTS: Final = [
    SQL(
        """
        SELECT {name}, count(*), count(*) FILTER (WHERE newer), sum(place) FILTER (WHERE newer)
        FROM (SELECT age(xmin) <= age(%(oldest)s::pg_catalog.xid) AS newer,
                     age(%(oldest)s::pg_catalog.xid) - age(xmin) AS place
              FROM {catalog} WHERE {condition}) AS x
        """
    ).format(name=Literal(catalog), catalog=Identifier("pg_catalog", catalog), condition=SQL(condition))
    for catalog, condition in _CATALOGS
]
#: The largest catalog goes by itself and piece by piece. It loses rows only when others do.
_ATTRIBUTES: Final = SQL(
    """
    SELECT count(*), sum(age(%(oldest)s::pg_catalog.xid) - age(xmin)) FROM pg_catalog.pg_attribute
    WHERE {piece} age(xmin) <= age(%(oldest)s::pg_catalog.xid) AND NOT attrelid = ANY (%(temporary)s::pg_catalog.oid[])
    """
)
_PIECE: Final = SQL("ctid >= %(first)s::pg_catalog.tid AND ctid < %(last)s::pg_catalog.tid AND")
_PAGES: Final = SQL(
    "SELECT pg_catalog.pg_relation_size('pg_catalog.pg_attribute') / "
    "pg_catalog.current_setting('block_size')::pg_catalog.int8"
)
#: Pages of pg_attribute in one query.
_PIECE_PAGES: Final = 4_000


class State(NamedTuple):
    """The schema's state at one moment, as far as telling it from another needs.

    Attributes:
        snapshot: two equal ones: nothing at all was committed between them.
        digest: two equal ones, made with the same oldest transaction: the schema is the same.
    """

    snapshot: str
    digest: tuple[Row, ...]


async def state(session: ReaderSession) -> State:
    """The state now."""
    snapshot = await _snapshot(session)
    return State(snapshot, await _digest(session, snapshot))


async def changed(session: ReaderSession, before: State) -> bool:
    """Whether the schema may be another than ``before``."""
    if await _snapshot(session) == before.snapshot:
        return False
    return await _digest(session, before.snapshot) != before.digest


async def _snapshot(session: ReaderSession) -> str:
    ((snapshot,),) = await session.fetch(_SNAPSHOT)
    return str(snapshot)


async def _digest(session: ReaderSession, snapshot: str) -> tuple[Row, ...]:
    oldest = int(snapshot.partition(":")[0]) % 2**32
    temporary = await session.fetch(_TEMPORARY)
    parameters = {"oldest": str(oldest), "temporary": oid_array([oid for (oid,) in temporary])}
    rows: list[Row] = []
    for (catalog, _), query in zip(_CATALOGS, _DIGESTS, strict=True):
        rows += await session.fetch_or_note(f"whether {catalog} changes", query, parameters)
    ((pages,),) = await session.fetch(_PAGES)
    newer = 0, 0
    if session.version < 14:
        # Scans of a range of pages came with PostgreSQL 14.
        pieces = [(SQL(""), parameters)]
    else:
        # The last piece has no end: pages may come while others are read.
        ends = [*range(_PIECE_PAGES, pages, _PIECE_PAGES), 2**32 - 2]
        pieces = []
        first = 0
        for last in ends:
            pieces.append((_PIECE, {**parameters, "first": f"({first},0)", "last": f"({last},0)"}))
            first = last
    for piece, values in pieces:
        ((count, total),) = await session.fetch(_ATTRIBUTES.format(piece=piece), values)
        newer = newer[0] + count, newer[1] + int(total or 0)
    return (*rows, ("pg_attribute", *newer))
