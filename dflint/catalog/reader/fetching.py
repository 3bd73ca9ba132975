"""Fetching: every row that a catalog is made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dflint.catalog.reader import (
    columns,
    constraints,
    deparse,
    indexes,
    publications,
    routines,
    tables,
    triggers,
    types,
    views,
)
from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.details import DetailRows, read_details
from dflint.catalog.reader.names import Names, read_names
from dflint.catalog.reader.other_objects import OtherRows, read_others
from dflint.catalog.reader.pieces import Chosen
from dflint.catalog.reader.publications import PublicationRows, read_extensions, read_publications
from dflint.catalog.reader.relations import INDEX_KINDS, TABLE_KINDS, VIEW_KINDS, Relations, read_relations
from dflint.catalog.reader.session import ReaderSession
from dflint.catalog.reader.texts import Texts
from dflint.catalog.reader.views import SequenceRows, ViewRows
from dflint.model.catalog import Extension


class Rows:
    """Everything that was fetched, by subject."""

    names: Names
    relations: Relations
    columns: columns.ColumnRows
    indexes: indexes.IndexRows
    constraints: constraints.ConstraintRows
    attached: triggers.AttachedRows
    tables: tables.TableRows
    views: ViewRows
    sequences: SequenceRows
    types: types.TypeRows
    routines: routines.RoutineRows
    others: OtherRows
    extensions: dict[str, Extension]
    published: PublicationRows
    details: DetailRows
    type_names: TypeNames
    deparsed: deparse.Deparsed


async def read_rows(session: ReaderSession, texts: Texts, schemas: Collection[str] | None, places: list[int]) -> Rows:
    """Fetch everything; what fails is noted in the session.

    Args:
        session: to read with.
        texts: reads types.
        schemas: the wanted ones; None: all.
        places: how objects are spread, or which ones are wanted, see `pieces`.
    """
    rows = Rows()
    names = rows.names = await read_names(session, schemas)
    relations = rows.relations = await read_relations(session, names, places)
    table_oids, view_oids = relations.of_kind(TABLE_KINDS), relations.of_kind(VIEW_KINDS)
    with_columns = sorted([*table_oids, *view_oids, *relations.of_kind(frozenset("c"))])
    few = isinstance(places, Chosen) and not places.others
    (
        rows.columns,
        rows.indexes,
        rows.constraints,
        rows.attached,
        rows.tables,
        rows.views,
        rows.sequences,
        rows.types,
        rows.routines,
        rows.others,
        rows.extensions,
        rows.published,
        rows.details,
    ) = await session.together(
        columns.read_columns(session, with_columns),
        indexes.read_indexes(session, relations.of_kind(INDEX_KINDS), table_oids),
        constraints.read_constraints(session, table_oids, places),
        triggers.read_attached(session, table_oids, view_oids),
        tables.read_tables(session, relations),
        views.read_views(session, view_oids),
        views.read_sequences(session, relations.of_kind(frozenset("S"))),
        types.read_types(session, names, places),
        routines.read_routines(session, names, places),
        _no_others() if few else read_others(session, names),
        read_extensions(session, names),
        read_publications(session),
        read_details(session, places),
    )
    rows.type_names = TypeNames()
    keys = {(row[3], row[4]) for row in rows.columns.plain}
    keys.update(rows.types.keys(), rows.routines.keys(), rows.others.keys(), views.SEQUENCE_TYPES)
    await rows.type_names.learn(session, keys, texts)
    rows.deparsed = await deparse.deparse(session, _groups(rows, view_oids))
    return rows


async def _no_others() -> OtherRows:
    return OtherRows([])


def _groups(rows: Rows, view_oids: Sequence[int]) -> list[deparse.Group]:
    """What the server must print."""
    group = deparse.Group
    return [
        group(columns.GENERATED, columns.GENERATED_QUERY, rows.columns.requests()),
        group(constraints.CHECKS, constraints.CHECKS_QUERY, rows.constraints.requests()),
        group(indexes.EXPRESSIONS, indexes.EXPRESSIONS_QUERY, rows.indexes.requests()),
        group(triggers.CONDITIONS, triggers.CONDITIONS_QUERY, rows.attached.trigger_requests()),
        group(triggers.POLICIES, triggers.POLICIES_QUERY, rows.attached.policy_requests()),
        group(publications.FILTERS, publications.FILTERS_QUERY, rows.published.requests()),
        group(tables.KEYS, tables.KEYS_QUERY, rows.tables.requests()),
        group(routines.ROUTINES, routines.ROUTINES_QUERY, rows.routines.requests(standard_bodies=False)),
        group(routines.STANDARD_BODIES, routines.ROUTINES_QUERY, rows.routines.requests(standard_bodies=True)),
        group(views.VIEWS, views.VIEWS_QUERY, rows.views.requests(list(view_oids))),
    ]
