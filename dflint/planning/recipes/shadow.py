"""Changing a column's type beside the writers: a second column is kept up to date, filled, and takes the first's place.

What the first column carries (NOT NULL, default, owned sequence, CHECKs, indexes, unique constraints, comment) the
second one gets. A column that carries more is refused, by the name of what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from msgspec.structs import replace

from dflint.model.catalog import Catalog, Index, Table
from dflint.model.catalog import Sequence as SequenceObject
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.operations.tables import AlterColumnType
from dflint.model.plan import Backfill
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Column, Constraint, IndexElement
from dflint.planning.undo.spelling import expression_sql, index_sql, quoted
from dflint.plugin.recipes import Ingredients

#: Rows in the first batch.
BATCH: Final = 1000
#: From this major on NOT NULL is a constraint with a name, and may be NOT VALID.
_NAMED_NOT_NULL: Final = 18


def change_column_type(given: Ingredients) -> Sequence[RecipeStep]:
    """The steps; see the module.

    Raises:
        InputError: the column carries something that cannot be carried over, or not enough is known.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, AlterColumnType)
    table = catalog.relation(given.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    if not isinstance(table, Table) or not table.complete or not isinstance(column, Column):
        raise InputError(f"not enough is known of {given.target}")
    carried = Carried(given, catalog, table, column)
    carried.refuse_more()
    return tuple(_Shadow(given, table, column, carried).steps())


class Carried:
    """What hangs on a column."""

    def __init__(self, given: Ingredients, catalog: Catalog, table: Table, column: Column) -> None:
        self._given = given
        self._catalog = catalog
        self._table = table
        self._column = column
        mine = [each for each in table.constraints if self._mentions(each)]
        self.checks = [each for each in mine if each.kind == "check"]
        self.unique = [each for each in mine if each.kind == "unique"]
        self.not_null = next((each for each in mine if each.kind == "not_null"), None)
        self._others = [each for each in mine if each.kind not in ("check", "unique", "not_null")]

    @cached_property
    def indexes(self) -> list[Index]:
        """Its indexes, but for those behind constraints."""
        found = (self._catalog.relation(name) for name in self._catalog.indexes_of.get(self._table.name, ()))
        return [each for each in found if isinstance(each, Index) and each.constraint is None and self._in(each)]

    @cached_property
    def sequence(self) -> Name | None:
        """The sequence that it owns."""
        for name, found in self._catalog.relations.items():
            if isinstance(found, SequenceObject):
                owner = (found.owner_table, found.owner_column)
                if owner == (self._table.name, self._column.name):
                    return name
        return None

    def index_behind(self, constraint: Constraint) -> Index:
        """The index of a unique constraint."""
        name = constraint.index or Name(self._table.name.schema, constraint.name or "")
        found = self._catalog.relation(name)
        if not isinstance(found, Index):
            raise InputError(f"the index behind {constraint.name} is not known")
        return found

    def refuse_more(self) -> None:
        """Raise what the column carries beyond that."""
        reasons = list(self._more())
        if reasons:
            raise InputError(f"{self._table.name}.{self._column.name} cannot be carried over: {'; '.join(reasons)}")

    def _more(self) -> Iterator[str]:
        table, column, catalog = self._table, self._column, self._catalog
        if not catalog.closed:
            yield "what else needs it is known of a database or a snapshot only: give --db or --catalog"
        if table.partition_by is not None or table.bound is not None or table.parents or table.foreign_server:
            yield "the table is partitioned, a partition, foreign, or inherits"
        if catalog.children_of.get(table.name):
            yield "tables inherit from the table"
        if column.identity or column.generation:
            yield "it is an identity or generated column"
        if column.storage or column.compression or column.statistics is not None or column.options:
            yield "it has storage settings of its own"
        for each in self._others:
            yield f"it is in the {each.kind.replace('_', ' ')} {each.name}"
        for name, other in catalog.relations.items():
            if isinstance(other, Table) and any(
                each.kind == "foreign_key" and each.references == table.name and column.name in each.referenced_columns
                for each in other.constraints
            ):
                yield f"foreign keys of {name} refer to it"
        for index in (*self.indexes, *map(self.index_behind, self.unique)):
            if any(each.column is None for each in index.elements) or index.where is not None or not index.valid:
                yield f"the index {index.name.name} has expressions or a condition, or is not valid"
        for trigger in table.triggers:
            if column.name in trigger.columns or (trigger.when and column.name in trigger.when.columns()):
                yield f"the trigger {trigger.name} names it"
        yield from self._recorded()

    def _recorded(self) -> Iterator[str]:
        """Dependents that the server has recorded, and that are none of those which are carried over."""
        own = (self._table.name.schema or "public", self._table.name.name)
        identity = str(Identity("column", (*own, self._column.name)))
        known = {f"default:{identity.partition(':')[2]}"}
        known |= {str(Identity("constraint", (*own, each.name or ""))) for each in (*self.checks, *self.unique)}
        if self.sequence is not None:
            known.add(str(Identity("sequence", (self.sequence.schema or "public", self.sequence.name))))
        for index in (*self.indexes, *map(self.index_behind, self.unique)):
            known.add(str(Identity("index", (index.name.schema or "public", index.name.name))))
        for dependent, needs in self._catalog.details.dependencies.items():
            if any(each.referenced == identity for each in needs) and dependent not in known:
                yield f"{dependent} needs it"
        if self._catalog.details.privileges.get(identity):
            yield "it has privileges of its own"
        for publication in self._catalog.publications.values():
            if publication is not None and any(
                name == self._table.name and self._column.name in listed for name, listed in publication.columns
            ):
                yield f"the publication {publication.name} lists it"

    def _mentions(self, constraint: Constraint) -> bool:
        if self._column.name in constraint.columns:
            return True
        return constraint.expression is not None and self._column.name in constraint.expression.columns()

    def _in(self, index: Index) -> bool:
        name = self._column.name
        if name in index.include or (index.where is not None and name in index.where.columns()):
            return True
        return any(
            each.column == name or (each.expression is not None and name in each.expression.columns())
            for each in index.elements
        )


class _Shadow:
    """The steps, with the names that they use."""

    def __init__(self, given: Ingredients, table: Table, column: Column, carried: Carried) -> None:
        self._given = given
        self._table = table
        self._column = column
        self._carried = carried
        self._target = quoted(table.name)
        self._old = quote_identifier(column.name)
        self._new = quote_identifier(given.new_name("new"))
        self._kept = quote_identifier(given.new_name("old"))
        self._forward = given.new_name("forward")
        self._back = given.new_name("back")
        self._using = _using(given)

    def steps(self) -> Iterator[RecipeStep]:
        """All of them, in order."""
        yield self._added()
        yield self._filled()
        if self._column.not_null:
            yield from required(self._given, self._target, self._new, self._given.new_name("new_not_null"))
        for index in self._carried.indexes:
            yield self._indexed(index, f"index_{index.name.name}")
        for constraint in self._carried.unique:
            yield self._indexed(self._carried.index_behind(constraint), f"key_{constraint.name}")
        yield self._swapped()
        for check in self._carried.checks:
            yield RecipeStep(
                sql=f"{self._alter} VALIDATE CONSTRAINT {quote_identifier(check.name or '')}",
                why="The rows are read under a lock that lets reads and writes through.",
                undo=(),
            )
        yield RecipeStep(
            sql=f"See that everything works with the new type of {self._old} of {self._target}.",
            kind="manual",
            why=f"Until the next step {self._kept} is kept up to date, and the change can be taken back.",
            release=2,
        )
        yield self._dropped()

    @property
    def _alter(self) -> str:
        return f"ALTER TABLE {self._target}"

    def _added(self) -> RecipeStep:
        value = "NEW." + self._old
        if self._using:
            row = quote_identifier(self._table.name.name)
            value = f"(SELECT {self._using} FROM (SELECT NEW.*) AS {row})"
        body = f"#variable_conflict use_column\nBEGIN\n  NEW.{self._new} := {value};\n  RETURN NEW;\nEND"
        return RecipeStep(
            sql=";\n".join(
                (
                    self._given.fill(f"{self._alter} ADD COLUMN {_escaped(self._new)} {{type}}") + self._collation,
                    *triggered(self._table.name, self._forward, body),
                )
            ),
            why="For a moment nobody can read or write; from then on each row that is written gets both values.",
            undo=(*untriggered(self._table.name, self._forward), f"{self._alter} DROP COLUMN {self._new}"),
        )

    @property
    def _collation(self) -> str:
        collation = self._given.fill("{collate}")
        return f" {collation}" if collation else ""

    def _filled(self) -> RecipeStep:
        value = self._using or self._old
        return RecipeStep(
            sql=(
                f"UPDATE {self._target} SET {self._new} = {value} WHERE {self._new} IS NULL AND {self._old} IS NOT NULL"
            ),
            kind="backfill",
            why="Rows that were there get their value in small transactions.",
            backfill=Backfill("", (), BATCH),
            undo=(),
        )

    def _indexed(self, index: Index, what: str) -> RecipeStep:
        name = self._given.new_name(what)
        elements = tuple(
            replace(each, column=self._given.new_name("new")) if each.column == self._column.name else each
            for each in index.elements
        )
        include = tuple(self._given.new_name("new") if each == self._column.name else each for each in index.include)
        copied = replace(index, name=Name(None, name), elements=_usual(elements), include=include)
        text = index_sql(copied, None)
        if text is None:
            raise InputError(f"the index {index.name.name} cannot be spelled")
        return RecipeStep(
            sql=text.replace("INDEX ", "INDEX CONCURRENTLY ", 1),
            why="It lets reads and writes through.",
            undo=(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(Name(self._table.name.schema, name))}",),
        )

    def _swapped(self) -> RecipeStep:
        there, back = [], []  # type: list[str], list[str]
        there += untriggered(self._table.name, self._forward)
        self._swap_default(there, back)
        self._swap_not_null(there, back)
        self._swap_unique(there, back)
        for check in self._carried.checks:
            own, other = quote_identifier(check.name or ""), quote_identifier(self._given.new_name(f"old_{check.name}"))
            there.append(f"{self._alter} RENAME CONSTRAINT {own} TO {other}")
            back.insert(0, f"{self._alter} RENAME CONSTRAINT {other} TO {own}")
        there += (
            f"{self._alter} RENAME COLUMN {self._old} TO {self._kept}",
            f"{self._alter} RENAME COLUMN {self._new} TO {self._old}",
        )
        back[:0] = (
            f"{self._alter} RENAME COLUMN {self._old} TO {self._new}",
            f"{self._alter} RENAME COLUMN {self._kept} TO {self._old}",
        )
        self._swap_indexes(there, back)
        for check in self._carried.checks:
            own = quote_identifier(check.name or "")
            there.append(f"{self._alter} ADD CONSTRAINT {own} {self._check(check)} NOT VALID")
            back.insert(0, f"{self._alter} DROP CONSTRAINT {own}")
        comment = self._comment()
        there += comment
        body = (
            f"BEGIN\n  BEGIN\n    NEW.{self._kept} := NEW.{self._old};\n  EXCEPTION WHEN data_exception THEN\n"
            f"    NEW.{self._kept} := NULL;\n  END;\n  RETURN NEW;\nEND"
        )
        there += triggered(self._table.name, self._back, body)
        return RecipeStep(
            sql=";\n".join(there),
            why="For a moment nobody can read or write; then the name means the new column. The old one is kept up to "
            "date where its type can hold the value.",
            undo=(*untriggered(self._table.name, self._back), *back),
        )

    def _swap_default(self, there: list[str], back: list[str]) -> None:
        if self._carried.sequence is not None:
            sequence = quoted(self._carried.sequence)
            there.append(f"ALTER SEQUENCE {sequence} OWNED BY {self._target}.{self._new}")
            back.insert(0, f"ALTER SEQUENCE {sequence} OWNED BY {self._target}.{self._old}")
        if self._column.default is None:
            return
        own = (self._table.name.schema or "public", self._table.name.name, self._column.name)
        text = self._given.definition(str(Identity("default", own))) or expression_sql(self._column.default)
        if text is None:
            raise InputError(f"the default of {self._column.name} is not known")
        there += (
            f"{self._alter} ALTER COLUMN {self._new} SET DEFAULT {text}",
            f"{self._alter} ALTER COLUMN {self._old} DROP DEFAULT",
        )
        back[:0] = (f"{self._alter} ALTER COLUMN {self._old} SET DEFAULT {text}",)

    def _swap_not_null(self, there: list[str], back: list[str]) -> None:
        if not self._column.not_null:
            return
        there.append(f"{self._alter} ALTER COLUMN {self._old} DROP NOT NULL")
        if self._given.version < _NAMED_NOT_NULL or self._carried.not_null is None:
            back.append(f"{self._alter} ALTER COLUMN {self._old} SET NOT NULL")
            return
        own = quote_identifier(self._carried.not_null.name or "")
        new = quote_identifier(self._given.new_name("new_not_null"))
        there.append(f"{self._alter} RENAME CONSTRAINT {new} TO {own}")
        back += (
            f"{self._alter} RENAME CONSTRAINT {own} TO {new}",
            f"{self._alter} ADD CONSTRAINT {own} NOT NULL {self._old}",
        )

    def _swap_unique(self, there: list[str], back: list[str]) -> None:
        for constraint in self._carried.unique:
            own = quote_identifier(constraint.name or "")
            other = quote_identifier(self._given.new_name(f"old_{constraint.name}"))
            index = quote_identifier(self._given.new_name(f"key_{constraint.name}"))
            tail = " DEFERRABLE" if constraint.deferrable else ""
            tail += " INITIALLY DEFERRED" if constraint.initially_deferred else ""
            there += (
                f"{self._alter} RENAME CONSTRAINT {own} TO {other}",
                f"{self._alter} ADD CONSTRAINT {own} UNIQUE USING INDEX {index}{tail}",
            )
            back[:0] = (
                f"{self._alter} DROP CONSTRAINT {own}",
                f"{self._alter} RENAME CONSTRAINT {other} TO {own}",
            )

    def _swap_indexes(self, there: list[str], back: list[str]) -> None:
        schema = self._table.name.schema
        for index in self._carried.indexes:
            own, other = index.name, self._given.new_name(f"old_{index.name.name}")
            new = self._given.new_name(f"index_{index.name.name}")
            there += (
                f"ALTER INDEX {quoted(own)} RENAME TO {quote_identifier(other)}",
                f"ALTER INDEX {quoted(Name(schema, new))} RENAME TO {quote_identifier(own.name)}",
            )
            back[:0] = (
                f"ALTER INDEX {quoted(own)} RENAME TO {quote_identifier(new)}",
                f"ALTER INDEX {quoted(Name(schema, other))} RENAME TO {quote_identifier(own.name)}",
            )

    def _check(self, check: Constraint) -> str:
        own = (self._table.name.schema or "public", self._table.name.name, check.name or "")
        text = self._given.definition(str(Identity("constraint", own)))
        if text is None:
            raise InputError(f"the condition of {check.name} is not known: give --db")
        return text.removesuffix(" NOT VALID")

    def _comment(self) -> list[str]:
        own = (self._table.name.schema or "public", self._table.name.name, self._column.name)
        comment = self._given.context.catalog.details.comments.get(str(Identity("column", own)))
        if comment is None:
            return []
        return [f"COMMENT ON COLUMN {self._target}.{self._old} IS {quote_literal(comment).strip()}"]

    def _dropped(self) -> RecipeStep:
        return RecipeStep(
            sql=";\n".join((*untriggered(self._table.name, self._back), f"{self._alter} DROP COLUMN {self._kept}")),
            why="For a moment nobody can read or write; no row is written.",
            release=2,
            irreversible="the values as they were before the change are gone",
        )


def required(given: Ingredients, target: str, column: str, name: str) -> Iterator[RecipeStep]:
    """The steps that make a new column NOT NULL without reading rows under a strong lock.

    Args:
        target, column: quoted.
        name: of the constraint, where it has one.
    """
    alter = f"ALTER TABLE {target}"
    if given.version >= _NAMED_NOT_NULL:
        own = quote_identifier(name)
        yield RecipeStep(
            sql=f"{alter} ADD CONSTRAINT {own} NOT NULL {column} NOT VALID",
            why="For a moment nobody can read or write; old rows are not looked at.",
            undo=(f"{alter} DROP CONSTRAINT IF EXISTS {own}",),
        )
        yield RecipeStep(
            sql=f"{alter} VALIDATE CONSTRAINT {own}",
            why="The old rows are read under a lock that lets reads and writes through.",
            undo=(),
        )
        return
    proof = quote_identifier(given.new_name("new_present"))
    yield RecipeStep(
        sql=f"{alter} ADD CONSTRAINT {proof} CHECK ({column} IS NOT NULL) NOT VALID",
        why="For a moment nobody can read or write; old rows are not looked at.",
        undo=(f"{alter} DROP CONSTRAINT IF EXISTS {proof}",),
    )
    yield RecipeStep(
        sql=f"{alter} VALIDATE CONSTRAINT {proof}",
        why="The old rows are read under a lock that lets reads and writes through.",
        undo=(),
    )
    yield RecipeStep(
        sql=f"{alter} ALTER COLUMN {column} SET NOT NULL;\n{alter} DROP CONSTRAINT {proof}",
        why="The CHECK proves that there is no null, so that no row is read; then it has done its work.",
        undo=(f"{alter} ALTER COLUMN {column} DROP NOT NULL",),
    )


def triggered(table: Name, function: str, body: str) -> tuple[str, str]:
    """A function and the trigger of its name, which fires after all others: they may change the row.

    Args:
        function: its name, in the table's schema.
        body: in PL/pgSQL.
    """
    called, name = quoted(Name(table.schema, function)), quote_identifier(f"zz_{function}"[:63])
    return (
        f"CREATE FUNCTION {called}() RETURNS trigger LANGUAGE plpgsql AS {quote_literal(body).strip()}",
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {quoted(table)} FOR EACH ROW EXECUTE FUNCTION {called}()",
    )


def untriggered(table: Name, function: str) -> tuple[str, str]:
    """What drops both, where they are there."""
    name = quote_identifier(f"zz_{function}"[:63])
    return (
        f"DROP TRIGGER IF EXISTS {name} ON {quoted(table)}",
        f"DROP FUNCTION IF EXISTS {quoted(Name(table.schema, function))}()",
    )


def _using(given: Ingredients) -> str:
    """The expression of USING; "" where the server converts by itself."""
    try:
        return given.fill("{expression}")
    except InputError:
        return ""


def _usual(elements: tuple[IndexElement, ...]) -> tuple[IndexElement, ...]:
    """Operator classes and collations belong to the old type: the new one's own are taken."""
    return tuple(replace(each, operator_class=None, collation=None) for each in elements)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
