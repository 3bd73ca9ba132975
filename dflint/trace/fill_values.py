"""Values for generated rows: an expression of the row's number ``i`` for each type."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from psycopg import sql


class Column(Struct, kw_only=True):
    """A column that values are made for.

    Attributes:
        type: as ``format_type`` prints it.
        base: name of the base type, for a domain that of the type under it.
        base_name: the same, qualified as SQL needs it.
        family, category: ``typtype`` and ``typcategory`` of the base type.
        typmod: type modifier, -1 for none.
        element: of an array, as SQL writes it.
        subtype, range_name: of a range or multirange: the element's type, and the range type as SQL writes it.
        generated: the server makes the value, always.
        unique: part of a unique key.
        checked: a CHECK constraint speaks of it.
        choices: the constants that such a constraint allows, as text.
    """

    name: str
    type: str
    base: str
    base_name: str
    family: str
    category: str
    typmod: int
    element: str | None
    subtype: str | None
    range_name: str | None
    not_null: bool
    has_default: bool
    generated: bool
    unique: bool = False
    checked: bool = False
    choices: tuple[str, ...] = ()


#: Expressions that are different for every row, by type.
_EXPRESSIONS: Mapping[str, str] = {
    "int2": "(i % 32000)",
    "int4": "i",
    "int8": "i",
    "oid": "i",
    "float4": "i",
    "float8": "i",
    "money": "i",
    "bool": "(i % 2 = 0)",
    "date": "(date '2020-01-01' + (i % 30000)::int)",
    "time": "(time '00:00' + i * interval '1 second')",
    "timetz": "(time '00:00' + i * interval '1 second')",
    "timestamp": "(timestamp '2020-01-01' + i * interval '1 minute')",
    "timestamptz": "(timestamptz '2020-01-01 00:00+00' + i * interval '1 minute')",
    "interval": "(i * interval '1 minute')",
    "uuid": "md5(i::text)::uuid",
    "json": "json_build_object('n', i)",
    "jsonb": "jsonb_build_object('n', i)",
    "bytea": "decode(md5(i::text), 'hex')",
    "inet": "(inet '10.0.0.0' + i)",
    "cidr": "(inet '10.0.0.0' + i)::cidr",
    "macaddr": "(lpad(to_hex(i), 12, '0'))::macaddr",
    "macaddr8": "(lpad(to_hex(i), 16, '0'))::macaddr8",
    "tsvector": "to_tsvector('simple', 'word' || i)",
    "tsquery": "to_tsquery('simple', 'word' || i)",
    "point": "point(i, i)",
    "box": "box(point(i, i), point(i + 1, i + 1))",
    "circle": "circle(point(i, i), 1)",
    "lseg": "lseg(point(i, i), point(i + 1, i))",
    "line": "line(point(i, i), point(i + 1, i))",
    "path": "path(polygon(box(point(i, i), point(i + 1, i + 1))))",
    "polygon": "polygon(box(point(i, i), point(i + 1, i + 1)))",
    "xml": "xmlelement(name n, i)",
    "pg_lsn": "('0/' || to_hex(i))::pg_lsn",
    "hstore": "('n=>' || i)",
    "ltree": "('n' || i)",
}


def value(column: Column) -> sql.Composable | None:
    """An SQL expression of ``i`` for a column; None where none is known, and the column is left out."""
    if column.choices and not column.unique:
        choices = sql.SQL("({}::text[])[1 + i % {}]").format(list(column.choices), len(column.choices))
        return _cast(choices, column)
    expression = _expression(column)
    return None if expression is None else _cast(expression, column)


def _cast(expression: sql.Composable, column: Column) -> sql.Composable:
    return sql.SQL("({})::{}").format(expression, sql.SQL(column.type))


def _expression(column: Column) -> sql.Composable | None:
    base_name = sql.SQL(column.base_name)
    if column.family == "e":
        return sql.SQL("(enum_range(null::{}))[1 + i % array_length(enum_range(null::{}), 1)]").format(
            base_name, base_name
        )
    if column.category == "A" and column.element is not None:
        return sql.SQL("'{}'")
    if column.family in ("r", "m"):
        expression = _EXPRESSIONS.get(column.subtype or "")
        if expression is None:
            return sql.SQL("'{}'") if column.family == "m" else sql.SQL("'empty'")
        made = sql.SQL("{}({}, {}, '[]')").format(
            sql.SQL(column.range_name or ""), sql.SQL(expression), sql.SQL(expression)
        )
        return made if column.family == "r" else sql.SQL("{}({})").format(base_name, made)
    if column.base == "numeric":
        return _numeric(column.typmod)
    if column.base in ("bit", "varbit"):
        return sql.SQL("(i::bit({}))").format(sql.SQL(str(max(column.typmod, 1))))
    if column.category == "S":
        return _text(column)
    known = _EXPRESSIONS.get(column.base)
    return None if known is None else sql.SQL(known)


def _numeric(typmod: int) -> sql.Composable:
    if typmod < 0:
        return sql.SQL("i")
    digits = ((typmod - 4) >> 16 & 0xFFFF) - ((typmod - 4) & 0x7FF)
    return sql.SQL("(i % {})").format(sql.SQL(str(10 ** min(max(digits, 0), 18))))


def _text(column: Column) -> sql.Composable:
    limit = column.typmod - 4 if column.base in ("varchar", "bpchar") and column.typmod >= 4 else 0
    long = sql.SQL("{} || ' ' || i").format(column.name)
    if not limit:
        return long
    # The end is what makes it different.
    return sql.SQL("right({}, {})").format(long, sql.SQL(str(limit)))
