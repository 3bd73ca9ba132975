"""The catalog while one operation changes it.

A `Draft` starts as a catalog and collects changes; `Draft.finish` gives the next catalog. It keeps the reverse maps
exact: whoever writes a relation, type or routine through it need not think of them. An operation that PostgreSQL would
refuse raises `Refused`, and the draft is thrown away.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TypeVar

from immutables import Map

from dflint.model.catalog import (
    UNKNOWN,
    Catalog,
    Extension,
    Publication,
    Relation,
    Routine,
    Table,
    Unknown,
    UserType,
)
from dflint.model.dependencies import (
    Link,
    column_links,
    constraint_links,
    links,
    trigger_links,
    type_links,
)
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.session import Session

Touched = tuple[str, Name | str]
K = TypeVar("K")
V = TypeVar("V")
P = TypeVar("P")
_NO_MEMBERS: Map[tuple[str, Name], bool] = Map()


class Refused(Exception):
    """PostgreSQL would refuse the statement, or nothing is known of what it would change: the catalog stays."""


class Draft:
    """A catalog being changed. The attributes are the catalog's; change them through the methods.

    Attributes:
        path: the session's search_path.
        version: server major version.
        together: every operation of the statement that the operation is part of, if the caller said.
        touched: what was written, as (name of the map, key), if somebody wants to know; else None.
    """

    __slots__ = (
        "_announced",
        "_changed",
        "_joined",
        "catalog",
        "children_of",
        "closed",
        "dependents_of",
        "extensions",
        "incomplete",
        "indexes_of",
        "members_of",
        "others",
        "owners_of_constraint",
        "path",
        "publications",
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

    def __init__(self, catalog: Catalog, session: Session, version: int) -> None:
        self.catalog = catalog
        self.path = session.search_path
        self.version = version
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
        self.members_of = catalog.members_of
        self.together: Sequence[Operation] = ()
        self.touched: set[Touched] | None = None
        self._announced: Table | None = None
        self._changed = False
        self._joined: list[tuple[str, Name]] = []

    def finish(self) -> Catalog:
        """The catalog with all changes; the very same value when there are none."""
        before = self.catalog
        if not self._changed and self.incomplete is before.incomplete and self.closed == before.closed:
            return before
        if self._joined:
            self._join_schemas()
        return Catalog(
            "replay" if before.basis == "static" else before.basis,
            self.closed,
            self.incomplete,
            before.version,
            self.schemas,
            self.relations,
            self.types,
            self.routines,
            self.extensions,
            self.publications,
            self.others,
            self.indexes_of,
            self.children_of,
            self.dependents_of,
            self.users_of_type,
            self.users_of_routine,
            self.owners_of_constraint,
            self.members_of,
        )

    # --- names ----------------------------------------------------------------------------------------------------

    def resolve(self, name: Name) -> Name:
        """The qualified name of the existing relation that ``name`` means; see `Catalog.resolve`."""
        if name.schema is not None:
            return name
        announced = self._announced
        if announced is not None and announced.name.name == name.name:
            return announced.name
        if len(self.path) == 1 and "pg_temp" not in self.members_of:
            return Name(self.path[0], name.name)
        candidate: Name | None = None
        for schema in ("pg_temp", *self.path):
            qualified = Name(schema, name.name)
            found = self.relations.get(qualified, UNKNOWN)
            if found is UNKNOWN:
                if candidate is None and not self.closed and schema != "pg_temp":
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
        for schema in ("pg_temp", *self.path):
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
        found = self.get(self.resolve(target))
        if isinstance(found, Table):
            return found
        if found is UNKNOWN and not if_exists:
            return Table(self.resolve(target), complete=False)
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

    # --- writing --------------------------------------------------------------------------------------------------

    def put(self, relation: Relation) -> None:
        """Write a relation under its name, new or changed."""
        name = relation.name
        old = self.relations.get(name)
        self._changed = True
        if self.touched is not None:
            self.touched.add(("relations", name))
        self.relations = self.relations.set(name, relation)
        if old is None or old is self._announced:
            if old is not None:
                self._announced = None
            self._joined.append(("relations", name))
            self._link(name, links(relation))
        elif old is not relation:
            self._relink(name, old, relation)

    def announce(self, table: Table) -> None:
        """Make the name of a new table known before its parts are: they may name it. `put` must follow."""
        self._announced = table
        self.relations = self.relations.set(table.name, table)

    def create(self, relation: Relation) -> None:
        """Write a relation that is new.

        Raises:
            Refused: the name is known to be taken, by a relation or by a type.
        """
        if self.relations.get(relation.name) is not None or self.types.get(relation.name) is not None:
            raise Refused
        self.put(relation)

    def remove(self, name: Name) -> None:
        """Make a relation known not to exist."""
        self._clear(name)
        self.relations = self._without(self.relations, name)

    def forget(self, name: Name) -> None:
        """Make a relation unknown. A catalog that listed everything then no longer does."""
        self._clear(name)
        self.closed = False
        if name in self.relations:
            self.relations = self.relations.delete(name)

    def forget_quietly(self, name: Name) -> None:
        """Make a relation unknown where the catalog can say so; one that lists everything then lists it no more."""
        if self.relations.get(name) is None:
            self.forget(name)

    def put_type(self, found: UserType) -> None:
        """Write a type under its name."""
        name = found.name
        old = self.types.get(name)
        self._touch("types", name)
        self.types = self.types.set(name, found)
        new = type_links(found)
        before = type_links(old) if old is not None else set()
        self._unlink(name, before - new)
        self._link(name, new - before)
        if old is None:
            self._joined.append(("types", name))

    def remove_type(self, name: Name, forget: bool = False) -> None:
        """Make a type known not to exist, or unknown."""
        self._touch("types", name)
        old = self.types.get(name)
        if old is not None:
            self._unlink(name, type_links(old))
            self._leave("types", name)
        self.types = self._unset(self.types, name, forget)

    def put_routines(self, name: Name, routines: tuple[Routine, ...]) -> None:
        """Write the known overloads of a routine, at least one."""
        self._touch("routines", name)
        if not self.routines.get(name):
            self._joined.append(("routines", name))
        self.routines = self.routines.set(name, routines)

    def remove_routines(self, name: Name, forget: bool = False) -> None:
        """Make a routine's name known to be free, or unknown."""
        self._touch("routines", name)
        if self.routines.get(name):
            self._leave("routines", name)
        self.routines = self._unset(self.routines, name, forget)

    def put_schema(self, name: str, exists: bool | None, forget: bool = False) -> None:
        """Note that a schema exists (True) or not (None)."""
        self._touch("schemas", name)
        self.schemas = self.schemas.set(name, True) if exists else self._unset(self.schemas, name, forget)

    def put_extension(self, name: str, extension: Extension | None, forget: bool = False) -> None:
        """Write an extension, or (None) note that it is not installed."""
        self._touch("extensions", name)
        kept = self.extensions
        self.extensions = kept.set(name, extension) if extension else self._unset(kept, name, forget)

    def put_publication(self, name: str, publication: Publication | None, forget: bool = False) -> None:
        """Write a publication, or (None) note that there is none."""
        self._touch("publications", name)
        kept = self.publications
        self.publications = kept.set(name, publication) if publication else self._unset(kept, name, forget)

    def put_other(self, identity: str, exists: bool | None, forget: bool = False) -> None:
        """Note that an object without a type of its own exists (True) or not (None)."""
        self._touch("others", identity)
        self.others = self.others.set(identity, True) if exists else self._unset(self.others, identity, forget)

    def doubt(self, reason: str) -> None:
        """Note, once, why answers may be wrong from now on."""
        if reason not in self.incomplete:
            self.incomplete = (*self.incomplete, reason)

    # --- the reverse maps -----------------------------------------------------------------------------------------

    def _touch(self, where: str, key: Name | str) -> None:
        self._changed = True
        if self.touched is not None:
            self.touched.add((where, key))

    def _unset(self, kept: Map[K, V | None], key: K, forget: bool) -> Map[K, V | None]:
        if not forget:
            return self._without(kept, key)
        self.closed = False
        return kept.delete(key) if key in kept else kept

    def _without(self, kept: Map[K, V | None], key: K) -> Map[K, V | None]:
        """``kept`` with ``key`` known not to exist, in the one way that fits the catalog."""
        if not self.closed:
            return kept.set(key, None)
        return kept.delete(key) if key in kept else kept

    def _clear(self, name: Name) -> None:
        self._touch("relations", name)
        old = self.relations.get(name)
        if old is not None:
            self._unlink(name, links(old))
            self._leave("relations", name)

    def _leave(self, where: str, name: Name) -> None:
        self._join_schemas()
        schema = name.schema or ""
        members = self.members_of[schema].delete((where, name))
        self.members_of = self.members_of.set(schema, members) if members else self.members_of.delete(schema)

    def _join_schemas(self) -> None:
        """Note the new objects as members of their schemas; most operations make several in one schema."""
        for member in self._joined:
            schema = member[1].schema or ""
            members = self.members_of.get(schema, _NO_MEMBERS)
            self.members_of = self.members_of.set(schema, members.set(member, True))
        self._joined.clear()

    def _relink(self, name: Name, old: Relation, new: Relation) -> None:
        if isinstance(old, Table) and isinstance(new, Table):
            gone, come = _table_changes(old, new)
        else:
            gone, come = links(old), links(new)
        if gone != come:
            lost = gone - come
            if lost:
                # What changed may be named by a part that did not.
                self._unlink(name, lost - links(new))
            self._link(name, come - gone)

    def _link(self, name: Name, found: Iterable[Link]) -> None:
        for where, key in found:
            kept: Map[Name, tuple[Name, ...]] = getattr(self, where)
            names = kept.get(key, ())
            place = bisect_left(names, name)
            if place == len(names) or names[place] != name:
                setattr(self, where, kept.set(key, (*names[:place], name, *names[place:])))

    def _unlink(self, name: Name, found: Iterable[Link]) -> None:
        for where, key in found:
            kept: Map[Name, tuple[Name, ...]] = getattr(self, where)
            names = tuple(other for other in kept.get(key, ()) if other != name)
            if names:
                setattr(self, where, kept.set(key, names))
            elif key in kept:
                setattr(self, where, kept.delete(key))


def _changed_parts(old: tuple[P, ...], new: tuple[P, ...]) -> tuple[tuple[P, ...], tuple[P, ...]]:
    """Both without the items they share at the beginning: an added column is found without looking into the others."""
    place = 0
    for one, other in zip(old, new, strict=False):
        if one is not other:
            break
        place += 1
    return old[place:], new[place:]


def _table_changes(old: Table, new: Table) -> tuple[set[Link], set[Link]]:
    """The links that may have gone and come between two states of a table."""
    if old.of_type != new.of_type or old.parents != new.parents:
        return links(old), links(new)
    gone: set[Link] = set()
    come: set[Link] = set()
    if old.columns is not new.columns:
        before, after = _changed_parts(old.columns, new.columns)
        column_links(before, gone)
        column_links(after, come)
    if old.constraints is not new.constraints:
        earlier, later = _changed_parts(old.constraints, new.constraints)
        constraint_links(old.name.schema, earlier, gone)
        constraint_links(new.name.schema, later, come)
    if old.triggers is not new.triggers:
        trigger_links(old.triggers, gone)
        trigger_links(new.triggers, come)
    return gone, come
