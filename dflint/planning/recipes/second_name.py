"""Renaming a column beside the writers: for a time it is there under both names, and what one says the other says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.operations.objects import RenameColumn
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column
from dflint.planning.recipes.shadow import BATCH, Carried, required, triggered, untriggered
from dflint.planning.undo.spelling import quoted, type_sql
from dflint.plugin.recipes import Ingredients


def rename_column(given: Ingredients) -> Sequence[RecipeStep]:
    """The steps; see the module.

    Raises:
        InputError: the column carries something that cannot be carried over, or not enough is known.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, RenameColumn)
    table = catalog.relation(given.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    if not isinstance(table, Table) or not table.complete or not isinstance(column, Column) or column.type is None:
        raise InputError(f"not enough is known of {given.target}")
    carried = Carried(given, catalog, table, column)
    carried.refuse_more()
    if carried.checks or carried.unique or carried.indexes or column.default is not None or carried.sequence:
        raise InputError(f"{column.name} has a default, constraints or indexes, which would have to be there twice")
    return tuple(_steps(given, table, column, operation.new_name))


def _steps(given: Ingredients, table: Table, column: Column, new_name: str) -> Iterator[RecipeStep]:
    target, old, new = quoted(table.name), quote_identifier(column.name), quote_identifier(new_name)
    function = given.new_name("both")
    assert column.type is not None
    collation = f" COLLATE {quoted(column.collation)}" if column.collation is not None else ""
    # As text, because not every type has an equality, and some have one that overlooks changes. An UPDATE of other
    # columns takes the old name's value: the new one is still empty in rows that were not filled.
    body = (
        f"BEGIN\n  IF TG_OP = 'INSERT' THEN\n    NEW.{new} := coalesce(NEW.{new}, NEW.{old});\n"
        f"    NEW.{old} := NEW.{new};\n  ELSIF NEW.{old}::text IS NOT DISTINCT FROM OLD.{old}::text\n"
        f"    AND NEW.{new}::text IS DISTINCT FROM OLD.{new}::text THEN\n    NEW.{old} := NEW.{new};\n"
        f"  ELSE\n    NEW.{new} := NEW.{old};\n  END IF;\n  RETURN NEW;\nEND"
    )
    yield RecipeStep(
        sql=";\n".join(
            (
                f"ALTER TABLE {target} ADD COLUMN {new} {type_sql(column.type)}{collation}",
                *triggered(table.name, function, body),
            )
        ),
        why="For a moment nobody can read or write; from then on each row that is written has the value twice.",
        undo=(*untriggered(table.name, function), f"ALTER TABLE {target} DROP COLUMN {new}"),
    )
    yield RecipeStep(
        sql=f"UPDATE {target} SET {new} = {old} WHERE {new} IS NULL AND {old} IS NOT NULL",
        kind="backfill",
        why="Rows that were there get the second value in small transactions.",
        backfill=Backfill("", (), BATCH),
        undo=(),
    )
    if column.not_null:
        yield from required(given, target, new, given.new_name("not_null", new_name))
    yield RecipeStep(
        sql=f"Deploy a version of the application that uses {new} of {target}, and wait until nothing uses {old}.",
        kind="manual",
        why="Until then both names work, and the change can be taken back.",
        release=2,
    )
    yield RecipeStep(
        sql=";\n".join((*untriggered(table.name, function), f"ALTER TABLE {target} DROP COLUMN {old}")),
        why="For a moment nobody can read or write; no row is written.",
        release=2,
        irreversible="the column is there under its new name only",
    )
