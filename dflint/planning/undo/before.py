"""What is known of the state before an operation, for whoever has to bring it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeVar

from dflint.history.draft import Draft
from dflint.history.replay import advance
from dflint.model.catalog import UNKNOWN, Catalog, Index, Relation, Routine, Table, Unknown
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Column, Constraint
from dflint.model.session import Session

Op = TypeVar("Op", bound=Operation)

_NEWEST: Final = 18
#: Why something is irreversible, where no more than that is known.
NO_INVERSE: Final = "dflint knows no inverse of it"


class Irreversible(Exception):
    """The operation cannot be taken back; the reason is a clause in words for users."""


class Nothing(Exception):
    """There is nothing to take back: the operation changes nothing, or the server refuses it."""


class Before:
    """The state before one operation.

    Attributes:
        catalog: what exists.
        path: schemas in which names are looked for.
        definitions: printed identity -> how the server prints what the catalog holds as a tree only.
        version: major version of the server.
        together: the operations of the statement.
    """

    def __init__(
        self,
        operation: Operation,
        catalog: Catalog,
        *,
        path: Sequence[str] = ("public",),
        definitions: Mapping[str, str] | None = None,
        version: int | None = None,
        together: Sequence[Operation] = (),
    ) -> None:
        self.operation = operation
        self.catalog = catalog
        self.path = tuple(path)
        self.definitions = definitions or {}
        self.version = version or catalog.version or _NEWEST
        self.together = together

    @cached_property
    def after(self) -> Catalog:
        """The catalog after the operation, by replay."""
        session = Session(search_path=self.path)
        return advance(Draft(self.catalog, self.version), self.operation, session, self.together)

    # --- names --------------------------------------------------------------------------------------------------------

    def resolve(self, name: Name) -> Name:
        """The qualified name of an existing relation; the name as it is where nobody knows in which schema that is."""
        found = self.catalog.resolve(name, self.path)
        relation = self.catalog.relation(found)
        # What statements show of a relation does not show its schema.
        guessed = relation is UNKNOWN or (isinstance(relation, Table) and not relation.complete)
        return name if guessed else found

    def resolve_type(self, name: Name) -> Name:
        """The qualified name of an existing type."""
        return self.catalog.resolve_type(name, self.path)

    def created(self, name: Name) -> Name:
        """The qualified name that something new gets: in the first schema of the path that exists."""
        if name.schema is not None:
            return name
        for schema in self.path:
            exists = self.catalog.schemas.get(schema, None if self.catalog.closed else UNKNOWN)
            if exists is UNKNOWN and schema != "public":
                return name
            if exists:
                return Name(schema, name.name)
        return Name("public", name.name)

    def routines(self, name: Name) -> tuple[Name, tuple[Routine, ...] | None]:
        """The qualified name of routines and all of that name; None where they are not known."""
        places = [name] if name.schema is not None else [Name(schema, name.name) for schema in self.path]
        for place in places:
            found = self.catalog.routines.get(place)
            if found:
                return place, found
        place = places[0] if places else name
        return place, () if self.catalog.closed or place in self.catalog.routines else None

    # --- objects ------------------------------------------------------------------------------------------------------

    def exists(self, name: Name) -> bool | None:
        """Whether there is a relation of exactly that name; None: unknown."""
        found = self.catalog.relation(name)
        return None if found is UNKNOWN else found is not None

    def relation(self, name: Name) -> Relation:
        """The relation that a name means.

        Raises:
            Nothing: there is none, so that the server refuses the operation, or skips it.
            Irreversible: the catalog does not say.
        """
        resolved = self.resolve(name)
        found = self.catalog.relation(resolved)
        if found is UNKNOWN or isinstance(found, Unknown):
            raise Irreversible(f"the catalog does not say what {resolved} was")
        if found is None:
            raise Nothing
        return found

    def table(self, name: Name) -> Table:
        """The table that a name means; raises as `relation`."""
        found = self.relation(name)
        if not isinstance(found, Table):
            raise Nothing
        return found

    def column(self, name: Name, column: str) -> Column:
        """A column as it was; raises as `relation`."""
        found = self.relation(name)
        if isinstance(found, Table):
            known = found.column(column)
            if known is UNKNOWN or (isinstance(known, Column) and not known.complete):
                raise Irreversible(f"the catalog does not say how column {column} of {found.name} was")
            if isinstance(known, Column):
                return known
            raise Nothing
        for each in getattr(found, "columns", None) or ():
            if each.name == column:
                assert isinstance(each, Column)
                return each
        raise Irreversible(f"the catalog does not say how column {column} of {found.name} was")

    def constraint(self, table: Table, name: str) -> Constraint:
        """A constraint as it was; raises as `relation`."""
        found = table.constraint(name)
        if found is UNKNOWN or isinstance(found, Unknown):
            raise Irreversible(f"the catalog does not say what constraint {name} of {table.name} was")
        if found is None:
            raise Nothing
        return found

    def indexes(self, table: Name, catalog: Catalog | None = None) -> list[Index]:
        """The indexes of a table."""
        where = self.catalog if catalog is None else catalog
        found = [where.relations.get(name) for name in where.indexes_of.get(table, ())]
        return [index for index in found if isinstance(index, Index)]

    def descendants(self, table: Name) -> list[Name]:
        """The partitions and children of a table, at any depth."""
        found, pending = list[Name](), list(self.catalog.children_of.get(table, ()))
        while pending:
            name = pending.pop()
            found.append(name)
            pending += self.catalog.children_of.get(name, ())
        return found

    def definition(self, kind: str, parts: Iterable[str | None]) -> str | None:
        """How the server prints something, None where that is not known."""
        return self.definitions.get(identity(kind, parts))

    def needs_details(self, what: str) -> None:
        """Whether owners, comments and privileges are known.

        Raises:
            Irreversible: the catalog comes from texts, or could not be read as a whole.
        """
        if self.catalog.incomplete:
            raise Irreversible(f"the catalog does not say for sure {what}: {self.catalog.incomplete[0]}")
        if self.catalog.basis not in ("live", "snapshot") and not self.catalog.closed:
            raise Irreversible(f"the catalog does not say {what}")


def identity(kind: str, parts: Iterable[str | None]) -> str:
    """A printed identity."""
    return str(Identity(kind, tuple(part for part in parts if part)))
