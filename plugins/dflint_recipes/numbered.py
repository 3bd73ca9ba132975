"""Columns that number their rows: serial and identity, filled while the application runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dflint.model.catalog import Sequence as SequenceObject
from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.tables import AddColumn
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column
from dflint.plugin.recipes import Ingredients
from dflint_recipes.columns import BATCH
from dflint_recipes.keys import not_null

_GENERATED = {"always": "ALWAYS", "default": "BY DEFAULT"}
_INTEGERS = {"int2": "smallint", "int4": "integer", "int8": "bigint"}


def add_column_numbered(given: Ingredients) -> Sequence[RecipeStep]:
    """The column comes empty, new rows take their numbers from a sequence, old ones get theirs in batches.

    Raises:
        InputError: it comes with constraints or options, which the recipe knows nothing of.
    """
    operation = given.operation
    assert isinstance(operation, AddColumn)
    column = operation.column
    kind = _INTEGERS.get(column.type.name.name) if column.type is not None and not column.type.dimensions else None
    if any(each.kind != "not_null" for each in column.constraints) or kind is None or operation.only:
        raise InputError("the column comes with a constraint of its own: add that by a statement of its own")
    if column.identity_options is not None:
        raise InputError("its sequence has options of its own, which there would have to be twice")
    table = given.context.catalog.relation(given.target)
    if not isinstance(table, Table) or given.context.catalog.children_of.get(given.target) or table.parents:
        raise InputError("tables inherit from the table, or it inherits, or not enough is known of it")
    return tuple(_steps(given, column, kind))


def _steps(given: Ingredients, column: Column, kind: str) -> Iterator[RecipeStep]:
    alter, name = given.fill("ALTER TABLE {target}"), quote_identifier(column.name)
    own = _sequence(given, column.name)
    sequence = own if column.serial else Name(given.target.schema, given.new_name("numbers", column.name))
    made = [
        f"CREATE SEQUENCE {_quoted(sequence)} AS {kind}",
        f"{alter} ALTER COLUMN {name} SET DEFAULT nextval({quote_literal(_quoted(sequence)).strip()})",
        f"ALTER SEQUENCE {_quoted(sequence)} OWNED BY {given.fill('{target}')}.{name}",
    ]
    yield RecipeStep(
        sql=";\n".join((f"{alter} ADD COLUMN {name} {kind}", *made)),
        why="For a moment nobody can read or write; no row is written, and rows that come from now on have a number.",
        # The sequence goes with the column.
        undo=(f"{alter} DROP COLUMN {name}",),
    )
    yield RecipeStep(
        sql=f"UPDATE {given.fill('{target}')} SET {name} = DEFAULT WHERE {name} IS NULL",
        kind="backfill",
        why="Rows that were there get their numbers in small transactions.",
        backfill=Backfill("", (), BATCH),
        undo=(),
    )
    yield from not_null(given, column.name)
    if column.serial:
        return
    generated = f"{alter} ALTER COLUMN {name} ADD GENERATED {_GENERATED[column.identity]} AS IDENTITY"
    yield RecipeStep(
        sql=";\n".join(
            (
                f"{alter} ALTER COLUMN {name} DROP DEFAULT",
                generated,
                _counted_on(own, sequence),
                f"DROP SEQUENCE {_quoted(sequence)}",
            )
        ),
        why="For a moment nobody can read or write; the identity goes on where the sequence stood.",
        undo=(
            made[0],
            _counted_on(sequence, own),
            f"{alter} ALTER COLUMN {name} DROP IDENTITY",
            *made[1:],
        ),
    )


def _counted_on(new: Name, old: Name) -> str:
    """One sequence goes on where another stands."""
    return f"SELECT pg_catalog.setval({quote_literal(_quoted(new)).strip()}, last_value, is_called) FROM {_quoted(old)}"


def _sequence(given: Ingredients, column: str) -> Name:
    """The sequence of the column, by the name that the server will choose."""
    if given.context.foresee is not None:
        for found in given.context.foresee().after.relations.values():
            if isinstance(found, SequenceObject) and (found.owner_table, found.owner_column) == (given.target, column):
                return found.name
    raise InputError("the name of its sequence cannot be told")


def _quoted(name: Name) -> str:
    return f"{quote_identifier(name.schema or 'public')}.{quote_identifier(name.name)}"
