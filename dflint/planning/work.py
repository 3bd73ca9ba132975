"""How much work statements are: what they read, write, sort and join, in units that a calibration has prices for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log2
from typing import Final, NamedTuple

from dflint.facts.type_names import spell
from dflint.model.calibration import Unit
from dflint.model.catalog import UNKNOWN, Catalog, Index, Table, View
from dflint.model.context import Context
from dflint.model.effect import StatementEffects
from dflint.model.names import Identity, Name
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.tables import (
    AddColumn,
    AddConstraintOperation,
    AddForeignKey,
    AddPrimaryKey,
    AddUnique,
    ValidateConstraint,
)
from dflint.model.schema import IndexElement

#: Bytes of a row's header with its item pointer, and of an entry of a B-tree without its key.
_ROW: Final = 28
ENTRY: Final = 16
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
#: To sort more rows takes more comparisons for each; prices are those of so many, as a logarithm to base 2.
_SORTED_LOG: Final = 18
#: Types whose primary keys are numbers in the order in which rows came, as good as always.
_COUNTED: Final = frozenset({"smallint", "integer", "bigint"})
#: Whose work is that of a query, of which nothing is known here.
_QUERIES: Final = frozenset(
    "insert update delete merge copy select call do_block dynamic_sql create_table_as create_materialized_view "
    "refresh_materialized_view".split()
)
#: Functions that make a random value, which takes longer than all else that is done to a row.
_RANDOM: Final = frozenset({"gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v4", "gen_random_bytes"})


def row_width(table: Table) -> int:
    """Bytes of a row: as it is now where that can be told, else by the columns' types."""
    if table.rows and table.bytes:
        return max(1, table.bytes // table.rows)
    return _ROW + sum(_value_width(None if each.type is None else spell(each.type)) for each in table.columns)


def _value_width(spelled: str | None) -> int:
    return _GUESS if spelled is None else _WIDTHS.get(spelled, _GUESS)


class Work:
    """What is done, summed up.

    Attributes:
        units: how much of each.
        written: bytes of new files, which stand beside the old ones until the end; all of them are logged.
        sorted: bytes of keys that are sorted, on disk where memory is short.
        words: what it is, each once.
    """

    def __init__(self) -> None:
        self.units: Counter[Unit] = Counter()
        self.written = 0
        self.sorted = 0
        self.words: dict[str, None] = {}

    def add(self, units: dict[Unit, float], words: str = "") -> None:
        """Add so much of each unit."""
        for unit, amount in units.items():
            self.units[unit] += amount  # type: ignore[assignment]  # amounts are estimates, and no whole numbers
        if words:
            self.words[words] = None


def work_of(effects: StatementEffects, contexts: Sequence[Context]) -> Work | None:
    """The work of one statement; None where it cannot be told, for want of a size or because a query decides it.

    Args:
        contexts: of its operations, and of what it calls.
    """
    if effects.unknown or not _QUERIES.isdisjoint(effects.operations):
        return None
    work = Work()
    work.add({"statement": 1})
    if not contexts:
        return work
    try:
        _Adding(work, contexts[0].catalog).all(effects, contexts)
    except _NotKnown:
        return None
    return work


class _Built(NamedTuple):
    """An index that is built: its table, what it has of it, and its bytes where they are known."""

    table: Name
    keys: tuple[IndexElement, ...]
    method: str
    name: str
    size: int | None
    partial: bool


def _is_primary(table: object, key: IndexElement) -> bool:
    constraints = table.constraints if isinstance(table, Table) else ()
    return any(each.kind == "primary_key" and each.columns[:1] == (key.column,) for each in constraints)


class _NotKnown(Exception):
    """The size of something is not known."""


class _Adding:
    """Adds up the work of a statement."""

    def __init__(self, work: Work, catalog: Catalog) -> None:
        self._work = work
        self._catalog = catalog

    def all(self, effects: StatementEffects, contexts: Sequence[Context]) -> None:
        built = [*self._rebuilt(effects), *self._new(effects, contexts)]
        for identity in effects.rewrites:
            rows, size = self._size(identity)
            self._work.add({"row_written": rows, "byte_written": size}, f"writes {identity} ({amount(size)})")
            self._work.written += size
        for index in built:
            self._build(index)
        building = {index.table for index in built}
        for identity in effects.scans:
            if identity not in effects.rewrites:
                rows, size = self._size(identity)
                words = f"reads {identity} ({amount(size)})"
                # To read it is part of building its indexes.
                read = Name(*Identity.parse(identity).parts) in building
                self._work.add({} if read else {"row_read": rows, "byte_read": size}, words)
        for context in contexts:
            self._checked(context)
            self._made(context, effects)

    def _rebuilt(self, effects: StatementEffects) -> Iterator[_Built]:
        for identity in effects.index_rebuilds:
            index = self._catalog.relation(Name(*Identity.parse(identity).parts))
            if not isinstance(index, Index):
                raise _NotKnown
            yield _Built(index.table, index.elements, index.method, identity, index.bytes, index.where is not None)

    def _new(self, effects: StatementEffects, contexts: Sequence[Context]) -> Iterator[_Built]:
        for context in contexts:
            operation = context.operation
            if isinstance(operation, CreateIndex):
                keys, method, partial = operation.elements, operation.method, operation.where is not None
            elif isinstance(operation, AddUnique | AddPrimaryKey) and operation.constraint.using_index is None:
                keys = tuple(IndexElement(column) for column in operation.constraint.columns)
                method, partial = "btree", False
            else:
                continue
            name = context.resolve(operation.target)
            if not self._is_there(name):
                continue
            relation = self._catalog.relation(name)
            if isinstance(relation, Table) and relation.partition_by is not None:
                # It is built on those partitions that are read; with ONLY on none.
                for identity in effects.scans:
                    partition = Name(*Identity.parse(identity).parts)
                    yield _Built(partition, keys, method, f"an index of {identity}", None, partial)
                continue
            yield _Built(name, keys, method, "an index", None, partial)
            if isinstance(operation, CreateIndex) and operation.concurrently:
                # Once more, for the rows that were written meanwhile.
                self._read(name)

    def _is_there(self, name: Name) -> bool:
        """Whether it is there before: what the statement makes is empty."""
        return self._catalog.relation(name) is not None

    def _build(self, index: _Built) -> None:
        if index.method != "btree":
            raise _NotKnown
        rows, size = self._size_of(index.table)
        self._work.add({"row_read": rows, "byte_read": size})
        relation = self._catalog.relation(index.table)
        first = self._type(relation, index.keys[0])
        unit: Unit = "number_sorted" if first in _WIDTHS else "text_sorted"
        if first in _COUNTED and _is_primary(relation, index.keys[0]):
            unit = "number_kept"
        entries = rows // 2 if index.partial else rows
        width = ENTRY + sum(_value_width(self._type(relation, key)) for key in index.keys)
        new = entries * width if index.size is None else index.size
        supposed = ", supposing that it has half of the rows" if index.partial else ""
        compared = entries if unit == "number_kept" else entries * max(1.0, log2(entries + 1) / _SORTED_LOG)
        self._work.add({unit: compared}, f"builds {index.name} ({amount(new)}{supposed})")
        self._work.written += new
        self._work.sorted += entries * width

    def _type(self, relation: object, element: IndexElement) -> str | None:
        columns = relation.columns if isinstance(relation, Table | View) else None
        found = next((column for column in columns or () if column.name == element.column), None)
        return None if found is None or found.type is None else spell(found.type)

    def _checked(self, context: Context) -> None:
        """A foreign key that is checked: a join of both tables."""
        operation = context.operation
        if isinstance(operation, AddForeignKey):
            wanted = operation.constraint.validated and operation.constraint.enforced
        elif isinstance(operation, ValidateConstraint):
            table = context.table(operation.target)
            known = table.constraint(operation.name) if isinstance(table, Table) else None
            wanted = known is not None and known is not UNKNOWN and known.kind == "foreign_key" and not known.validated
        else:
            return
        assert isinstance(operation, AddConstraintOperation | ValidateConstraint)
        name = context.resolve(operation.target)
        if wanted and self._is_there(name):
            rows, _ = self._size_of(name)
            self._work.add({"row_joined": rows})

    def _made(self, context: Context, effects: StatementEffects) -> None:
        """Values that are made and written for each row of a new column."""
        operation = context.operation
        if not isinstance(operation, AddColumn):
            return
        name = context.resolve(operation.target)
        if str(Identity("table", (name.schema or "public", name.name))) in effects.rewrites:
            rows, column = self._size_of(name)[0], operation.column
            self._work.written += rows * _value_width(None if column.type is None else spell(column.type))
            called = () if column.default is None else column.default.functions()
            self._work.add({"value_made": rows * sum(function.name in _RANDOM for function in called)})

    def _read(self, table: Name) -> None:
        rows, size = self._size_of(table)
        self._work.add({"row_read": rows, "byte_read": size})

    def _size(self, identity: str) -> tuple[int, int]:
        return self._size_of(Name(*Identity.parse(identity).parts))

    def _size_of(self, name: Name) -> tuple[int, int]:
        """Rows and bytes."""
        relation = self._catalog.relation(name)
        if isinstance(relation, Index) and relation.bytes is not None:
            return 0, relation.bytes
        if not isinstance(relation, Table | View) or relation.bytes is None:
            raise _NotKnown
        if isinstance(relation, View):
            return relation.rows or 0, relation.bytes
        return relation.bytes // row_width(relation) if relation.rows is None else relation.rows, relation.bytes


def amount(size: int) -> str:
    """Bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 10_000:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TB"
