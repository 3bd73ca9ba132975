"""The second columns of one table: how they come, are filled, and get indexes and NOT NULL like the first ones'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from msgspec.structs import replace

from dflint.model.catalog import Index, Table
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column, Constraint
from dflint.planning.backfills import has_key
from dflint.planning.recipes.beside import BATCH, required, triggered, untriggered
from dflint.planning.recipes.carried import Carried
from dflint.planning.undo.spelling import index_sql, quoted
from dflint.plugin.recipes import Ingredients


class SecondColumns:
    """One table, and those of its columns that get a second one.

    Attributes:
        table: which has them.
        columns: the first ones, by name.
        carried: what hangs on each.
        target: the table as SQL.
        alter: ``ALTER TABLE`` and the table.
    """

    def __init__(self, given: Ingredients, table: Table, columns: Mapping[str, Column]) -> None:
        self.table: Final = table
        self.columns: Final = columns
        self.carried: Final = {name: Carried(given.context.catalog, table, column) for name, column in columns.items()}
        self.target: Final = quoted(table.name)
        self.alter: Final = f"ALTER TABLE {self.target}"
        self.given: Final = given
        self._using: Final = _using(given)

    # --- names --------------------------------------------------------------------------------------------------------

    def name(self, what: str, column: str | None = None) -> str:
        """A new name; of the first of the columns where none is given."""
        return self.given.new_name(what, column or next(iter(self.columns)), self.table.name)

    def new(self, column: str) -> str:
        """The second column."""
        return self.name("new", column)

    def kept(self, column: str) -> str:
        """The first column, when the second has its name."""
        return self.name("old", column)

    def renamed(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """A list of columns, with the second ones in the place of the first."""
        return tuple(self.new(each) if each in self.columns else each for each in names)

    def first_in(self, index: Index) -> str:
        """The first of the columns that an index has."""
        names = (*(each.column for each in index.elements), *index.include)
        return next(each for each in names if each is not None and each in self.columns)

    def index_name(self, index: Index) -> str:
        """Of the index over the second column."""
        what = f"index_{index.name.name}" if index.constraint is None else f"key_{index.constraint}"
        return self.name(what, self.first_in(index))

    def replaced_name(self, name: str, column: str | None = None) -> str:
        """Of something of the first column, when that of the second has its name."""
        return self.name(f"old_{name}", column)

    def back_index(self) -> str:
        """Of the unique index over the first column, from which the primary key can be made again."""
        return self.name("back_key")

    # --- what hangs on them -------------------------------------------------------------------------------------------

    @cached_property
    def indexes(self) -> list[Index]:
        """All indexes, but for those behind constraints."""
        return list({each.name: each for carried in self.carried.values() for each in carried.indexes}.values())

    @cached_property
    def checks(self) -> list[Constraint]:
        """All CHECKs."""
        return list({each.name: each for carried in self.carried.values() for each in carried.checks}.values())

    @cached_property
    def unique(self) -> list[Constraint]:
        """All unique constraints."""
        return list({each.name: each for carried in self.carried.values() for each in carried.unique}.values())

    @cached_property
    def primary(self) -> Constraint | None:
        """The primary key, where one of the columns is in it."""
        return next((each.primary for each in self.carried.values() if each.primary is not None), None)

    def index_behind(self, constraint: Constraint) -> Index:
        """The index of a key or unique constraint."""
        return next(iter(self.carried.values())).index_behind(constraint)

    def definition(self, check: Constraint) -> str:
        """A CHECK as the server prints it, NOT VALID left out.

        Raises:
            InputError: nobody asked it.
        """
        own = (self.table.name.schema or "public", self.table.name.name, check.name or "")
        text = self.given.definition(str(Identity("constraint", own)))
        if text is None:
            raise InputError(f"the condition of {check.name} is not known: give --db")
        return text.removesuffix(" NOT VALID")

    # --- steps --------------------------------------------------------------------------------------------------------

    def added(self) -> RecipeStep:
        """They come, and a trigger fills them."""
        new = [
            self.given.fill(f"{_escaped(self.alter)} ADD COLUMN {_escaped(self._new(name))} {{type}}") + self._collation
            for name in self.columns
        ]
        gone = [f"{self.alter} DROP COLUMN {self._new(name)}" for name in self.columns]
        return RecipeStep(
            sql=";\n".join((*new, *self.forward())),
            why="For a moment nobody can read or write; from then on each row that is written gets both values.",
            undo=(*self.not_forward(), *gone),
        )

    def forward(self) -> tuple[str, ...]:
        """The function and the trigger that fill the second columns."""
        lines = [f"  NEW.{self._new(name)} := {self._value(name, 'NEW.')};" for name in self.columns]
        body = "\n".join(("#variable_conflict use_column", "BEGIN", *lines, "  RETURN NEW;", "END"))
        return triggered(self.table.name, self.name("forward"), body)

    def not_forward(self) -> tuple[str, ...]:
        """What drops them."""
        return untriggered(self.table.name, self.name("forward"))

    def backward(self) -> tuple[str, ...]:
        """The function and the trigger that fill the first columns once the second ones have their names."""
        lines = []
        for name in self.columns:
            old, own = quote_identifier(self.kept(name)), quote_identifier(name)
            lines += [
                "  BEGIN",
                f"    NEW.{old} := NEW.{own};",
                "  EXCEPTION WHEN data_exception THEN",
                f"    NEW.{old} := NULL;",
                "  END;",
            ]
        return triggered(self.table.name, self.name("back"), "\n".join(("BEGIN", *lines, "  RETURN NEW;", "END")))

    def not_backward(self) -> tuple[str, ...]:
        """What drops them."""
        return untriggered(self.table.name, self.name("back"))

    def filled(self) -> RecipeStep:
        """Rows that were there get their values.

        Raises:
            InputError: there is no key along which that could be done in batches.
        """
        if not has_key(self.table.name, self.given.context.catalog):
            raise InputError(
                f"{self.table.name} has no unique key of columns that are NOT NULL, along which it would be gone "
                "through in batches"
            )
        values = [f"{self._new(name)} = {self._value(name, '')}" for name in self.columns]
        missing = [f"{self._new(name)} IS NULL AND {quote_identifier(name)} IS NOT NULL" for name in self.columns]
        where = missing[0] if len(missing) == 1 else " OR ".join(f"({each})" for each in missing)
        return RecipeStep(
            sql=f"UPDATE {self.target} SET {', '.join(values)} WHERE {where}",
            kind="backfill",
            why="Rows that were there get their value in small transactions.",
            backfill=Backfill("", (), BATCH),
            # When what follows has been taken back, the CHECKs are there again, and not validated yet.
            undo=tuple(f"{self.alter} VALIDATE CONSTRAINT {quote_identifier(each.name or '')}" for each in self.proven),
        )

    @property
    def proven(self) -> list[Constraint]:
        """The CHECKs of which the server knows that all rows hold them."""
        return [each for each in self.checks if each.validated and each.enforced]

    def made_alike(self) -> Iterator[RecipeStep]:
        """NOT NULL and indexes, as the first columns have them."""
        for name, column in self.columns.items():
            if column.not_null:
                names = self.name("new_not_null", name), self.name("new_present", name)
                yield from required(self.given, self.table.name, self.new(name), *names)
        # Those of keys first: of two that fit a foreign key takes the older one.
        for key in (*([self.primary] if self.primary is not None else ()), *self.unique):
            index = self.index_behind(key)
            yield self._indexed(index, self.index_name(index))
        for index in self.indexes:
            yield self._indexed(index, self.index_name(index))
        if self.primary is not None:
            index = replace(self.index_behind(self.primary), name=Name(None, self.back_index()))
            yield self._built(index, "The key can be made again from it in a moment, should the change be taken back.")

    def dropped(self) -> RecipeStep:
        """The first columns go."""
        gone = [f"{self.alter} DROP COLUMN {quote_identifier(self.kept(name))}" for name in self.columns]
        return RecipeStep(
            sql=";\n".join((*self.not_backward(), *gone)),
            why="For a moment nobody can read or write; no row is written.",
            release=2,
            irreversible="the values as they were before the change are gone",
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    def _new(self, column: str) -> str:
        return quote_identifier(self.new(column))

    @property
    def _collation(self) -> str:
        collation = self.given.fill("{collate}")
        return f" {collation}" if collation else ""

    def _value(self, column: str, row: str) -> str:
        """The value of a second column.

        Args:
            column: the first one.
            row: ``NEW.`` in a trigger.
        """
        if not self._using:
            return f"{row}{quote_identifier(column)}"
        target, own = self.given.target, getattr(self.given.operation, "column", "")
        alias = quote_identifier(target.name)
        if (self.table.name, column) != (target, own):
            # The expression is written of another column: this one takes its name.
            return (
                f"(SELECT {self._using} FROM (SELECT {row}{quote_identifier(column)} AS {quote_identifier(own)}) "
                f"AS {alias})"
            )
        return f"(SELECT {self._using} FROM (SELECT NEW.*) AS {alias})" if row else self._using

    def _indexed(self, index: Index, name: str) -> RecipeStep:
        elements = tuple(
            replace(each, column=self.renamed((each.column,))[0]) if each.column is not None else each
            for each in index.elements
        )
        return self._built(
            replace(index, name=Name(None, name), elements=elements, include=self.renamed(index.include)),
            "It lets reads and writes through.",
        )

    def _built(self, index: Index, why: str) -> RecipeStep:
        text = index_sql(index, None)
        if text is None:
            raise InputError(f"the index {index.name.name} cannot be spelled")
        if index.tablespace is not None:
            text += f" TABLESPACE {quote_identifier(index.tablespace)}"
        return RecipeStep(
            sql=text.replace("INDEX ", "INDEX CONCURRENTLY ", 1),
            why=why,
            undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(Name(self.table.name.schema, index.name.name))}",),
        )


def _using(given: Ingredients) -> str:
    """The expression of USING; "" where the server converts by itself."""
    try:
        return given.fill("{expression}")
    except InputError:
        return ""


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
