"""Views, materialized views and sequences."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.deparse import Deparsed, Request
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.pieces import fetch_by_oids
from dflint.catalog.reader.relations import RelationRow, pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import Sequence, Trigger, View
from dflint.model.expressions import Type
from dflint.model.schema import Column, Query, SequenceOptions

#: What a view's query reads, by the catalogs: for views whose text cannot be had, and to see locks coming.
_READS: Final = SQL(
    """
    SELECT DISTINCT r.ev_class, d.refobjid
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
    WHERE r.ev_class = ANY (%s::pg_catalog.oid[]) AND r.rulename = '_RETURN'
    """
)
_SEQUENCES: Final = SQL(
    """
    SELECT s.seqrelid, s.seqtypid, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle
    FROM pg_catalog.pg_sequence s WHERE s.seqrelid = ANY (%s::pg_catalog.oid[])
    """
)
_OWNERS: Final = SQL(
    """
    SELECT objid, refobjid, refobjsubid, deptype FROM pg_catalog.pg_depend
    WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = ANY (%s::pg_catalog.oid[])
      AND objsubid = 0 AND refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND refobjsubid > 0
      AND deptype IN ('a', 'i')
    """
)
VIEWS: Final = "views"
VIEWS_QUERY: Final = SQL(
    """
    SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c
    WHERE c.oid = ANY (%s::pg_catalog.oid[])
    """
)
#: OIDs of the types that a sequence can have.
SEQUENCE_TYPES: Final = ((20, -1), (21, -1), (23, -1))
_LARGEST: Final = {20: 2**63 - 1, 21: 2**15 - 1, 23: 2**31 - 1}


class ViewRows:
    """What the server says of views: view -> the relations it reads."""

    def __init__(self, reads: list[Row]) -> None:
        self.reads: dict[int, list[int]] = {}
        for view, relation in reads:
            self.reads.setdefault(view, []).append(relation)

    def requests(self, views: list[int]) -> list[Request]:
        """The views, whose queries are to be printed."""
        return [Request(oid, (oid, *self.reads.get(oid, ()))) for oid in views]


async def read_views(session: ReaderSession, views: list[int]) -> ViewRows:
    """What the views with these OIDs read."""
    return ViewRows(await fetch_by_oids(session, "what views read", _READS, views))


class SequenceRows:
    """What the server says of sequences: their options, and the columns that own them."""

    def __init__(self, rows: list[Row], owners: list[Row]) -> None:
        self.rows = {row[0]: row for row in rows}
        self.owners = {row[0]: row[1:] for row in owners}


async def read_sequences(session: ReaderSession, sequences: list[int]) -> SequenceRows:
    """The rows of the sequences with these OIDs."""
    return SequenceRows(
        *await session.together(
            fetch_by_oids(session, "sequences", _SEQUENCES, sequences),
            fetch_by_oids(session, "owners of sequences", _OWNERS, sequences),
        )
    )


def build_queries(views: list[int], rows: ViewRows, names: Names, texts: Texts, deparsed: Deparsed) -> dict[int, Query]:
    """View -> its query; only what it reads where the text cannot be had."""
    printed = {oid: text for oid in views if (text := deparsed.text(VIEWS, oid)) is not None}
    read = zip(printed, texts.queries(list(printed.values())), strict=True)
    queries = {oid: query for oid, query in read if query is not None}
    for oid in views:
        if oid not in queries:
            reads = sorted([names.relations[each] for each in rows.reads.get(oid, ()) if each in names.relations])
            queries[oid] = Query(reads=tuple(reads))
    return queries


def build_view(
    row: RelationRow,
    query: Query,
    columns: tuple[Column, ...],
    triggers: tuple[Trigger, ...],
    rules: tuple[str, ...],
    names: Names,
    size: tuple[int | None, int | None],
    definition: str | None,
) -> View:
    """One view."""
    return View(
        names.relations[row.oid],
        expanded(query, columns),
        columns,
        row.kind == "m",
        row.populated,
        pairs(row.options),
        triggers,
        rules,
        names.role(row.owner),
        *size,
        definition,
    )


def expanded(query: Query, columns: tuple[Column, ...]) -> Query:
    """The query under the names that its output columns really have."""
    if len(query.columns) != len(columns):
        return query
    named = tuple([(column.name, origin) for column, (_, origin) in zip(columns, query.columns, strict=True)])
    return query if named == query.columns else replace(query, columns=named)


def build_sequence(
    row: RelationRow, rows: SequenceRows, names: Names, columns: dict[int, dict[int, str]], types: TypeNames
) -> Sequence:
    """One sequence."""
    name = names.relations[row.oid]
    persistence = "unlogged" if row.persistence == "u" else "permanent"
    found = rows.rows.get(row.oid)
    if found is None:
        return Sequence(name, persistence=persistence)  # type: ignore[arg-type]  # values of the Literal
    owner, number, dependency = rows.owners.get(row.oid, (0, 0, ""))
    return Sequence(
        name,
        _options(found, types.get(found[1])),
        names.relations.get(owner),
        columns.get(owner, {}).get(number),
        dependency == "i",
        persistence,  # type: ignore[arg-type]  # values of the Literal
    )


def _options(row: Row, kind: Type | None) -> SequenceOptions:
    """The options of a sequence; what has its default is not set, as in a text that does not write it."""
    _oid, type_oid, start, increment, maximum, minimum, cache, cycle = row
    largest = _LARGEST[type_oid]
    usual_minimum, usual_maximum = (1, largest) if increment > 0 else (-largest - 1, -1)
    return SequenceOptions(
        kind,
        None if increment == 1 else increment,
        None if minimum == usual_minimum else minimum,
        None if maximum == usual_maximum else maximum,
        start=None if start == (minimum if increment > 0 else maximum) else start,
        cache=None if cache == 1 else cache,
        cycle=True if cycle else None,
    )
