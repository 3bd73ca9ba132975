"""The steps of a recipe for one operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dflint.model.context import Context
from dflint.model.errors import InputError
from dflint.model.plan import Backfill, Check
from dflint.model.recipe import Recipe, RecipeStep
from dflint.planning.backfills import has_key
from dflint.planning.recipes.ingredients import Kitchen
from dflint.planning.statements import operations_of
from dflint.plugin.recipes import Builder

#: Whether a step's conditions hold; what cannot be told does.
Holds = Callable[[Mapping[str, Any], Context], bool]


def rendered(recipe: Recipe, kitchen: Kitchen, holds: Holds, builder: Builder | None = None) -> tuple[RecipeStep, ...]:
    """The steps, their holes filled; every statement is one that the grammar accepts and dflint understands.

    Args:
        recipe: that fits the operation.
        kitchen: the operation.
        holds: tells whether the conditions of a step hold.
        builder: of a recipe whose steps are made in Python.

    Raises:
        InputError: the operation lacks something, or what came out cannot be read; it names the recipe.
    """
    try:
        if builder is not None:
            steps = tuple(builder(kitchen))
        else:
            steps = tuple(_step(each, kitchen) for each in recipe.steps if _applies(each, kitchen, holds))
    except InputError as error:
        raise InputError(f"the recipe {recipe.id} cannot be followed here: {error.message}") from error
    for step in steps:
        _verify(recipe, step)
        assigned = getattr(kitchen.operation, "assigned", ())
        if step.kind == "backfill" and not has_key(kitchen.target, kitchen.context.catalog, assigned):
            raise InputError(
                f"the recipe {recipe.id} goes through the table in batches, and {kitchen.target} has no unique key of "
                "columns that are NOT NULL and stay as they are"
            )
    return steps


def _applies(step: Mapping[str, Any], kitchen: Kitchen, holds: Holds) -> bool:
    if not step.get("since", 0) <= kitchen.version <= step.get("until", 1000):
        return False
    return "when" not in step or holds(step["when"], kitchen.context)


def _step(step: Mapping[str, Any], kitchen: Kitchen) -> RecipeStep:
    undo = step.get("undo")
    return RecipeStep(
        sql=kitchen.fill(step["sql"]).strip(),
        kind=step.get("kind", "run"),
        why=step.get("why", "").strip(),
        undo=None
        if undo is None
        else tuple(kitchen.fill(each) for each in ([undo] if isinstance(undo, str) else undo)),
        irreversible=step.get("irreversible"),
        release=step.get("release", 1),
        backfill=Backfill("", tuple(step.get("key", ())), step["batch"]) if "batch" in step else None,
        pre=_checks(step.get("pre", ()), kitchen),
        post=_checks(step.get("post", ()), kitchen),
    )


def _checks(given: Sequence[Mapping[str, str]], kitchen: Kitchen) -> tuple[Check, ...]:
    return tuple(Check(each["name"], kitchen.fill(each["sql"])) for each in given)


def _verify(recipe: Recipe, step: RecipeStep) -> None:
    """What is shown can be run."""
    texts = [] if step.kind == "manual" else [step.sql]
    for text in (*texts, *(step.undo or ()), *(check.sql for check in (*step.pre, *step.post))):
        operations = operations_of(text)
        if not operations or any(operation.kind == "opaque" for operation in operations):
            raise InputError(f"the recipe {recipe.id} gives a statement that cannot be read: {text}")
