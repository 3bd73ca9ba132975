"""The short transaction in which second columns take the place of the first, with all that hangs on them; its undo."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.model.catalog import Index
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Column, Constraint
from dflint.planning.recipes.beside import NAMED_NOT_NULL
from dflint.planning.recipes.counters import moved_sequence
from dflint.planning.recipes.second_columns import SecondColumns
from dflint.planning.undo.spelling import expression_sql, quoted


class Exchange:
    """Statements, each with what takes it back.

    Attributes:
        there: in order.
        back: in order, which is the other way round.
    """

    def __init__(self) -> None:
        self.there: list[str] = []
        self.back: list[str] = []

    def add(self, there: Iterable[str], back: Iterable[str]) -> None:
        """The next statements, and what takes them back once all later ones have been taken back."""
        self.there += there
        self.back[:0] = back


class TableExchange:
    """What one table contributes."""

    def __init__(self, exchange: Exchange, table: SecondColumns) -> None:
        self._add = exchange.add
        self._table = table
        self._alter = table.alter
        self._comments = table.given.context.catalog.details.comments

    def run(self) -> None:
        """All of it, but for the triggers and the foreign keys."""
        # First, because the server keeps NOT NULL on columns of an index by which rows are identified.
        self._add(self._marks(second=True), self._marks(second=False))
        self._drop_primary()
        for column in self._table.columns.values():
            self._default(column)
            if column.not_null:
                self._not_null(column)
        self._unique()
        self._checks_away()
        for name in self._table.columns:
            self._names(name)
        for index in self._table.indexes:
            self._index_names(index)
        self._primary()
        self._checks_again()
        for name in self._table.columns:
            self._add(self._comment(Identity("column", (*self._own, name)), self._column(name)), ())

    # --- keys ---------------------------------------------------------------------------------------------------------

    def _drop_primary(self) -> None:
        key = self._table.primary
        if key is None:
            return
        name, index = quote_identifier(key.name or ""), quote_identifier(self._table.back_index())
        again = f"{self._alter} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index}{_deferring(key)}"
        self._add((f"{self._alter} DROP CONSTRAINT {name}",), (again, *self._comments_of_key(key)))

    def _primary(self) -> None:
        key = self._table.primary
        if key is None:
            return
        name = quote_identifier(key.name or "")
        index = quote_identifier(self._table.index_name(self._table.index_behind(key)))
        made = f"{self._alter} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index}{_deferring(key)}"
        self._add((made, *self._comments_of_key(key)), (f"{self._alter} DROP CONSTRAINT {name}",))

    def _unique(self) -> None:
        for key in self._table.unique:
            own = quote_identifier(key.name or "")
            behind = self._table.index_behind(key)
            index = quote_identifier(self._table.index_name(behind))
            other = quote_identifier(self._table.replaced_name(key.name or "", self._table.first_in(behind)))
            self._add(
                (
                    f"{self._alter} RENAME CONSTRAINT {own} TO {other}",
                    f"{self._alter} ADD CONSTRAINT {own} UNIQUE USING INDEX {index}{_deferring(key)}",
                    *self._comments_of_key(key),
                ),
                (f"{self._alter} DROP CONSTRAINT {own}", f"{self._alter} RENAME CONSTRAINT {other} TO {own}"),
            )

    # --- the columns themselves ---------------------------------------------------------------------------------------

    def _default(self, column: Column) -> None:
        old, new = quote_identifier(column.name), quote_identifier(self._table.new(column.name))
        sequence = self._table.carried[column.name].sequence
        if sequence is not None:
            self._add(*moved_sequence(self._table, column, sequence))
        if column.default is None:
            return
        text = self._table.given.definition(str(Identity("default", (*self._own, column.name))))
        text = text or expression_sql(column.default)
        if text is None:
            raise InputError(f"the default of {column.name} is not known")
        self._add(
            (
                f"{self._alter} ALTER COLUMN {new} SET DEFAULT {text}",
                f"{self._alter} ALTER COLUMN {old} DROP DEFAULT",
            ),
            (
                f"{self._alter} ALTER COLUMN {old} SET DEFAULT {text}",
                f"{self._alter} ALTER COLUMN {new} DROP DEFAULT",
            ),
        )

    def _not_null(self, column: Column) -> None:
        old = quote_identifier(column.name)
        there, back = [f"{self._alter} ALTER COLUMN {old} DROP NOT NULL"], []  # type: list[str], list[str]
        named = self._table.carried[column.name].not_null
        if self._table.given.version < NAMED_NOT_NULL or named is None:
            back.append(f"{self._alter} ALTER COLUMN {old} SET NOT NULL")
        else:
            own = quote_identifier(named.name or "")
            new = quote_identifier(self._table.name("new_not_null", column.name))
            there.append(f"{self._alter} RENAME CONSTRAINT {new} TO {own}")
            back.append(f"{self._alter} RENAME CONSTRAINT {own} TO {new}")
            back.append(f"{self._alter} ADD CONSTRAINT {own} NOT NULL {old}")
        self._add(there, back)

    def _names(self, name: str) -> None:
        own, new, kept = map(quote_identifier, (name, self._table.new(name), self._table.kept(name)))
        rename = f"{self._alter} RENAME COLUMN"
        self._add(
            (f"{rename} {own} TO {kept}", f"{rename} {new} TO {own}"),
            (f"{rename} {own} TO {new}", f"{rename} {kept} TO {own}"),
        )

    # --- CHECKs and indexes -------------------------------------------------------------------------------------------

    def _checks_away(self) -> None:
        """They go, and are not kept for the first column: that one may get nulls that they do not allow."""
        for check in self._table.checks:
            own, text = quote_identifier(check.name or ""), self._table.definition(check)
            later = " NOT VALID" if check.enforced else ""
            again = (f"{self._alter} ADD CONSTRAINT {own} {text}{later}", *self._comment_of(check))
            self._add((f"{self._alter} DROP CONSTRAINT {own}",), again)

    def _checks_again(self) -> None:
        for check in self._table.checks:
            own, text = quote_identifier(check.name or ""), self._table.definition(check)
            later = " NOT VALID" if check.enforced else ""
            made = (f"{self._alter} ADD CONSTRAINT {own} {text}{later}", *self._comment_of(check))
            self._add(made, (f"{self._alter} DROP CONSTRAINT {own}",))

    def _index_names(self, index: Index) -> None:
        schema, own = index.name.schema, index.name.name
        other, new = self._table.replaced_name(own, self._table.first_in(index)), self._table.index_name(index)
        self._add(
            (
                f"ALTER INDEX {quoted(index.name)} RENAME TO {quote_identifier(other)}",
                f"ALTER INDEX {quoted(Name(schema, new))} RENAME TO {quote_identifier(own)}",
                *self._comment(Identity("index", (schema or "public", own)), f"INDEX {quoted(index.name)}"),
            ),
            (
                f"ALTER INDEX {quoted(index.name)} RENAME TO {quote_identifier(new)}",
                f"ALTER INDEX {quoted(Name(schema, other))} RENAME TO {quote_identifier(own)}",
            ),
        )

    def _marks(self, *, second: bool) -> list[str]:
        """That the table is clustered on one of the indexes, or identifies its rows by it.

        Args:
            second: by the index over the second column, while it has its first name.
        """
        keys = [*self._table.unique, *([self._table.primary] if self._table.primary is not None else ())]
        names = {
            index.name.name: quote_identifier(self._table.index_name(index) if second else index.name.name)
            for index in (*self._table.indexes, *map(self._table.index_behind, keys))
        }
        table, sql = self._table.table, []
        if table.clustered_on in names:
            sql.append(f"{self._alter} CLUSTER ON {names[table.clustered_on]}")
        if table.replica_index in names:
            sql.append(f"{self._alter} REPLICA IDENTITY USING INDEX {names[table.replica_index]}")
        return sql

    # --- comments -----------------------------------------------------------------------------------------------------

    @property
    def _own(self) -> tuple[str, str]:
        name = self._table.table.name
        return name.schema or "public", name.name

    def _column(self, name: str) -> str:
        return f"COLUMN {self._table.target}.{quote_identifier(name)}"

    def _comment_of(self, constraint: Constraint) -> list[str]:
        name = constraint.name or ""
        where = f"CONSTRAINT {quote_identifier(name)} ON {self._table.target}"
        return self._comment(Identity("constraint", (*self._own, name)), where)

    def _comments_of_key(self, key: Constraint) -> list[str]:
        index = self._table.index_behind(key).name
        identity = Identity("index", (index.schema or "public", index.name))
        return [*self._comment_of(key), *self._comment(identity, f"INDEX {quoted(index)}")]

    def _comment(self, identity: Identity, where: str) -> list[str]:
        text = self._comments.get(str(identity))
        return [] if text is None else [f"COMMENT ON {where} IS {quote_literal(text).strip()}"]


def _deferring(constraint: Constraint) -> str:
    words = " DEFERRABLE" if constraint.deferrable else ""
    return f"{words} INITIALLY DEFERRED" if constraint.initially_deferred else words
