"""Building: the catalog out of all rows. Nothing is asked of the server any more."""

from __future__ import annotations

from typing import Final

from immutables import Map

from dflint.catalog.reader import columns, constraints, indexes, publications, routines, tables, triggers, types, views
from dflint.catalog.reader.details import DetailBuilder
from dflint.catalog.reader.fetching import Rows
from dflint.catalog.reader.identities import PG_PUBLICATION, Identities
from dflint.catalog.reader.names import PG_CLASS, PG_PROC, PG_TYPE, own_schemas
from dflint.catalog.reader.other_objects import OtherObject, build_others
from dflint.catalog.reader.relations import TABLE_KINDS, VIEW_KINDS, RelationRow
from dflint.catalog.reader.session import ReaderSession
from dflint.catalog.reader.sources import Sources
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import Catalog, CompositeType, Details, Relation
from dflint.model.dependencies import with_reverse_maps
from dflint.model.names import Name

#: Printing holds locks: a text that takes longer is not asked for again with more patience.
_TOO_SLOW: Final = "printing it takes too long: its locks would make others wait"


class CatalogBuilder:
    """Makes the catalog out of the rows."""

    def __init__(self, session: ReaderSession, texts: Texts, rows: Rows) -> None:
        self.session = session
        self.texts = texts
        self.rows = rows

    def build(self) -> Catalog:
        """The catalog."""
        rows, names, texts = self.rows, self.rows.names, self.texts
        self._note_missing()
        texts.learn_expressions(
            [
                *[row[-1] for row in rows.columns.rare.values() if row[-1] is not None],
                *rows.deparsed.texts(constraints.CHECKS),
            ]
        )
        found_types = types.build_types(rows.types, rows.constraints, names, rows.type_names, texts)
        found_routines = routines.build_routines(rows.routines, names, rows.type_names, texts, rows.deparsed)
        others = list(build_others(rows.others, names, rows.type_names))
        catalog = Catalog(
            basis="live",
            closed=names.wanted is None,
            version=self.session.version,
            minor=self.session.minor,
            schemas=Map([(name, True) for name in self._schemas()]),
            relations=Map(self._relations()),
            types=Map(found_types),
            routines=Map(found_routines),
            extensions=Map(rows.extensions),
            publications=Map(
                publications.build_publications(rows.published, names, rows.columns.names, texts, rows.deparsed)
            ),
            others=Map({other.identity: other.value for other in others}),
            details=self._details(others),
        )
        return with_reverse_maps(catalog)

    def _size(self, row: RelationRow) -> tuple[int | None, int | None]:
        """Rows and bytes of a view, if it is a materialized one."""
        return tables.file_size(row, self.rows.relations) if row.kind == "m" else (None, None)

    def _schemas(self) -> list[str]:
        own = own_schemas(self.rows.names.schemas.values())
        wanted = self.rows.names.wanted
        return own if wanted is None else [name for name in own if name in wanted]

    def _relations(self) -> list[tuple[Name, Relation]]:
        rows, names, texts, deparsed = self.rows, self.rows.names, self.texts, self.rows.deparsed
        numbers = rows.columns.names
        sources = Sources(names, rows.relations, numbers, texts, deparsed)
        by_relation = columns.ColumnBuilder(names, rows.type_names, texts, deparsed).build(rows.columns)
        made = indexes.IndexBuilder(sources)
        made.build(rows.indexes)
        found_constraints = constraints.ConstraintBuilder(sources, made).build(rows.constraints)
        found: list[tuple[Name, Relation]] = [(index.name, index) for index in made.indexes.values()]
        found_triggers = triggers.build_triggers(rows.attached, names, numbers, texts, deparsed)
        policies = triggers.build_policies(rows.attached, names, texts, deparsed)
        builder = tables.TableBuilder(sources, rows.tables)
        builder.note_indexes(rows.indexes)
        queries = views.build_queries(rows.relations.of_kind(VIEW_KINDS), rows.views, names, texts, deparsed)
        for oid, row in rows.relations.rows.items():
            relation: Relation
            rules = rows.attached.rule_names(oid)
            if row.kind in TABLE_KINDS:
                relation = builder.table(row, by_relation, found_constraints, found_triggers, policies, rules)
            elif row.kind in VIEW_KINDS:
                relation = views.build_view(
                    row,
                    queries[oid],
                    by_relation.get(oid, ()),
                    found_triggers.get(oid, ()),
                    rules,
                    names,
                    self._size(row),
                    deparsed.text(views.VIEWS, oid),
                )
            elif row.kind == "S":
                relation = views.build_sequence(row, rows.sequences, names, numbers, rows.type_names)
            elif row.kind == "c":
                relation = CompositeType(names.relations[oid], by_relation.get(oid, ()))
            else:
                continue
            found.append((relation.name, relation))
        return found

    def _details(self, others: list[OtherObject]) -> Details:
        rows, names = self.rows, self.rows.names
        identities = Identities(names, rows.relations, rows.columns.names)
        identities.add_types(rows.types)
        identities.add_routines(rows.routines, rows.type_names)
        builder = DetailBuilder(names, identities)
        builder.add_parts(rows.details, rows.constraints, rows.attached)
        for other in others:
            identities.note(other.catalog, other.oid, other.identity)
            builder.owned(other.identity, other.owner, other.privileges)
        for oid, row in rows.relations.rows.items():
            # Tables and views know their owner, and a sequence or index has its table's.
            own = row.kind == "c" or (row.kind == "S" and oid not in rows.sequences.owners)
            if own or row.privileges:
                builder.owned(identities.get(PG_CLASS, oid), row.owner if own else 0, row.privileges)
        for found in rows.types.rows:
            builder.owned(identities.get(PG_TYPE, found[0]), found[11], found[12])
        for found in rows.routines.rows:
            builder.owned(identities.get(PG_PROC, found[0]), found[17], found[18])
        for found in rows.published.rows:
            identities.add(PG_PUBLICATION, found[0], "publication", found[1])
            builder.owned(identities.get(PG_PUBLICATION, found[0]), found[8])
        for (relation, number), found in rows.columns.rare.items():
            if found[columns.PRIVILEGES]:
                builder.owned(identities.column(relation, number), 0, found[columns.PRIVILEGES])
            if found[columns.MISSING]:
                builder.fast_default(identities.column(relation, number))
        return builder.build(rows.details)

    def _note_missing(self) -> None:
        """Say what could not be printed, by name."""
        rows, names = self.rows, self.rows.names.relations
        for what, requests in rows.deparsed.missing.items():
            for request in requests:
                slow = request.oid in rows.deparsed.slow
                if what == views.VIEWS:
                    why = _TOO_SLOW if slow else "a table is locked"
                    self.session.note(f"the query of view {names.get(request.oid)} is not known: {why}")
                    continue
                owners = sorted({str(names[oid]) for oid in request.relations if oid in names})
                for name in owners or ["a table"]:
                    self.session.note(f"the {what} of {name} are not known: {_TOO_SLOW if slow else 'it is locked'}")
