"""Large questions in pieces.

As long as a query runs, concurrent index builds wait for its snapshot, and some queries lock what they print. So no
query may take long: how much the next one asks for follows from how long the last one took, on whatever server.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, LiteralString

from psycopg.sql import Composed, Identifier, Literal

from dflint.catalog.reader.names import FIRST_USER_OID
from dflint.catalog.reader.session import SQL, ReaderSession, Row, Statement, oid_array

#: Seconds that a query should take.
_TARGET: Final = 0.015
#: Objects in a query, named by their OIDs.
_FIRST: Final = 1_000
_LARGEST: Final = 2_000
#: Objects between two places, and places in a range of OIDs.
_STEP: Final = 50
_FIRST_RANGE: Final = 30
_LARGEST_RANGE: Final = 600
_LAST_OID: Final = 2**32 - 1
#: Objects to look through in one query.
_LOOK: Final = 5_000

#: One in so many objects, of the kinds that there may be many of. Others go with their neighbours.
_PLACES: Final = SQL(
    """
    SELECT oid FROM (
        SELECT oid, pg_catalog.row_number() OVER (ORDER BY oid) AS number
        FROM ({catalogs} ORDER BY oid LIMIT {look}) AS listed) AS numbered
    WHERE number %% {step} = 0
    """
).format(
    catalogs=SQL(" UNION ALL ").join(
        [
            SQL("(SELECT oid FROM {} WHERE oid >= %(first)s::pg_catalog.oid ORDER BY oid LIMIT {})").format(
                Identifier("pg_catalog", catalog), Literal(_LOOK)
            )
            for catalog in ("pg_class", "pg_proc", "pg_constraint", "pg_attrdef")
        ]
    ),
    look=Literal(_LOOK),
    step=Literal(_STEP),
)


def in_pieces(total: int, *, first: int, largest: int) -> Iterator[tuple[int, int]]:
    """Places from 0 to ``total``, as first place and end of each piece.

    A piece is as large as the time allows that was spent on the one before it: from when that was handed out to when
    this one is asked for.
    """
    size, start = first, 0
    while start < total:
        end = min(start + size, total)
        began = time.monotonic()
        yield start, end
        took = max(time.monotonic() - began, 0.001)
        size = min(max(int((end - start) * min(_TARGET / took, 4.0)), 1), largest)
        start = end


class Chosen(list[int]):
    """OIDs of the only objects that are read, in place of the places of all; those of all catalogs in one list.

    Attributes:
        others: the objects without a type of their own are read too, all of them.
    """

    def __init__(self, oids: Iterable[int], *, others: bool) -> None:
        super().__init__(oids)
        self.others = others


def within(column: LiteralString, places: Sequence[int]) -> Composed:
    """The condition that an OID is one of those that a query is about, see `ranges`."""
    chosen = SQL("{} = ANY (%(chosen)s::pg_catalog.oid[])")
    between = SQL("{} BETWEEN %(first)s::pg_catalog.oid AND %(last)s::pg_catalog.oid")
    return (chosen if isinstance(places, Chosen) else between).format(SQL(column))


async def fetch_by_oids(session: ReaderSession, what: str, query: Statement, oids: Sequence[int]) -> list[Row]:
    """The rows of a query about the objects of a list of OIDs, its only parameter; what fails is noted."""
    found: list[Row] = []
    for start, end in in_pieces(len(oids), first=_FIRST, largest=_LARGEST):
        found += await session.fetch_or_note(what, query, (oid_array(oids[start:end]),))
    return found


async def fetch_by_range(session: ReaderSession, what: str, query: Statement, places: Sequence[int]) -> list[Row]:
    """The rows of a query about all users' objects, `within` a range, or the chosen ones; what fails is noted."""
    found: list[Row] = []
    for limits in ranges(places):
        found += await session.fetch_or_note(what, query, limits)
    return found


async def read_places(session: ReaderSession) -> list[int]:
    """The OIDs of some of the users' objects, in order: by them one knows how all are spread.

    Raises:
        psycopg.Error: they cannot be read.
    """
    places: list[int] = []
    first = FIRST_USER_OID
    while True:
        rows = await session.fetch(_PLACES, {"first": str(first)})
        places += [oid for (oid,) in rows]
        if len(rows) * _STEP < _LOOK:
            return places
        first = places[-1] + 1


def ranges(places: Sequence[int]) -> Iterator[dict[str, str]]:
    """All OIDs of users' objects, in ranges with so many objects as the time allows, see `in_pieces`."""
    if isinstance(places, Chosen):
        for start, end in in_pieces(len(places), first=_FIRST, largest=_LARGEST):
            yield {"chosen": oid_array(places[start:end])}
        return
    first = FIRST_USER_OID
    for _start, end in in_pieces(max(len(places), 1), first=_FIRST_RANGE, largest=_LARGEST_RANGE):
        last = places[end] - 1 if end < len(places) else _LAST_OID
        yield {"first": str(first), "last": str(last)}
        first = last + 1
