"""Types: enums, domains, ranges, base types; composite types are relations."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.constraints import ConstraintRows, domain_constraint
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.pieces import fetch_by_range, within
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import BaseType, Domain, EnumType, RangeType, UserType
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Constraint

#: Row types, array types and multiranges come and go with others and are not listed.
_TYPES: Final = SQL(
    """
    SELECT t.oid, t.typnamespace, t.typname, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull,
           pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typndims,
           CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation ELSE 0 END, r.rngsubtype,
           t.typowner,
           nullif(t.typacl, pg_catalog.acldefault('T', t.typowner))::pg_catalog.text[]
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
    WHERE {within}
      AND t.typtype IN ('b', 'd', 'e', 'r', 'p')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid AND e.oid = t.typelem)
    """
)
_ENUM_VALUES: Final = SQL("SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum ORDER BY enumtypid, enumsortorder")


class TypeRows:
    """What the server says of types."""

    def __init__(self, rows: list[Row], values: list[Row]) -> None:
        self.rows = rows
        self.values: dict[int, list[str]] = {}
        for oid, value in values:
            self.values.setdefault(oid, []).append(value)

    def keys(self) -> list[tuple[int, int]]:
        """The types that domains and ranges are made of."""
        found = [(row[4], row[5]) for row in self.rows if row[3] == "d"]
        return [*found, *[(row[10], -1) for row in self.rows if row[3] == "r"]]


async def read_types(session: ReaderSession, names: Names, places: list[int]) -> TypeRows:
    """The types of the wanted schemas."""
    schemas = set(names.schema_oids())
    query = _TYPES.format(within=within("t.oid", places))
    rows = [row for row in await fetch_by_range(session, "types", query, places) if row[1] in schemas]
    return TypeRows(rows, await session.fetch_or_note("values of enums", _ENUM_VALUES))


def build_types(
    rows: TypeRows, constraints: ConstraintRows, names: Names, types: TypeNames, texts: Texts
) -> dict[Name, UserType]:
    """The types by name."""
    by_domain: dict[int, list[Constraint]] = {}
    for oid, name, kind, validated, definition in constraints.domains:
        by_domain.setdefault(oid, []).append(domain_constraint(name, kind, validated, definition, texts))
    found: dict[Name, UserType] = {}
    for row in rows.rows:
        oid, schema, name, kind = row[:4]
        qualified = names.name(schema, name)
        if kind == "e":
            found[qualified] = EnumType(qualified, tuple(rows.values.get(oid, ())))
        elif kind == "d":
            found[qualified] = _domain(qualified, row, by_domain.get(oid, []), names, types, texts)
        elif kind == "r":
            found[qualified] = RangeType(qualified, types.get(row[10]))
        else:
            found[qualified] = BaseType(qualified)
    return found


def _domain(
    name: Name, row: Row, constraints: list[Constraint], names: Names, types: TypeNames, texts: Texts
) -> Domain:
    _oid, _schema, _name, _kind, base, modifier, not_null, default, dimensions, collation = row[:10]
    kind = types.get(base, modifier) or Type(Name(None, "?"))
    if kind.dimensions and dimensions > 1:
        kind = Type(kind.name, kind.modifiers, dimensions)
    return Domain(
        name,
        kind,
        not_null,
        texts.expression(default),
        tuple(sorted(constraints, key=lambda each: each.name or "")),
        names.collation(collation, 0),
    )
