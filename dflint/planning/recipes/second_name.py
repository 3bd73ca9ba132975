"""Renaming a column beside the writers: for a time it is there under both names, and what one says the other says.

The first column stays what it is, with all that hangs on it; the second one is a copy for programs that know the new
name, and goes in the moment in which the first one gets that name. So constraints, views, policies and whatever else
needs the column follow it, as they do when it is just renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from dflint.facts.volatility import volatility
from dflint.model.catalog import Index, Table
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import RenameColumn
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column
from dflint.planning.recipes.beside import BATCH, triggered, untriggered
from dflint.planning.undo.spelling import expression_sql, index_sql, quoted, type_sql
from dflint.plugin.recipes import Ingredients


def rename_column(given: Ingredients) -> Sequence[RecipeStep]:
    """The steps; see the module.

    Raises:
        InputError: the column cannot be there twice, or not enough is known.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, RenameColumn)
    table = catalog.relation(given.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    if not isinstance(table, Table) or not table.complete or not isinstance(column, Column) or column.type is None:
        raise InputError(f"not enough is known of {given.target}")
    reason = next(_reasons(given, table, column), None)
    if reason is not None:
        raise InputError(f"{column.name} cannot be there under two names: {reason}")
    return tuple(_SecondName(given, table, column, operation.new_name).steps())


def _reasons(given: Ingredients, table: Table, column: Column) -> Iterator[str]:
    catalog = given.context.catalog
    if not catalog.closed:
        yield "what else needs it is known of a database or a snapshot only: give --db or --catalog"
    if table.partition_by is not None or table.bound is not None or table.parents or table.foreign_server:
        yield "the table is partitioned, a partition, foreign, or inherits"
    if catalog.children_of.get(table.name):
        yield "tables inherit from the table"
    if column.generation or column.identity:
        yield "it is an identity or generated column, which the server fills"
    if column.default is not None and volatility(column.default, given.context) not in ("constant", "stable"):
        yield "its default may be another value each time, so that it cannot be told from a value that was written"
    for trigger in table.triggers:
        if column.name in trigger.columns or (trigger.when and column.name in trigger.when.columns()):
            yield f"the trigger {trigger.name} waits for changes of it, and would miss those of the other name"
    for index in _indexes(given, table):
        read = [each.expression for each in index.elements if each.expression is not None]
        read += [index.where] if index.where is not None else []
        if any(column.name in each.columns() for each in read):
            yield f"the index {index.name.name} has it in an expression or condition"
    own = str(Identity("column", (table.name.schema or "public", table.name.name, column.name)))
    if catalog.details.privileges.get(own):
        yield "it has privileges of its own"


def _indexes(given: Ingredients, table: Table) -> list[Index]:
    catalog = given.context.catalog
    found = (catalog.relation(name) for name in catalog.indexes_of.get(table.name, ()))
    return [each for each in found if isinstance(each, Index) and each.valid]


class _SecondName:
    def __init__(self, given: Ingredients, table: Table, column: Column, new_name: str) -> None:
        self._given: Final = given
        self._table: Final = table
        self._column: Final = column
        self._new_name: Final = new_name
        self._target: Final = quoted(table.name)
        self._alter: Final = f"ALTER TABLE {self._target}"
        self._old: Final = quote_identifier(column.name)
        self._new: Final = quote_identifier(new_name)
        self._function: Final = given.new_name("both")
        self._default: Final = self._default_text()

    def steps(self) -> Iterator[RecipeStep]:
        """All of them."""
        both, alone = self._both(), self._alone()
        yield RecipeStep(
            sql=";\n".join(both),
            why="For a moment nobody can read or write; from then on each row that is written has the value twice.",
            undo=tuple(alone),
        )
        yield RecipeStep(
            sql=f"UPDATE {self._target} SET {self._new} = {self._old} "
            f"WHERE {self._new} IS NULL AND {self._old} IS NOT NULL",
            kind="backfill",
            why="Rows that were there get the second value in small transactions.",
            backfill=Backfill("", (), BATCH),
            undo=(),
        )
        for index in _indexes(self._given, self._table):
            if self._column.name in (*(each.column for each in index.elements), *index.include):
                yield self._indexed(index)
        yield RecipeStep(
            sql=f"Deploy a version of the application that uses {self._new} of {self._target}, and wait until nothing "
            f"uses {self._old}.",
            kind="manual",
            why="Until then both names work, and the change can be taken back.",
            release=2,
        )
        yield RecipeStep(
            sql=";\n".join((*alone, f"{self._alter} RENAME COLUMN {self._old} TO {self._new}")),
            why="For a moment nobody can read or write; no row is written. The copy goes, and the column itself, with "
            "all that hangs on it, has the new name.",
            release=2,
            undo=(f"{self._alter} RENAME COLUMN {self._new} TO {self._old}", *both),
        )

    def _both(self) -> list[str]:
        """The second column comes, and what keeps both alike."""
        assert self._column.type is not None
        collation = f" COLLATE {quoted(self._column.collation)}" if self._column.collation is not None else ""
        made = [f"{self._alter} ADD COLUMN {self._new} {type_sql(self._column.type)}{collation}"]
        if self._default:
            # By itself: with the column it would be the value of all rows.
            made.append(f"{self._alter} ALTER COLUMN {self._new} SET DEFAULT {self._default}")
        return [*made, *triggered(self._table.name, self._function, self._body())]

    def _alone(self) -> list[str]:
        """What takes that back."""
        return [*untriggered(self._table.name, self._function), f"{self._alter} DROP COLUMN {self._new}"]

    def _body(self) -> str:
        """As text, because not every type has an equality, and some have one that overlooks changes.

        Of a new row the value that is not the default is the one that was written. An UPDATE of other columns takes
        the old name's value: the new one is still empty in rows that were not filled.
        """
        assert self._column.type is not None
        old, new = f"NEW.{self._old}", f"NEW.{self._new}"
        usual = f"({self._default})::{type_sql(self._column.type)}::text" if self._default else "NULL"
        return (
            f"BEGIN\n  IF TG_OP = 'INSERT' THEN\n"
            f"    IF {new}::text IS NOT DISTINCT FROM {usual} THEN\n      {new} := {old};\n    END IF;\n"
            f"    {old} := {new};\n"
            f"  ELSIF {old}::text IS NOT DISTINCT FROM OLD.{self._old}::text\n"
            f"    AND {new}::text IS DISTINCT FROM OLD.{self._new}::text THEN\n    {old} := {new};\n"
            f"  ELSE\n    {new} := {old};\n  END IF;\n  RETURN NEW;\nEND"
        )

    def _indexed(self, index: Index) -> RecipeStep:
        name = self._given.new_name(f"index_{index.name.name}", self._new_name)
        elements = tuple(
            replace(each, column=self._new_name) if each.column == self._column.name else each
            for each in index.elements
        )
        include = tuple(self._new_name if each == self._column.name else each for each in index.include)
        copied = replace(index, name=Name(None, name), elements=elements, include=include)
        text = index_sql(copied, None)
        if text is None:
            raise InputError(f"the index {index.name.name} cannot be spelled")
        return RecipeStep(
            sql=text.replace("INDEX ", "INDEX CONCURRENTLY ", 1),
            why="Programs that use the new name need it too; it goes with the copy. It lets reads and writes through.",
            undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(Name(self._table.name.schema, name))}",),
        )

    def _default_text(self) -> str:
        if self._column.default is None:
            return ""
        own = (self._table.name.schema or "public", self._table.name.name, self._column.name)
        text = self._given.definition(str(Identity("default", own))) or expression_sql(self._column.default)
        if text is None:
            raise InputError(f"the default of {self._column.name} is not known")
        return text
