"""What hangs on a column, and what of it stands in the way of a second column that is to take its place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from dflint.model.catalog import Catalog, Index, Table, View
from dflint.model.catalog import Sequence as SequenceObject
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.schema import Column, Constraint


class Carried:
    """What hangs on a column.

    Attributes:
        checks, unique, foreign: constraints that it is in.
        primary: the primary key, where it is in it.
        not_null: NOT NULL as a constraint with a name (18).
    """

    def __init__(self, catalog: Catalog, table: Table, column: Column) -> None:
        self._catalog = catalog
        self._table = table
        self._column = column
        mine = [each for each in table.constraints if self._mentions(each)]
        self.checks = [each for each in mine if each.kind == "check"]
        self.unique = [each for each in mine if each.kind == "unique"]
        self.foreign = [each for each in mine if each.kind == "foreign_key"]
        self.primary = next((each for each in mine if each.kind == "primary_key"), None)
        self.not_null = next((each for each in mine if each.kind == "not_null"), None)
        self._excluding = [each for each in mine if each.kind == "exclusion"]

    @cached_property
    def indexes(self) -> list[Index]:
        """Its indexes, but for those behind constraints."""
        found = (self._catalog.relation(name) for name in self._catalog.indexes_of.get(self._table.name, ()))
        return [each for each in found if isinstance(each, Index) and each.constraint is None and self._in(each)]

    @cached_property
    def sequence(self) -> SequenceObject | None:
        """The sequence that it owns."""
        for found in self._catalog.relations.values():
            if isinstance(found, SequenceObject):
                owner = (found.owner_table, found.owner_column)
                if owner == (self._table.name, self._column.name):
                    return found
        return None

    @cached_property
    def referring(self) -> list[tuple[Table, Constraint]]:
        """The foreign keys that refer to it, and their tables."""
        return [
            (other, each)
            for other in self._catalog.relations.values()
            if isinstance(other, Table)
            for each in other.constraints
            if each.kind == "foreign_key"
            and each.references == self._table.name
            and self._column.name in referenced(each, self._table)
        ]

    def index_behind(self, constraint: Constraint) -> Index:
        """The index of a key or unique constraint."""
        name = constraint.index or Name(self._table.name.schema, constraint.name or "")
        found = self._catalog.relation(name)
        if not isinstance(found, Index):
            raise InputError(f"the index behind {constraint.name} is not known")
        return found

    @property
    def _behind(self) -> list[Index]:
        keys = [*self.unique, *([self.primary] if self.primary is not None else ())]
        return [self.index_behind(each) for each in keys]

    def refuse_more(self, *, keys: bool = False) -> None:
        """Raise what the column carries beyond NOT NULL, a default, CHECKs, unique constraints and indexes.

        Args:
            keys: primary and foreign keys, those that refer to it, and being an identity column are good as well.
        """
        reasons = list(dict.fromkeys(self._more(keys=keys)))
        if reasons:
            raise InputError(f"{self._table.name}.{self._column.name} cannot be carried over: {'; '.join(reasons)}")

    def _more(self, *, keys: bool) -> Iterator[str]:
        table, column, catalog = self._table, self._column, self._catalog
        if not catalog.closed:
            yield "what else needs it is known of a database or a snapshot only: give --db or --catalog"
        if table.partition_by is not None or table.bound is not None or table.parents or table.foreign_server:
            yield "the table is partitioned, a partition, foreign, or inherits"
        if catalog.children_of.get(table.name):
            yield "tables inherit from the table"
        if column.generation or (column.identity and not keys):
            yield "it is an identity or generated column"
        if column.storage or column.compression or column.statistics is not None or column.options:
            yield "it has storage settings of its own"
        for each in self._excluding:
            yield f"it is in the exclusion {each.name}"
        if not keys:
            yield from self._keys()
        for index in (*self.indexes, *self._behind):
            if any(each.column is None for each in index.elements) or index.where is not None or not index.valid:
                yield f"the index {index.name.name} has expressions or a condition, or is not valid"
            if index.nulls_not_distinct:
                yield f"the index {index.name.name} lets one null in only, which the old column may get many of"
        for trigger in table.triggers:
            if column.name in trigger.columns or (trigger.when and column.name in trigger.when.columns()):
                yield f"the trigger {trigger.name} names it"
        yield from self._reading()
        yield from self._recorded(keys=keys)

    def _keys(self) -> Iterator[str]:
        for each in (self.primary, *self.foreign):
            if each is not None:
                yield f"it is in the {each.kind.replace('_', ' ')} {each.name}"
        for other, _ in self.referring:
            yield f"foreign keys of {other.name} refer to it"

    def _reading(self) -> Iterator[str]:
        """What names it, as far as the values themselves say so."""
        name = self._column.name
        for other in self._table.columns:
            if other.generated is not None and name in other.generated.columns():
                yield f"the generated column {other.name} is computed from it"
        for policy in self._table.policies:
            if any(each is not None and name in each.columns() for each in (policy.using, policy.check)):
                yield f"the policy {policy.name} names it"
        for dependent in self._catalog.dependents_of.get(self._table.name, ()):
            view = self._catalog.relation(dependent)
            if isinstance(view, View) and (
                view.query.mentions is None or not {name, "*"}.isdisjoint(view.query.mentions)
            ):
                yield _of_view(str(dependent))

    def _recorded(self, *, keys: bool) -> Iterator[str]:
        """Dependents that the server has recorded, and that are none of those which are carried over."""
        own = (self._table.name.schema or "public", self._table.name.name)
        identity = str(Identity("column", (*own, self._column.name)))
        named = [each for each in (*self.unique, self.primary) if each is not None]
        known = {f"default:{identity.partition(':')[2]}"}
        known |= {str(Identity("constraint", (*own, each.name or ""))) for each in (*self.checks, *named)}
        if keys:
            known |= {str(Identity("fk", (*own, each.name or ""))) for each in self.foreign}
            for other, each in self.referring:
                known.add(str(Identity("fk", (other.name.schema or "public", other.name.name, each.name or ""))))
        if self.sequence is not None:
            sequence = self.sequence.name
            known.add(str(Identity("sequence", (sequence.schema or "public", sequence.name))))
        for index in (*self.indexes, *self._behind):
            known.add(str(Identity("index", (index.name.schema or "public", index.name.name))))
        needed = {identity, *(str(Identity("constraint", (*own, each.name or ""))) for each in named)}
        for dependent, needs in self._catalog.details.dependencies.items():
            if dependent not in known and any(each.referenced in needed for each in needs):
                yield self._why(dependent)
        if self._catalog.details.privileges.get(identity):
            yield "it has privileges of its own"
        for publication in self._catalog.publications.values():
            if publication is None:
                continue
            lists = any(
                name == self._table.name and self._column.name in listed for name, listed in publication.columns
            )
            filters = any(
                name == self._table.name and self._column.name in each.columns() for name, each in publication.filters
            )
            if lists or filters:
                yield f"the publication {publication.name} lists it"

    def _why(self, dependent: str) -> str:
        kind, _, name = dependent.partition(":")
        if kind in ("view", "materialized_view"):
            return _of_view(name)
        if kind == "fk" and all(name != f"{other.name}.{each.name}" for other, each in self.referring):
            return (
                f"{name} was dropped just before: leave the foreign key, and what refers to the column changes with it"
            )
        return f"{dependent} needs it"

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


def _of_view(name: str) -> str:
    return f"the view {name} reads it, and would go on reading the old column: drop it before, and make it again after"


def referenced(constraint: Constraint, table: Table) -> tuple[str, ...]:
    """The columns that a foreign key refers to: those of the primary key where it names none.

    Args:
        constraint: the foreign key.
        table: that it refers to.
    """
    if constraint.referenced_columns:
        return constraint.referenced_columns
    return next((each.columns for each in table.constraints if each.kind == "primary_key"), ())
