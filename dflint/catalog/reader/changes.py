"""Noticing that the schema changed while it was read.

A change of the schema leaves rows of a transaction that had not ended before, or takes rows away. So the catalogs are
compared before and after: how many rows each has, and which of them stem from transactions that were not over when
the reading began. VACUUM and ANALYZE write their estimates in place and are no change. Temporary tables, which some
applications make all the time, are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, LiteralString, NamedTuple

import psycopg
from psycopg.sql import Identifier, Literal

from dflint.catalog.reader.names import FIRST_USER_OID
from dflint.catalog.reader.pieces import ranges
from dflint.catalog.reader.session import SQL, ReaderSession, first_line

_SNAPSHOT: Final = SQL("SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text")

#: The OIDs of what came with the server: of schemas, for instance, it may be changed.
_BUILT_IN: Final = {"first": "0", "last": str(FIRST_USER_OID - 1)}

_LASTING: Final = "{key} NOT IN (SELECT oid FROM temporary)"

#: Catalogs, the OID by which each is read range by range, and which of its rows count.
_CATALOGS: Final[tuple[tuple[LiteralString, LiteralString, LiteralString], ...]] = (
    ("pg_class", "oid", _LASTING),
    ("pg_attribute", "attrelid", _LASTING),
    ("pg_attrdef", "adrelid", _LASTING),
    ("pg_constraint", "conrelid", _LASTING),
    ("pg_index", "indexrelid", _LASTING),
    ("pg_trigger", "tgrelid", _LASTING),
    ("pg_inherits", "inhrelid", _LASTING),
    ("pg_sequence", "seqrelid", _LASTING),
    ("pg_description", "objoid", _LASTING),
    ("pg_rewrite", "ev_class", "true"),
    ("pg_policy", "polrelid", "true"),
    ("pg_partitioned_table", "partrelid", "true"),
    ("pg_foreign_table", "ftrelid", "true"),
    # Row types and array types change with others.
    ("pg_type", "oid", "typrelid = 0 AND typarray <> 0"),
    ("pg_namespace", "oid", r"nspname NOT LIKE 'pg\_%%'"),
    ("pg_proc", "oid", "true"),
    ("pg_enum", "oid", "true"),
    ("pg_extension", "oid", "true"),
    ("pg_publication", "oid", "true"),
    ("pg_publication_rel", "oid", "true"),
    ("pg_statistic_ext", "oid", "true"),
    ("pg_event_trigger", "oid", "true"),
)
_DIGEST: Final = SQL(
    """
    WITH temporary AS MATERIALIZED (
        SELECT oid FROM pg_catalog.pg_class
        WHERE oid BETWEEN %(first)s::pg_catalog.oid AND %(last)s::pg_catalog.oid AND relpersistence = 't')
    {digests}
    """
).format(
    digests=SQL(" UNION ALL ").join(
        [
            SQL(
                """
                SELECT {name}, count(*), count(*) FILTER (WHERE newer), sum(place) FILTER (WHERE newer)
                FROM (SELECT age(xmin) <= age(%(oldest)s::pg_catalog.xid) AS newer,
                             age(%(oldest)s::pg_catalog.xid) - age(xmin) AS place
                      FROM {catalog}
                      WHERE {key} BETWEEN %(first)s::pg_catalog.oid AND %(last)s::pg_catalog.oid AND {condition}) AS x
                """
            ).format(
                name=Literal(catalog),
                catalog=Identifier("pg_catalog", catalog),
                key=Identifier(key),
                condition=SQL(condition).format(key=Identifier(key)),
            )
            for catalog, key, condition in _CATALOGS
        ]
    )
)


class State(NamedTuple):
    """The schema's state at one moment, as far as telling it from another needs.

    Attributes:
        snapshot: two equal ones: nothing at all was committed between them.
        digest: two equal ones, made with the same oldest transaction: the schema is the same. By catalog: its rows,
            those that may be new, and from which transactions these are.
    """

    snapshot: str
    digest: dict[str, tuple[int, int, int]]


async def state(session: ReaderSession, places: Sequence[int]) -> State | None:
    """The state now; None, and a note, where it cannot be told.

    Args:
        session: to read with.
        places: how objects are spread, see `pieces`.
    """
    try:
        snapshot = await _snapshot(session)
        return State(snapshot, await _digest(session, snapshot, places))
    except psycopg.Error as error:
        _note(session, error)
        return None


async def changed(session: ReaderSession, before: State, places: Sequence[int]) -> bool:
    """Whether the schema may be another than ``before``; False, and a note, where it cannot be told."""
    try:
        if await _snapshot(session) == before.snapshot:
            return False
        return await _digest(session, before.snapshot, places) != before.digest
    except psycopg.Error as error:
        _note(session, error)
        return False


def _note(session: ReaderSession, error: psycopg.Error) -> None:
    if session.connection.closed:
        raise error
    session.note(f"whether the schema changed while it was read is not known: {first_line(error)}")


async def _snapshot(session: ReaderSession) -> str:
    ((snapshot,),) = await session.fetch(_SNAPSHOT)
    return str(snapshot)


async def _digest(session: ReaderSession, snapshot: str, places: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    oldest = int(snapshot.partition(":")[0]) % 2**32
    found = {catalog: (0, 0, 0) for catalog, _, _ in _CATALOGS}
    for limits in itertools.chain([_BUILT_IN], ranges(places)):
        for catalog, rows, newer, place in await session.fetch(_DIGEST, {**limits, "oldest": str(oldest)}):
            total = found[catalog]
            found[catalog] = total[0] + rows, total[1] + newer, total[2] + int(place or 0)
    return found
