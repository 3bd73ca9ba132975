"""Changing a column's type beside the writers: a second column is kept up to date, filled, and takes the first's place.

What the first column carries (NOT NULL, default, sequence, CHECKs, indexes, keys, comments) the second one gets. The
columns that refer to it change with it. A column that carries more is refused, by the name of what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.names import Identity
from dflint.model.operations.tables import AlterColumnType
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column, Constraint
from dflint.planning.recipes.exchange import Exchange, TableExchange
from dflint.planning.recipes.family import Family, Key, family
from dflint.planning.recipes.second_columns import SecondColumns
from dflint.planning.undo.spelling import constraint_sql, quoted
from dflint.plugin.recipes import Ingredients


def change_column_type(given: Ingredients) -> Sequence[RecipeStep]:
    """The steps for a column that is in no key; none for one that is.

    Raises:
        InputError: the column carries something that cannot be carried over, or not enough is known.
    """
    found = _family(given)
    return () if found.is_key else tuple(_Change(given, found).steps())


def change_key_type(given: Ingredients) -> Sequence[RecipeStep]:
    """The steps for a column of a primary or foreign key, and for those that refer to it; none for any other.

    Raises:
        InputError: one of them carries something that cannot be carried over, or not enough is known.
    """
    found = _family(given)
    return tuple(_Change(given, found).steps()) if found.is_key else ()


def _family(given: Ingredients) -> Family:
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, AlterColumnType)
    table = catalog.relation(given.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    if not isinstance(table, Table) or not table.complete or not isinstance(column, Column):
        raise InputError(f"not enough is known of {given.target}")
    return family(catalog, table, column, operation.type)


class _Change:
    """The steps for all columns that change together."""

    def __init__(self, given: Ingredients, found: Family) -> None:
        operation = given.operation
        assert isinstance(operation, AlterColumnType)
        used = set(operation.using.columns()) if operation.using is not None else set()
        if used - {operation.column} and sum(map(len, found.members.values())) > 1:
            raise InputError(
                f"columns that refer to {operation.column} change with it, and USING names others than it: "
                f"{', '.join(sorted(used - {operation.column}))}"
            )
        self._given = given
        self._keys = found.keys
        self._tables = {
            name: SecondColumns(given, found.tables[name], columns) for name, columns in found.members.items()
        }
        for table in self._tables.values():
            for carried in table.carried.values():
                carried.refuse_more(keys=True)

    def steps(self) -> Iterator[RecipeStep]:
        """All of them, in order."""
        tables = self._tables.values()
        for table in tables:
            yield table.added()
            yield table.filled()
            yield from table.made_alike()
        for key in self._keys:
            yield from self._made_anew(key)
        yield self._swapped()
        for table in tables:
            for check in table.proven:
                yield RecipeStep(
                    sql=f"{table.alter} VALIDATE CONSTRAINT {quote_identifier(check.name or '')}",
                    why="The rows are read under a lock that lets reads and writes through.",
                    undo=(),
                )
        yield self._watched()
        for table in tables:
            yield table.dropped()

    def _watched(self) -> RecipeStep:
        changed = " and ".join(
            f"{quote_identifier(name)} of {table.target}" for table in self._tables.values() for name in table.columns
        )
        kept = " and ".join(
            quote_identifier(table.kept(name)) for table in self._tables.values() for name in table.columns
        )
        are = "are" if " and " in kept else "is"
        return RecipeStep(
            sql=f"See that everything works with the new type of {changed}.",
            kind="manual",
            why=f"Until the next step {kept} {are} kept up to date, and the change can be taken back.",
            release=2,
        )

    # --- foreign keys -------------------------------------------------------------------------------------------------

    def _made_anew(self, key: Key) -> Iterator[RecipeStep]:
        """The foreign key between the second columns."""
        alter, own = f"ALTER TABLE {quoted(key.table.name)}", quote_identifier(self._temporary(key))
        yield RecipeStep(
            sql=f"{alter} ADD CONSTRAINT {own} {self._definition(self._of_second(key))}",
            why="For a moment nobody can write to either table; old rows are not looked at.",
            undo=(f"{alter} DROP CONSTRAINT IF EXISTS {own}",),
        )
        if key.constraint.validated and key.constraint.enforced:
            yield RecipeStep(
                sql=f"{alter} VALIDATE CONSTRAINT {own}",
                why="The rows are looked at under locks that let reads and writes through.",
                # When the swap has been taken back, the first one is there again, and not validated yet.
                undo=(f"{alter} VALIDATE CONSTRAINT {quote_identifier(key.constraint.name or '')}",),
            )

    def _temporary(self, key: Key) -> str:
        return self._given.new_name(f"fk_{key.constraint.name}", key.constraint.columns[0], key.table.name)

    def _of_second(self, key: Key) -> Constraint:
        constraint = key.constraint
        own = self._tables.get(key.table.name)
        assert constraint.references is not None
        theirs = self._tables.get(constraint.references)
        if own is not None:
            constraint = replace(
                constraint, columns=own.renamed(constraint.columns), set_columns=own.renamed(constraint.set_columns)
            )
        if theirs is not None:
            constraint = replace(constraint, referenced_columns=theirs.renamed(constraint.referenced_columns))
        return constraint

    def _definition(self, constraint: Constraint) -> str:
        text = constraint_sql(replace(constraint, validated=not constraint.enforced), None, None)
        if text is None:
            raise InputError(f"the foreign key {constraint.name} cannot be spelled")
        return text

    def _comment(self, key: Key) -> list[str]:
        name, table = key.constraint.name or "", key.table.name
        identity = Identity("fk", (table.schema or "public", table.name, name))
        text = self._given.context.catalog.details.comments.get(str(identity))
        where = f"CONSTRAINT {quote_identifier(name)} ON {quoted(table)}"
        return [] if text is None else [f"COMMENT ON {where} IS {quote_literal(text).strip()}"]

    # --- the swap -----------------------------------------------------------------------------------------------------

    def _swapped(self) -> RecipeStep:
        exchange = Exchange()
        for table in self._tables.values():
            exchange.add(table.not_forward(), table.forward())
        for key in self._keys:
            alter, own = f"ALTER TABLE {quoted(key.table.name)}", quote_identifier(key.constraint.name or "")
            exchange.add(
                (f"{alter} DROP CONSTRAINT {own}",),
                (f"{alter} ADD CONSTRAINT {own} {self._definition(key.constraint)}", *self._comment(key)),
            )
        for table in self._tables.values():
            TableExchange(exchange, table).run()
        for key in self._keys:
            alter, own = f"ALTER TABLE {quoted(key.table.name)}", quote_identifier(key.constraint.name or "")
            renamed = f"{alter} RENAME CONSTRAINT {quote_identifier(self._temporary(key))} TO {own}"
            exchange.add((renamed, *self._comment(key)), (f"{alter} DROP CONSTRAINT {own}",))
        for table in self._tables.values():
            exchange.add(table.backward(), table.not_backward())
        return RecipeStep(
            sql=";\n".join(exchange.there),
            why="For a moment nobody can read or write; then the name means the new column. The old one is kept up to "
            "date where its type can hold the value.",
            undo=tuple(exchange.back),
        )
