"""Sequences that follow a column to the second one: those of serial columns, and those of identity columns."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.model.catalog import Sequence
from dflint.model.errors import InputError
from dflint.model.expressions import Type
from dflint.model.names import Identity
from dflint.model.operations.tables import AlterColumnType
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Column
from dflint.planning.recipes.second_columns import SecondColumns
from dflint.planning.undo.spelling import quoted, sequence_sql

#: Types that a sequence may have, and what statements call them.
_INTEGERS: Final = {"int2": "smallint", "int4": "integer", "int8": "bigint"}
_GENERATED: Final = {"always": "ALWAYS", "default": "BY DEFAULT"}


def moved_sequence(table: SecondColumns, column: Column, sequence: Sequence) -> tuple[list[str], list[str]]:
    """The statements that move a sequence to the second column, before that has its name, and those that bring it back.

    Args:
        table: with the second column.
        column: the first one, which owns the sequence.
        sequence: as it is.

    Raises:
        InputError: the sequence of an identity column has something that cannot be carried over.
    """
    operation = table.given.operation
    assert isinstance(operation, AlterColumnType)
    if column.identity:
        return _identity(table, column, sequence, operation.type)
    name, old, new = quoted(sequence.name), quote_identifier(column.name), quote_identifier(table.new(column.name))
    there = [f"ALTER SEQUENCE {name} OWNED BY {table.target}.{new}"]
    back = [f"ALTER SEQUENCE {name} OWNED BY {table.target}.{old}"]
    first, second = _integer(column.type), _integer(operation.type)
    if first is not None and second is not None and _integer(sequence.options.type) == first:
        there.append(f"ALTER SEQUENCE {name} AS {second}")
        back.append(f"ALTER SEQUENCE {name} AS {first}")
    return there, back


def _integer(kind: Type | None) -> str | None:
    return None if kind is None or kind.dimensions else _INTEGERS.get(kind.name.name)


def _identity(table: SecondColumns, column: Column, sequence: Sequence, new_type: Type) -> tuple[list[str], list[str]]:
    """The sequence of an identity column cannot change its owner: another of its name goes on where it stood."""
    if _integer(new_type) is None:
        raise InputError(f"{column.name} is an identity column, which is of an integer type")
    details, schema = table.given.context.catalog.details, sequence.name.schema or "public"
    own = str(Identity("sequence", (schema, sequence.name.name)))
    if details.privileges.get(own):
        raise InputError(f"the sequence {sequence.name} has privileges of its own, which the next one would lack")
    there = _handed_over(table, column, sequence, (column.name, table.new(column.name)))
    back = _handed_over(table, column, sequence, (table.new(column.name), column.name))
    comment = details.comments.get(own)
    if comment is not None:
        text = f"COMMENT ON SEQUENCE {quoted(sequence.name)} IS {quote_literal(comment).strip()}"
        there.append(text)
        back.append(text)
    return there, back


def _handed_over(table: SecondColumns, column: Column, sequence: Sequence, names: tuple[str, str]) -> list[str]:
    """From one column of a table to another. The name of the sequence is free first: a lock on it keeps others out."""
    old, new = map(quote_identifier, names)
    aside = sequence.name._replace(name=table.name("old_sequence", column.name))
    options = sequence_sql(replace(sequence.options, type=None))
    generated = f"GENERATED {_GENERATED[column.identity]} AS IDENTITY (SEQUENCE NAME {quoted(sequence.name)} {options})"
    value = f"pg_catalog.setval({quote_literal(quoted(sequence.name)).strip()}, last_value, is_called)"
    return [
        f"ALTER SEQUENCE {quoted(sequence.name)} RENAME TO {quote_identifier(aside.name)}",
        f"{table.alter} ALTER COLUMN {new} ADD {generated}",
        f"SELECT {value} FROM {quoted(aside)}",
        f"{table.alter} ALTER COLUMN {old} DROP IDENTITY",
    ]
