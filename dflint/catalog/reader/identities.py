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
    """Printed identities by catalog and OID; those of columns are made when asked for."""

    def __init__(self, names: Names, relations: Relations, columns: dict[int, dict[int, str]]) -> None:
        self._names = names
        self._columns = columns
        self._known: dict[tuple[int, int], str] = {}
        for oid, row in relations.rows.items():
            self.add(PG_CLASS, oid, RELATION_KINDS[row.kind], *names.relations[oid])
        for oid, schema in names.schemas.items():
            self.add(PG_NAMESPACE, oid, "schema", schema)

    def add(self, catalog: int, oid: int, kind: str, *parts: str | None) -> None:
        """Note what an object is called; parts that are None are left out."""
        self._known[catalog, oid] = str(Identity(kind, tuple([part for part in parts if part is not None])))

    def note(self, catalog: int, oid: int, identity: str) -> None:
        """Note a printed identity."""
        self._known[catalog, oid] = identity

    def add_part(self, catalog: int, oid: int, kind: str, relation: int, name: str) -> None:
        """Note what a part of a relation is called: a constraint, a trigger, a rule, a policy."""
        owner = self._names.relations.get(relation)
        if owner is not None:
            self.add(catalog, oid, kind, *owner, name)

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
        return self._known.get((catalog, oid))

    def column(self, relation: int, number: int) -> str | None:
        """The identity of a column; None of one that does not exist."""
        owner: Name | None = self._names.relations.get(relation)
        name = self._columns.get(relation, {}).get(number)
        if owner is None or name is None:
            return None
        return str(Identity("column", (*[part for part in owner if part is not None], name)))
