"""Rows that are changed in small transactions."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.operations.data import Update
from dflint.model.plan import Backfill
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients

BATCH = 1000


def backfill(given: Ingredients) -> Sequence[RecipeStep]:
    """The UPDATE, in batches.

    Raises:
        InputError: it reads what its own batches change, or may: each batch would see what those before it wrote.
    """
    operation = given.operation
    assert isinstance(operation, Update)
    for name in map(given.context.resolve, operation.reads):
        if name == given.target or not isinstance(given.context.catalog.relation(name), Table):
            raise InputError(f"it reads {name}, so that a batch would or might see what batches before it wrote")
    return (
        RecipeStep(
            sql=given.fill("{statement}"),
            kind="backfill",
            why="Along a unique key, in small transactions, so that rows are locked for moments and dead ones can be "
            "cleaned up.",
            backfill=Backfill("", (), BATCH),
        ),
    )
