"""What the functions of replay ask the catalog while an operation changes it."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import UNKNOWN, Catalog, Details, Relation, Table, Unknown
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation

Touched = tuple[str, Name | str]


class Refused(Exception):
    """PostgreSQL would refuse the statement, or nothing is known of what it would change: the catalog stays."""


class Reader:
    """A catalog being changed, as far as it is read; `Draft` changes it. The attributes are the catalog's.

    Attributes:
        catalog: what the changes since start from.
        path: the session's search_path.
        version: server major version.
        together: every operation of the statement that the operation is part of, if the caller said.
        from_empty: the history was made on an empty database, from its first file on: what it did not make, is not.
        doubted: names of what an operation may have made or dropped that ran or not: nobody knows.
        refused: the last operation was given up, for PostgreSQL would refuse it or too little is known.
        decided: answers to the conditions of the DO block that is being gone through, by their numbers; None where
            the draft has not seen the block begin.
        touched: what was written, as (name of the map, key), if somebody wants to know; else None.
    """

    __slots__ = (
        "_announced",
        "_changed",
        "_temporary",
        "catalog",
        "children_of",
        "closed",
        "decided",
        "dependents_of",
        "doubted",
        "extensions",
        "from_empty",
        "incomplete",
        "indexes_of",
        "others",
        "owners_of_constraint",
        "path",
        "publications",
        "refused",
        "relations",
        "routines",
        "schemas",
        "together",
        "touched",
        "types",
        "users_of_routine",
        "users_of_type",
        "version",
    )

    def __init__(self, catalog: Catalog, version: int, *, from_empty: bool = False) -> None:
        self.version = version
        self.from_empty = from_empty
        self.refused = False
        self.doubted: set[str] = set()
        self.decided: dict[int, bool | Unknown] | None = None
        self.path: tuple[str, ...] = ()
        self.together: Sequence[Operation] = ()
        self.touched: set[Touched] | None = None
        # False: nothing in pg_temp can be known, so that resolving need not look there.
        self._temporary = bool(catalog.relations or catalog.types)
        self.reset(catalog)

    def reset(self, catalog: Catalog) -> None:
        """Go on from ``catalog``; what was changed and not finished is thrown away."""
        self.catalog = catalog
        self.closed = catalog.closed
        self.incomplete = catalog.incomplete
        self.schemas = catalog.schemas
        self.relations = catalog.relations
        self.types = catalog.types
        self.routines = catalog.routines
        self.extensions = catalog.extensions
        self.publications = catalog.publications
        self.others = catalog.others
        self.indexes_of = catalog.indexes_of
        self.children_of = catalog.children_of
        self.dependents_of = catalog.dependents_of
        self.users_of_type = catalog.users_of_type
        self.users_of_routine = catalog.users_of_routine
        self.owners_of_constraint = catalog.owners_of_constraint
        self._announced: Table | None = None
        self._changed = False

    @property
    def details(self) -> Details:
        """What the server told beside the objects; no operation changes it."""
        return self.catalog.details

    # --- names ----------------------------------------------------------------------------------------------------

    def resolve(self, name: Name) -> Name:
        """The qualified name of the existing relation that ``name`` means; see `Catalog.resolve`."""
        if name.schema is not None:
            return name
        announced = self._announced
        if announced is not None and announced.name.name == name.name:
            return announced.name
        if self._temporary:
            temporary = Name("pg_temp", name.name)
            if self.relations.get(temporary) is not None:
                return temporary
        if len(self.path) == 1:
            return Name(self.path[0], name.name)
        candidate: Name | None = None
        for schema in self.path:
            qualified = Name(schema, name.name)
            found = self.relations.get(qualified, UNKNOWN)
            if found is UNKNOWN:
                if candidate is None and not self.closed:
                    candidate = qualified
            elif found is not None:
                return qualified
        return candidate or Name(self.creation_schema(), name.name)

    def creation_schema(self) -> str:
        """The schema where an unqualified name is created: the first of the path that is not known to be missing."""
        for schema in self.path:
            if self.schemas.get(schema, True) is not None:
                return schema
        return "public"

    def creation_name(self, name: Name, temporary: bool = False) -> Name:
        """The qualified name under which ``name`` is created.

        Raises:
            Refused: its schema is known not to exist.
        """
        if temporary or name.schema == "pg_temp":
            return Name("pg_temp", name.name)
        if name.schema is None:
            return Name(self.creation_schema(), name.name)
        if self.schemas.get(name.schema, True) is None:
            raise Refused
        return name

    def resolve_type_name(self, name: Name) -> Name:
        """The qualified name of a known type or row type; ``name`` itself when no such type is known."""
        if name.schema is not None:
            return name
        for schema in ("pg_temp", *self.path) if self._temporary else self.path:
            qualified = Name(schema, name.name)
            if self.types.get(qualified) is not None or self.relations.get(qualified) is not None:
                return qualified
        return name

    def resolve_type(self, kind: Type | None) -> Type | None:
        """``kind`` with its name qualified, where that is known."""
        if kind is None or kind.name.schema is not None or kind.reference:
            return kind
        name = self.resolve_type_name(kind.name)
        return kind if name is kind.name else Type(name, kind.modifiers, kind.dimensions, kind.setof)

    def resolve_routine(self, name: Name) -> Name:
        """The qualified name of a known routine; else as it would be created."""
        if name.schema is not None:
            return name
        for schema in self.path:
            if self.routines.get(Name(schema, name.name)):
                return Name(schema, name.name)
        return Name(self.creation_schema(), name.name)

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, name: Name) -> Relation | Unknown | None:
        """The relation of exactly that name; None: known not to exist."""
        return self.relations.get(name, None if self.closed else UNKNOWN)

    def absent(self, name: Name) -> bool:
        """Whether there is certainly no relation of exactly that name, or the history shows none."""
        found = self.get(name)
        if found is UNKNOWN:
            return self.from_empty and not self.incomplete and name.name not in self.doubted
        return found is None

    def known(self, name: Name) -> Relation | None:
        """The relation of exactly that name, None when it is unknown or does not exist."""
        return self.relations.get(name)

    def known_table(self, name: Name) -> Table | None:
        """The table of exactly that name, None when it is unknown, does not exist, or is something else."""
        found = self.relations.get(name)
        return found if isinstance(found, Table) else None

    def altered_table(self, target: Name, if_exists: bool = False) -> Table:
        """The table an ALTER is about; a stub where nothing is known of it, for the facts the ALTER shows.

        Raises:
            Refused: there is no such table, or (with ``if_exists``) there may be none.
        """
        name = self.resolve(target)
        found = self.relations.get(name, UNKNOWN)
        if isinstance(found, Table):
            return found
        if found is UNKNOWN and not self.closed and not if_exists:
            return Table(name, complete=False)
        raise Refused

    def altered(self, target: Name) -> Relation:
        """The known relation an ALTER is about, whatever its kind.

        Raises:
            Refused: no relation of that name is known.
        """
        found = self.relations.get(self.resolve(target))
        if found is None:
            raise Refused
        return found

    def family(self, name: Name, only: bool = False) -> list[Name]:
        """``name`` and, unless ``only``, its inheritance descendants, parents first."""
        members = [name]
        if only or name not in self.children_of:
            return members
        seen = {name}
        for member in members:
            for child in self.children_of.get(member, ()):
                if child not in seen:
                    seen.add(child)
                    members.append(child)
        return members

    def descendants(self, name: Name, only: bool = False) -> list[Table]:
        """The known tables among the descendants of ``name``, parents first."""
        tables = [self.known_table(member) for member in self.family(name, only)[1:]]
        return [table for table in tables if table is not None]
