"""The identities by which other programs know what rows name by OID."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.names import PG_CLASS, PG_NAMESPACE, PG_PROC, PG_TYPE, Names
from dflint.catalog.reader.relations import Relations
from dflint.catalog.reader.routines import RoutineRows
from dflint.catalog.reader.types import TypeRows
from dflint.model.names import Identity, Name

PG_ATTRDEF: Final = 2604
PG_CONSTRAINT: Final = 2606
PG_REWRITE: Final = 2618
PG_TRIGGER: Final = 2620
PG_POLICY: Final = 3256
PG_EXTENSION: Final = 3079
PG_PUBLICATION: Final = 6104

#: Kinds of relations, by the letters of pg_class.
RELATION_KINDS: Final = {
    "r": "table",
    "p": "table",
    "f": "foreign_table",
    "v": "view",
    "m": "materialized_view",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "c": "type",
}
_ROUTINE_KINDS: Final = {"f": "function", "w": "function", "p": "procedure", "a": "aggregate"}


class Identities:
    """Identities by catalog and OID. They are printed when asked for: most never are."""

    def __init__(self, names: Names, relations: Relations, columns: dict[int, dict[int, str]]) -> None:
        self._names = names
        self._relations = relations
        self._columns = columns
        self._printed: dict[tuple[int, int], str] = {}
        self._objects: dict[tuple[int, int], tuple[str, tuple[str | None, ...]]] = {}
        self._parts: dict[tuple[int, int], tuple[str, int, str]] = {}
        for oid, schema in names.schemas.items():
            self.add(PG_NAMESPACE, oid, "schema", schema)

    def add(self, catalog: int, oid: int, kind: str, *parts: str | None) -> None:
        """Note what an object is called; parts that are None are left out."""
        self._objects[catalog, oid] = kind, parts

    def note(self, catalog: int, oid: int, identity: str) -> None:
        """Note a printed identity."""
        self._printed[catalog, oid] = identity

    def add_part(self, catalog: int, oid: int, kind: str, relation: int, name: str) -> None:
        """Note what a part of a relation is called: a constraint, a trigger, a rule, a policy."""
        self._parts[catalog, oid] = kind, relation, name

    def add_types(self, rows: TypeRows) -> None:
        """Note the types."""
        for row in rows.rows:
            self.add(PG_TYPE, row[0], "domain" if row[3] == "d" else "type", *self._names.name(row[1], row[2]))

    def add_routines(self, rows: RoutineRows, types: TypeNames) -> None:
        """Note functions, procedures and aggregates, whose names go with their input types."""
        for row in rows.rows:
            inputs = [types.text(int(oid)) for oid in row[11].split()]
            name = self._names.name(row[1], row[2])
            self.add(PG_PROC, row[0], _ROUTINE_KINDS[row[3]], name.schema, f"{name.name}({', '.join(inputs)})")

    def get(self, catalog: int, oid: int, number: int = 0) -> str | None:
        """The identity; None of what is not read, such as what came with the server."""
        if number and catalog == PG_CLASS:
            return self.column(oid, number)
        key = catalog, oid
        printed = self._printed.get(key)
        if printed is None:
            found = self._find(catalog, oid)
            if found is not None:
                kind, parts = found
                printed = self._printed[key] = str(Identity(kind, tuple([part for part in parts if part is not None])))
        return printed

    def _find(self, catalog: int, oid: int) -> tuple[str, tuple[str | None, ...]] | None:
        if catalog == PG_CLASS:
            row = self._relations.rows.get(oid)
            return (RELATION_KINDS[row.kind], self._names.relations[oid]) if row is not None else None
        part = self._parts.get((catalog, oid))
        if part is None:
            return self._objects.get((catalog, oid))
        kind, relation, name = part
        owner = self._names.relations.get(relation)
        return (kind, (*owner, name)) if owner is not None else None

    def column(self, relation: int, number: int) -> str | None:
        """The identity of a column; None of one that does not exist."""
        owner: Name | None = self._names.relations.get(relation)
        name = self._columns.get(relation, {}).get(number)
        if owner is None or name is None:
            return None
        return str(Identity("column", (*[part for part in owner if part is not None], name)))
