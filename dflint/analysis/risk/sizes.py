"""What would be if a table had another number of rows."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.facts.type_names import spell
from dflint.model.catalog import Catalog, Index, Table
from dflint.model.errors import InputError
from dflint.model.names import Name

#: Of a row, with its item pointer, and of an entry of a B-tree, in bytes.
_ROW: Final = 28
_ENTRY: Final = 16
#: Of a value; of all types that are not here, and of those whose values differ, a guess.
_WIDTHS: Final = {
    "boolean": 1,
    "smallint": 2,
    "integer": 4,
    "date": 4,
    "real": 4,
    "bigint": 8,
    "double precision": 8,
    "timestamp with time zone": 8,
    "timestamp without time zone": 8,
    "uuid": 16,
}
_GUESS: Final = 24


def with_rows(catalog: Catalog, name: Name, rows: int) -> Catalog:
    """The catalog, with so many rows in a table; bytes of the table and its indexes grow with them.

    Args:
        name: of the table, with its schema.
        rows: at least 0.

    Raises:
        InputError: there is no such table, or fewer rows than none were asked for.
    """
    table = catalog.relation(name)
    if not isinstance(table, Table):
        raise InputError(f"there is no table {name}")
    if rows < 0:
        raise InputError("a table cannot have fewer rows than none")
    relations = catalog.relations.set(name, replace(table, rows=rows, bytes=rows * _width(table)))
    for each in catalog.indexes_of.get(name, ()):
        index = catalog.relation(each)
        if isinstance(index, Index):
            relations = relations.set(each, replace(index, bytes=rows * _ENTRY * max(1, len(index.elements))))
    return replace(catalog, relations=relations)


def _width(table: Table) -> int:
    """Bytes of a row: as it is now where that can be told, else by the columns' types."""
    if table.rows and table.bytes:
        return max(1, table.bytes // table.rows)
    return _ROW + sum(
        _GUESS if column.type is None else _WIDTHS.get(spell(column.type), _GUESS) for column in table.columns
    )
