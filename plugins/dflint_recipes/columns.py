"""Columns that are filled, or go, while the application runs."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.operations.tables import AddColumn, DropColumn
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients
from dflint_recipes.keys import not_null

#: Rows in the first batch of a backfill; later ones adapt to the time they take.
BATCH = 1000


def add_column_filled(given: Ingredients) -> Sequence[RecipeStep]:
    """The column comes empty, new rows get the default, old ones are filled in batches, and NOT NULL comes last."""
    operation = given.operation
    assert isinstance(operation, AddColumn)
    name = operation.column.name
    steps = [
        RecipeStep(
            sql=given.fill("ALTER TABLE {target} ADD COLUMN {column} {definition}"),
            why="For a moment nobody can read or write; no row is written.",
        ),
        RecipeStep(
            sql=given.fill("ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {expression}"),
            why="For a moment nobody can read or write; rows that come from now on have a value.",
        ),
        RecipeStep(
            sql=given.fill("UPDATE {target} SET {column} = DEFAULT WHERE {column} IS NULL"),
            kind="backfill",
            why="Rows that were there get their value in small transactions, each a value of its own.",
            backfill=Backfill("", (), BATCH),
            undo=(),
        ),
    ]
    required = operation.column.not_null or any(each.kind == "not_null" for each in operation.column.constraints)
    if required:
        steps += not_null(given, name)
    return steps


def drop_table(given: Ingredients) -> Sequence[RecipeStep]:
    """The table is first not needed, then out of sight under another name, then gone.

    Raises:
        InputError: it is a partition, whose rows would be seen through the parent all the same.
    """
    table = given.context.catalog.relation(given.target)
    if isinstance(table, Table) and (table.bound is not None or table.parents):
        raise InputError(f"rows of {given.target} are seen through its parent also under another name: detach it first")
    target, hidden = given.fill("{target}"), quote_identifier(given.new_name("dropped"))
    moved = given.fill("{schema}") + f".{hidden}"
    return (
        RecipeStep(
            sql="Deploy a version of the application that does not use the table, and wait until no older one is "
            "running.",
            kind="manual",
            why="Whoever names it fails as soon as it is out of sight.",
            release=2,
        ),
        RecipeStep(
            sql=f"ALTER TABLE {target} RENAME TO {hidden}",
            why="Out of sight and not gone; whatever still needs it fails now, while a rename brings it back.",
            release=2,
            undo=(f"ALTER TABLE {moved} RENAME TO {given.fill('{table}')}",),
        ),
        RecipeStep(
            sql="Wait until you are sure that nobody misses the table.",
            kind="manual",
            why="What follows cannot be taken back.",
            release=3,
        ),
        RecipeStep(
            sql=f"DROP TABLE {moved}",
            why="For a moment tables that refer to it, or that it refers to, are locked.",
            release=3,
            irreversible="the rows of the table are gone",
        ),
    )


def drop_column(given: Ingredients) -> Sequence[RecipeStep]:
    """The column is first not needed, then out of sight under another name, then gone."""
    operation = given.operation
    assert isinstance(operation, DropColumn)
    table = given.context.catalog.relation(given.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    target, own = given.fill("{target}"), given.fill("{column}")
    hidden = quote_identifier(given.new_name("dropped"))
    steps: list[RecipeStep] = []
    if getattr(column, "not_null", False) and getattr(column, "default", None) is None:
        steps.append(
            RecipeStep(
                sql=f"ALTER TABLE {target} ALTER COLUMN {own} DROP NOT NULL",
                why="The next version of the application writes rows without it.",
            )
        )
    return (
        *steps,
        RecipeStep(
            sql=f"Deploy a version of the application that does not name {own} of {target}, and wait until no older "
            "one is running.",
            kind="manual",
            why="Whoever names it fails as soon as it is out of sight.",
            release=2,
        ),
        RecipeStep(
            sql=f"ALTER TABLE {target} RENAME COLUMN {own} TO {hidden}",
            why="Out of sight and not gone: whatever still needs it fails now, while a rename brings it back.",
            release=2,
            undo=(f"ALTER TABLE {target} RENAME COLUMN {hidden} TO {own}",),
        ),
        RecipeStep(
            sql=f"Wait until you are sure that nobody misses {own} of {target}.",
            kind="manual",
            why="What follows cannot be taken back.",
            release=3,
        ),
        RecipeStep(
            sql=f"ALTER TABLE {target} DROP COLUMN {hidden}",
            why="For a moment nobody can read or write; no row is written.",
            release=3,
            irreversible="the values of the column are gone",
        ),
    )
