"""Keys that are added while others write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dflint.model.catalog import Table
from dflint.model.operations.tables import AddPrimaryKey
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients


def add_primary_key(given: Ingredients) -> Sequence[RecipeStep]:
    """Columns that may hold nulls are made NOT NULL one by one; then the index is built; then it becomes the key."""
    operation = given.operation
    assert isinstance(operation, AddPrimaryKey)
    table = given.context.catalog.relation(given.target)
    steps: list[RecipeStep] = []
    for name in operation.constraint.columns:
        column = table.column(name) if isinstance(table, Table) else None
        if column is None or not getattr(column, "not_null", False):
            steps += not_null(given, name)
    steps += [
        RecipeStep(
            sql=given.fill("CREATE UNIQUE INDEX CONCURRENTLY {new:key} ON {target} {key}"),
            why="It lets reads and writes through, and fails where there are duplicates.",
        ),
        RecipeStep(
            sql=given.fill("ALTER TABLE {target} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {new:key}{deferring}"),
            why="For a moment nobody can read or write; the index takes the constraint's name, no row is read.",
        ),
    ]
    return steps


def not_null(given: Ingredients, name: str) -> Iterator[RecipeStep]:
    """The steps that make a column NOT NULL without a scan under a strong lock.

    Args:
        name: of the column.
    """
    target, column = given.fill("{target}"), quote_identifier(name)
    if given.version >= 18:
        constraint = quote_identifier(given.new_name("not_null", name))
        yield RecipeStep(
            sql=f"ALTER TABLE {target} ADD CONSTRAINT {constraint} NOT NULL {column} NOT VALID",
            why="For a moment nobody can read or write; nulls are refused from then on, old rows are not looked at.",
        )
        yield RecipeStep(
            sql=f"ALTER TABLE {target} VALIDATE CONSTRAINT {constraint}",
            why="The old rows are read under a lock that lets reads and writes through.",
        )
        return
    proof = quote_identifier(given.new_name("present", name))
    yield RecipeStep(
        sql=f"ALTER TABLE {target} ADD CONSTRAINT {proof} CHECK ({column} IS NOT NULL) NOT VALID",
        why="For a moment nobody can read or write; nulls are refused from then on, old rows are not looked at.",
        undo=(f"ALTER TABLE {target} DROP CONSTRAINT IF EXISTS {proof}",),
    )
    yield RecipeStep(
        sql=f"ALTER TABLE {target} VALIDATE CONSTRAINT {proof}",
        why="The old rows are read under a lock that lets reads and writes through.",
    )
    yield RecipeStep(
        sql=f"ALTER TABLE {target} ALTER COLUMN {column} SET NOT NULL;\nALTER TABLE {target} DROP CONSTRAINT {proof}",
        why="The CHECK proves that there is no null, so that no row is read; then it has done its work.",
        undo=(f"ALTER TABLE {target} ALTER COLUMN {column} DROP NOT NULL",),
    )
