"""The catalog while one operation changes it.

A `Draft` starts as a catalog and collects changes; `Draft.finish` gives the next catalog. It keeps the reverse maps
exact: whoever writes a relation, type or routine through it need not think of them. An operation that PostgreSQL would
refuse raises `Refused`, and the draft is thrown away.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeVar

from immutables import Map

from dflint.history.reading import Reader, Refused
from dflint.model.catalog import Catalog, Extension, Publication, Relation, Routine, Table, UserType
from dflint.model.dependencies import Link, links, table_changes, type_links
from dflint.model.names import Name

__all__ = ["Draft", "Refused"]

K = TypeVar("K")
V = TypeVar("V")
_NO_MEMBERS: Map[tuple[str, Name], bool] = Map()


class Draft(Reader):
    """A catalog being changed: what a `Reader` reads, and the methods that change it."""

    __slots__ = ()

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
            gone, come = table_changes(old, new)
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
