"""Indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from dflint.catalog.reader.columns import UNREADABLE
from dflint.catalog.reader.deparse import Request
from dflint.catalog.reader.pieces import fetch_by_oids
from dflint.catalog.reader.relations import RelationRow, Relations, pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row, since
from dflint.catalog.reader.sources import Sources
from dflint.model.catalog import Index
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import IndexElement

#: A plain index has columns only, in their usual order, with their types' own operator classes and collations.
_INDEXES: Final = SQL(
    """
    SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisvalid, i.indisready, i.indisclustered, i.indisreplident,
           i.indnkeyatts::pg_catalog.int4, i.indkey::pg_catalog.text, i.indoption::pg_catalog.text,
           i.indclass::pg_catalog.text, i.indcollation::pg_catalog.text, {nulls_not_distinct},
           i.indexprs IS NOT NULL, i.indpred IS NOT NULL
    FROM pg_catalog.pg_index i WHERE i.indexrelid = ANY (%s::pg_catalog.oid[])
    """
)
_COLLATIONS: Final = SQL(
    """
    SELECT attrelid, attnum, attcollation FROM pg_catalog.pg_attribute
    WHERE attrelid = ANY (%s::pg_catalog.oid[]) AND attcollation <> 0 AND attnum > 0
    """
)
_OPTIONS: Final = SQL(
    """
    SELECT attrelid, attnum, attoptions FROM pg_catalog.pg_attribute
    WHERE attrelid = ANY (%s::pg_catalog.oid[]) AND attoptions IS NOT NULL
    """
)
_CONSTRAINTS: Final = SQL(
    """
    SELECT conindid, conname FROM pg_catalog.pg_constraint
    WHERE conrelid = ANY (%s::pg_catalog.oid[]) AND contype IN ('p', 'u', 'x')
    """
)
EXPRESSIONS: Final = "index expressions"
EXPRESSIONS_QUERY: Final = SQL(
    """
    SELECT i.indexrelid, pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid)
    FROM pg_catalog.pg_index i WHERE i.indexrelid = ANY (%s::pg_catalog.oid[])
    """
)

_DESCENDING: Final = 1
_NULLS_FIRST: Final = 2


class IndexRows:
    """What the server says of indexes.

    Attributes:
        rows: index -> its row of pg_index, in a fixed order.
        options: index and number of the key -> the operator class's options.
        constraints: index -> the constraint it serves.
        collations: table and number -> a column's collation.
    """

    def __init__(self, rows: list[Row], options: list[Row], constraints: list[Row], collations: list[Row]) -> None:
        self.rows = {row[0]: row for row in rows}
        self.options = {(index, number): found for index, number, found in options}
        self.constraints: dict[int, str] = dict(constraints)
        self.collations = {(table, number): found for table, number, found in collations}

    def requests(self) -> list[Request]:
        """The indexes with expressions or predicates, which are to be printed."""
        return [Request(row[0], (row[1],)) for row in self.rows.values() if row[13] or row[14]]


async def read_indexes(session: ReaderSession, indexes: list[int], tables: list[int]) -> IndexRows:
    """The indexes with these OIDs, on tables with these OIDs."""
    query = _INDEXES.format(nulls_not_distinct=since(session.version, 15, "i.indnullsnotdistinct", "false"))
    rows, options, constraints = await session.together(
        fetch_by_oids(session, "indexes", query, indexes),
        fetch_by_oids(session, "options of operator classes", _OPTIONS, indexes),
        fetch_by_oids(session, "constraints", _CONSTRAINTS, tables),
    )
    collated = sorted({row[1] for row in rows if row[11].strip("0 ")})
    collations = await fetch_by_oids(session, "collations of columns", _COLLATIONS, collated)
    return IndexRows(rows, options, constraints, collations)


class IndexBuilder:
    """Makes indexes out of rows. Elements that look alike are one value.

    Attributes:
        indexes: by OID.
    """

    def __init__(self, sources: Sources) -> None:
        self._names, self._relations, self._columns, self._texts, self._deparsed = sources
        self._plain: dict[str, IndexElement] = {}
        self._numbers: dict[str, tuple[int, ...]] = {}
        self.indexes: dict[int, Index] = {}

    def build(self, rows: IndexRows) -> None:
        """Make the indexes."""
        for oid, row in rows.rows.items():
            relation = self._relations.rows.get(oid)
            if relation is not None and row[1] in self._names.relations:
                self.indexes[oid] = self._index(relation, row, rows)

    def _index(self, relation: RelationRow, row: Row, rows: IndexRows) -> Index:
        oid, table, unique, valid, ready, _clustered, _identity, keys, key = row[:9]
        names, columns = self._names, self._columns.get(table, {})
        numbers = self._split(key)
        parents = self._relations.parents.get(oid, ())
        return Index(
            names.relations[oid],
            names.relations[table],
            self._elements(row, numbers[:keys], rows),
            tuple([columns.get(number, "?") for number in numbers[keys:]]),
            unique,
            names.methods.get(relation.method, "?"),
            self._predicate(oid) if row[14] else None,
            row[12],
            valid,
            rows.constraints.get(oid),
            tuple([names.relations[parent] for parent in parents]) if parents else (),
            pairs(relation.options),
            names.tablespaces.get(relation.tablespace) if relation.tablespace else None,
            index_bytes(relation, self._relations),
            ready,
        )

    def _split(self, text: str) -> tuple[int, ...]:
        """The numbers of an int2vector or oidvector."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = tuple([int(part) for part in text.split()])
        return found

    def _elements(self, row: Row, numbers: tuple[int, ...], rows: IndexRows) -> tuple[IndexElement, ...]:
        oid, table, order, classes, collations = row[0], row[1], row[9], row[10], row[11]
        columns = self._columns.get(table, {})
        orders, class_oids, collation_oids = self._split(order), self._split(classes), self._split(collations)
        expressions = iter(self._expressions(oid)) if 0 in numbers else iter(())
        elements: list[IndexElement] = []
        for place, number in enumerate(numbers):
            operator_class = self._names.operator_classes.get(class_oids[place])
            collation = None
            if collation_oids[place]:
                usual = rows.collations.get((table, number), 0) if number else _DEFAULT_COLLATION
                collation = self._names.collation(collation_oids[place], usual)
            options = rows.options.get((oid, place + 1)) if rows.options else None
            if number and not (orders[place] or operator_class or collation or options):
                elements.append(self._plain_element(columns.get(number, "?")))
                continue
            descending, nulls_first = bool(orders[place] & _DESCENDING), bool(orders[place] & _NULLS_FIRST)
            elements.append(
                IndexElement(
                    columns.get(number, "?") if number else None,
                    None if number else next(expressions, UNREADABLE),
                    collation,
                    operator_class,
                    pairs(options),
                    descending,
                    None if nulls_first == descending else nulls_first,
                )
            )
        return tuple(elements)

    def _plain_element(self, column: str) -> IndexElement:
        found = self._plain.get(column)
        if found is None:
            found = self._plain[column] = IndexElement(column)
        return found

    def _expressions(self, oid: int) -> tuple[Expr, ...]:
        return self._texts.expressions(self._deparsed.text(EXPRESSIONS, oid))

    def _predicate(self, oid: int) -> Expr:
        found = self._texts.expression(self._deparsed.text(EXPRESSIONS, oid, 2))
        return UNREADABLE if found is None else found

    def with_operators(self, oid: int, operators: Sequence[tuple[int, str]]) -> Index:
        """Give the elements of an exclusion constraint's index their operators."""
        index = self.indexes[oid]
        elements = tuple(
            [
                replace(element, operator=qualified_operator(self._names.name(schema, name)))
                for element, (schema, name) in zip(index.elements, operators, strict=False)
            ]
        )
        index = self.indexes[oid] = replace(index, elements=elements)
        return index


#: OID of the collation "default", which an expression of a type with collations usually has.
_DEFAULT_COLLATION: Final = 100


def qualified_operator(name: Name) -> str:
    """An operator as text; those of PostgreSQL without schema."""
    return name.name if name.schema == "pg_catalog" else str(name)


def index_bytes(relation: RelationRow, relations: Relations) -> int | None:
    """The size at the last VACUUM, ANALYZE or build; that of a partitioned index is the sum of its leaves'."""
    if relation.kind != "I":
        return relation.pages * relations.block_size if relation.pages or relation.tuples > 0 else None
    total, pending = 0, list(relations.children.get(relation.oid, ()))
    while pending:
        row = relations.rows[pending.pop()]
        if row.kind == "I":
            pending += relations.children.get(row.oid, ())
            continue
        size = index_bytes(row, relations)
        if size is None:
            return None
        total += size
    return total
