"""Which names a place of a query can see, by PostgreSQL's rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from dflint.model.catalog import Catalog, CompositeType, Routine, Table, View
from dflint.model.names import Name
from dflint.model.schema import Column

SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


class Base(NamedTuple):
    """A column of a relation; ``named`` is False where the text calls it by an alias."""

    relation: Name
    column: str
    named: bool = True


class Field(NamedTuple):
    """A column that a source shows.

    Attributes:
        name: None where PostgreSQL invents it.
        bases: the columns that it is; where they are ``named``, it is called otherwise once they are.
    """

    name: str | None
    bases: tuple[Base, ...] = ()


Fields = tuple[Field, ...] | None


class Source(NamedTuple):
    """A member of FROM, or another thing with columns.

    Attributes:
        alias: the name it is visible by, None for none.
        fields: None where they are not known.
        relation: of the catalog, where the source is one.
        own_name: it is visible by the relation's own name, for it has no alias.
        hidden: the names of fields that USING or NATURAL merged into an earlier source's.
    """

    alias: str | None
    fields: tuple[Field, ...] | None
    relation: Name | None = None
    own_name: bool = False
    hidden: frozenset[str] = frozenset()

    def bases(self, name: str) -> tuple[Base, ...] | None:
        """The bases of the field of that name; None where it has no such field."""
        found = [field for field in self.fields or () if field.name == name]
        return tuple(base for field in found for base in field.bases) if found else None


class Scope(NamedTuple):
    """The sources that a place sees, innermost level first, and the queries of WITH."""

    sources: tuple[Source, ...] = ()
    parent: Scope | None = None
    queries: dict[str, tuple[Field, ...] | None] = {}  # noqa: RUF012  # never changed

    def levels(self) -> Iterator[tuple[Source, ...]]:
        """The sources of each level, from the innermost."""
        scope: Scope | None = self
        while scope is not None:
            yield scope.sources
            scope = scope.parent


class Names:
    """What names mean in a catalog under one search_path."""

    def __init__(self, catalog: Catalog, search_path: Sequence[str]) -> None:
        self.catalog = catalog
        self.path = tuple(path for path in search_path if path != "pg_catalog")
        #: Transition tables of the trigger, by name.
        self.transition: dict[str, tuple[Field, ...]] = {}

    def relation(self, name: Name) -> Name | None:
        """The relation that a name means, None where the catalog does not know it."""
        found = self.catalog.resolve(name, self.path)
        return found if self.catalog.relations.get(found) is not None else None

    def type(self, name: Name) -> Name | None:
        """The type, or relation used as a row type, that a name means; None where the catalog does not know it."""
        found = self.catalog.resolve_type(name, self.path)
        known = self.catalog.types.get(found) is not None or self.catalog.relations.get(found) is not None
        return found if known else None

    def routines(self, name: Name, arguments: int | None = None) -> tuple[Name, tuple[Routine, ...]] | None:
        """The routines of that name in the first schema that has one; None where the catalog knows none.

        Args:
            arguments: with how many it is called: schemas whose routines all take another number are passed over.
        """
        for schema in (name.schema,) if name.schema is not None else self.path:
            qualified = Name(schema, name.name)
            found = self.catalog.routines.get(qualified)
            if found and (arguments is None or any(takes(each, arguments) for each in found)):
                return qualified, found
        return None

    def column_type(self, relation: Name, name: str) -> Name | None:
        """The name of a column's type, None where it is not known or an array."""
        found = self.catalog.relations.get(relation)
        columns: tuple[Column, ...] = ()
        if isinstance(found, CompositeType):
            columns = found.attributes
        elif isinstance(found, Table | View):
            columns = found.columns or ()
        for column in columns:
            if column.name == name and column.type is not None and not column.type.dimensions:
                return column.type.name
        return None

    def has_constraint(self, relation: Name, name: str) -> bool:
        """Whether a table has a constraint of that name, or may have."""
        found = self.catalog.relations.get(relation)
        return isinstance(found, Table) and (not found.complete or any(each.name == name for each in found.constraints))

    def fields(self, relation: Name) -> tuple[Field, ...] | None:
        """The columns of a relation; None where they are not all known."""
        found = self.catalog.relations.get(relation)
        columns: tuple[Column, ...] | None = None
        if isinstance(found, CompositeType):
            columns = found.attributes
        elif isinstance(found, View) or (isinstance(found, Table) and found.complete):
            columns = found.columns
        if columns is None:
            return None
        return tuple([Field(column.name, (Base(relation, column.name),)) for column in columns])


def renamed(fields: tuple[Field, ...] | None, names: Sequence[str]) -> tuple[Field, ...] | None:
    """The fields with the first of them called as an alias says."""
    if fields is None:
        return None
    given = [
        Field(name, tuple(base._replace(named=False) for base in field.bases))
        for name, field in zip(names, fields, strict=False)
    ]
    return (*given, *fields[len(names) :])


def takes(routine: Routine, count: int) -> bool:
    """Whether a routine can be called with so many arguments."""
    # The outputs of a procedure are arguments of its CALL.
    outputs = () if routine.kind == "procedure" else ("out",)
    given = [each for each in routine.parameters if each.mode not in ("table", *outputs)]
    needed = [each for each in given if each.default is None and each.mode != "variadic"]
    return len(needed) <= count and (count <= len(given) or any(each.mode == "variadic" for each in given))
