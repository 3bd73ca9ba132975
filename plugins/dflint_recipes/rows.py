"""Rows that are changed, or go, in small transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dflint.model.catalog import Catalog, Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.data import Delete, Update
from dflint.model.plan import Backfill
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients

BATCH = 1000
#: What a foreign key does to the rows that refer to one that goes, other than refusing.
_ACTIONS = frozenset({"cascade", "set_null", "set_default"})


def backfill(given: Ingredients) -> Sequence[RecipeStep]:
    """The UPDATE, in batches.

    Raises:
        InputError: it reads what its own batches change, or may: each batch would see what those before it wrote.
    """
    assert isinstance(given.operation, Update)
    _refuse_reading(given, given.operation.reads)
    _refuse_triggers(given, "update")
    return (
        RecipeStep(
            sql=given.fill("{statement}"),
            kind="backfill",
            why="Along a unique key, in small transactions, so that rows are locked for moments and dead ones can be "
            "cleaned up.",
            backfill=Backfill("", (), BATCH),
        ),
    )


def delete_in_batches(given: Ingredients) -> Sequence[RecipeStep]:
    """The DELETE, in batches.

    Raises:
        InputError: it reads what its own batches change, or may; or foreign keys lead back to the table.
    """
    assert isinstance(given.operation, Delete)
    _refuse_reading(given, given.operation.reads)
    _refuse_triggers(given, "delete")
    back = next(_leading_back(given.context.catalog, given.target), None)
    if back is not None:
        raise InputError(
            f"the foreign key {back} leads back to {given.target}: rows of one batch may need rows of another, or be "
            "changed by it"
        )
    return (
        RecipeStep(
            sql=given.fill("{statement}"),
            kind="backfill",
            why="Along a unique key, in small transactions, so that rows are locked for moments, replicas keep up and "
            "VACUUM can clean up behind.",
            backfill=Backfill("", (), BATCH),
        ),
    )


def _refuse_reading(given: Ingredients, reads: Sequence[Name]) -> None:
    for name in map(given.context.resolve, reads):
        if name == given.target or not isinstance(given.context.catalog.relation(name), Table):
            raise InputError(f"it reads {name}, so that a batch would or might see what batches before it wrote")


def _refuse_triggers(given: Ingredients, event: str) -> None:
    table = given.context.catalog.relation(given.target)
    for trigger in table.triggers if isinstance(table, Table) else ():
        if event in trigger.events and not trigger.for_each_row and trigger.state != "disable":
            raise InputError(f"the trigger {trigger.name} fires once for the whole statement, not for each batch")


def _leading_back(catalog: Catalog, start: Name) -> Iterator[str]:
    """Names of foreign keys by which deleting rows of a table touches the table itself, over other tables or not."""
    tables = [each for each in catalog.relations.values() if isinstance(each, Table)]
    pending, seen = [start], {start}
    while pending:
        gone = pending.pop()
        for table in tables:
            for each in table.constraints:
                if each.kind != "foreign_key" or each.references != gone:
                    continue
                if table.name == start:
                    yield each.name or ""
                elif each.on_delete in _ACTIONS and table.name not in seen:
                    seen.add(table.name)
                    pending.append(table.name)
