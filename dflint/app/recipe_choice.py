"""Which recipe takes the place of a statement, or of two that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from dflint.app.apart import Item, apart, has_clauses, joined
from dflint.model.catalog import Catalog, Index, Table
from dflint.model.context import Context
from dflint.model.errors import InputError
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.tables import AddForeignKey, AlterColumnType, DropConstraint
from dflint.model.recipe import Recipe, RecipeStep
from dflint.model.schema import Column, Constraint
from dflint.planning.recipes import Kitchen, rendered
from dflint.plugin.manager import load as load_reference
from dflint.rulebook.recipes import RecipeBook


class Choice(NamedTuple):
    """What becomes of an item.

    Attributes:
        steps: in its place.
        recipe: which made them; None: the item stays as it is.
        why: a recipe could not be followed here; "" where one could, or there is none.
        of: the statement that the item is a clause of; "" for a whole one.
    """

    item: Item
    steps: tuple[RecipeStep, ...] = ()
    recipe: Recipe | None = None
    why: str = ""
    of: str = ""

    @property
    def helps(self) -> bool:
        """Whether it does something else than the statement itself."""
        return self.recipe is not None and not self.recipe.fallback


def choices(items: Sequence[Item], book: RecipeBook, definitions: Mapping[str, str]) -> list[Choice]:
    """What becomes of statements that run one after the other."""
    made: list[Choice] = []
    pending: list[Item | Choice] = list(items)
    while pending:
        item = pending.pop(0)
        if isinstance(item, Choice):
            made.append(item)
            continue
        for place, together in _together(item, pending):
            choice = _choice(together, book, definitions)
            if choice.recipe is None:
                continue
            if place < 0:
                made.append(choice)
            else:
                pending[place] = choice
            break
        else:
            made += _by_clause(item, book, definitions) if has_clauses(item) else [_choice(item, book, definitions)]
    return made


def _by_clause(item: Item, book: RecipeBook, definitions: Mapping[str, str]) -> list[Choice]:
    """The clauses of an ALTER TABLE apart, where one of them has a recipe; those without one stay together."""
    try:
        parts = apart(item)
    except InputError as error:
        return [Choice(item, why=error.message)]
    found = choices(parts, book, definitions)
    if not any(each.helps for each in found):
        return [Choice(item, why=next((each.why for each in found if each.why), ""))]
    made: list[Choice] = []
    for helps, listed in groupby(found, key=lambda each: each.helps):
        together = list(listed)
        if helps:
            made += [each._replace(of=item.sql) for each in together]
            continue
        why = next((each.why for each in together if each.why), "")
        made.append(Choice(joined(item, [each.item for each in together]), why=why, of=item.sql))
    return made


def is_done(item: Item, catalog: Catalog) -> bool:
    """Whether a recipe has given a column the wanted type already, because it belongs to another that it changed.

    Args:
        item: the statement, with the catalog as it would be without recipes.
        catalog: as it is.
    """
    (context, *more) = item.contexts
    operation = context.operation
    if more or not isinstance(operation, AlterColumnType):
        return False
    there, planned = (_column(each, context, operation) for each in (catalog, context.catalog))
    return there is not None and planned is not None and there.type == operation.type != planned.type


def _column(catalog: Catalog, context: Context, operation: AlterColumnType) -> Column | None:
    table = catalog.relation(context.resolve(operation.target))
    column = table.column(operation.column) if isinstance(table, Table) else None
    return column if isinstance(column, Column) else None


def _choice(item: Item, book: RecipeBook, definitions: Mapping[str, str]) -> Choice:
    """The steps of the first recipe that fits and can be followed; else, or beside a fallback, why none can."""
    if item.dropped is None and len({context.operation.clause for context in item.contexts}) > 1:
        return Choice(item)
    context = item.contexts[-1]
    why = ""
    for recipe in book.fitting(context, after=item.after):
        builder = load_reference(recipe.build) if recipe.build else None
        kitchen = Kitchen(context, item.statement or item.sql, definitions, item.dropped)
        try:
            steps = rendered(recipe, kitchen, book.holds, builder)
        except InputError as error:
            why = error.message
            continue
        if steps:
            return Choice(item, steps, recipe, why if recipe.fallback else "")
    return Choice(item, why=why)


def _together(item: Item, later: Sequence[Item | Choice]) -> Iterator[tuple[int, Item]]:
    """A constraint or index that is dropped, with the one of the same columns, or name, that is added for it.

    Between the two statements others may only drop constraints and add foreign keys of other names. Yields the place
    of the second among the later ones, -1 where both are in one statement.
    """
    if len(item.contexts) == 2 and len({context.operation.clause for context in item.contexts}) == 2:
        drop, add = item.contexts
        if (dropped := _exchanged(drop, add)) is not None:
            yield -1, Item(item.sql, [add], item.group, item.sql, dropped)
        return
    if len(item.contexts) == 1 and item.contexts[0].operation.kind == "drop_index":
        yield from _same_index(item, later)
    if len(item.contexts) != 1 or not isinstance(item.contexts[0].operation, DropConstraint):
        return
    name = item.contexts[0].operation.name
    for place, each in enumerate(later):
        other = each.item if isinstance(each, Choice) else each
        operation = other.contexts[-1].operation
        if other.group != item.group or len(other.contexts) != 1:
            return
        if isinstance(each, Item) and (dropped := _exchanged(item.contexts[0], other.contexts[0])) is not None:
            yield place, Item(f"{item.sql};\n{other.sql}", other.contexts, item.group, other.sql, dropped)
            return
        if not isinstance(operation, DropConstraint | AddForeignKey):
            return
        if isinstance(operation, AddForeignKey) and operation.constraint.name == name:
            return


def _same_index(item: Item, later: Sequence[Item | Choice]) -> Iterator[tuple[int, Item]]:
    """An index that is dropped, with the one of the same name and table that is made for it.

    Between the two statements others may only drop and make indexes.
    """
    drop = item.contexts[0]
    index = drop.catalog.relation(drop.resolve(drop.operation.target)) if drop.operation.target is not None else None
    if not isinstance(index, Index) or index.constraint is not None:
        return
    for place, each in enumerate(later):
        other = each.item if isinstance(each, Choice) else each
        context = other.contexts[-1]
        operation = context.operation
        if other.group != item.group or len(other.contexts) != 1:
            return
        if isinstance(operation, CreateIndex):
            if operation.name == index.name.name and context.resolve(operation.target) == index.table:
                if isinstance(each, Item):
                    sql = f"{item.sql};\n{other.sql}"
                    yield place, Item(sql, other.contexts, item.group, other.sql, index)
                return
        elif operation.kind != "drop_index":
            return


def _exchanged(drop: Context, add: Context) -> Constraint | None:
    """The foreign key that is dropped, where another of the same columns is added."""
    first, second = drop.operation, add.operation
    if not isinstance(first, DropConstraint) or not isinstance(second, AddForeignKey):
        return None
    name = drop.resolve(first.target)
    table = drop.catalog.relation(name)
    found = table.constraint(first.name) if isinstance(table, Table) else None
    if not isinstance(found, Constraint) or found.kind != "foreign_key" or add.resolve(second.target) != name:
        return None
    return found if found.columns == second.constraint.columns else None
