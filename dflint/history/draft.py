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

from dflint.history.reading import Reader, Refused
from dflint.model.catalog import (
    Catalog,
    Domain,
    Extension,
    Index,
    Other,
    Publication,
    Relation,
    Routine,
    Table,
    UserType,
)
from dflint.model.dependencies import Link, changed_parts, constraint_names, links, table_changes, type_links
from dflint.model.names import Name

__all__ = ["Draft", "Refused"]

K = TypeVar("K")
V = TypeVar("V")


class Draft(Reader):
    """A catalog being changed: what a `Reader` reads, and the methods that change it."""

    __slots__ = ()

    def finish(self) -> Catalog:
        """The catalog with all changes; the very same value when there are none. The next changes start from it."""
        if self._changed:
            before = self.catalog
            self._changed = False
            self.catalog = Catalog(
                "replay" if before.basis == "static" else before.basis,
                self.closed,
                self.incomplete,
                before.version,
                before.minor,
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
                before.details,
            )
        return self.catalog

    def undo(self) -> None:
        """Throw away what was changed since the last catalog."""
        if self._changed:
            self.reset(self.catalog)

    def members(self, schema: str) -> list[tuple[str, Name]]:
        """What a schema holds, as (name of the catalog's map, name), in order.

        It looks at every object: only DROP and RENAME of a schema ask, and a list kept beside the objects would cost
        every other operation more.
        """
        found = [("relations", name) for name, relation in self.relations.items() if name.schema == schema and relation]
        found.extend(("types", name) for name, kind in self.types.items() if name.schema == schema and kind)
        found.extend(("routines", name) for name, known in self.routines.items() if name.schema == schema and known)
        return sorted(found)

    # --- writing --------------------------------------------------------------------------------------------------

    def put(self, relation: Relation) -> None:
        """Write a relation under its name, new or changed."""
        name = relation.name
        old = self.relations.get(name)
        if old is None:
            self._put_new(relation)
            return
        self._touch("relations", name)
        self.relations = self.relations.set(name, relation)
        if old is self._announced:
            self._announced = None
            self._list(name, relation)
        elif isinstance(old, Table) and isinstance(relation, Table):
            self._relist(name, old, relation)
        else:
            self._unlist(name, old)
            self._list(name, relation)

    def _put_new(self, relation: Relation) -> None:
        name = relation.name
        self._touch("relations", name)
        if name.schema == "pg_temp":
            self._temporary = True
        self.relations = self.relations.set(name, relation)
        self._list(name, relation)

    def announce(self, table: Table) -> None:
        """Make the name of a new table known before its parts are: they may name it. `put` must follow."""
        self._changed = True
        self._announced = table
        self._temporary = self._temporary or table.name.schema == "pg_temp"
        self.relations = self.relations.set(table.name, table)

    def create(self, relation: Relation) -> None:
        """Write a relation that is new.

        Raises:
            Refused: the name is known to be taken, by a relation or by a type.
        """
        taken = self.types.get(relation.name) is not None and not isinstance(relation, Index)
        if taken or self.relations.get(relation.name) is not None:
            raise Refused
        self._put_new(relation)

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
        if name.schema == "pg_temp":
            self._temporary = True
        self.types = self.types.set(name, found)
        new = type_links(found)
        before = type_links(old) if old is not None else set()
        self._unlink(name, before - new)
        self._link(name, new - before)
        if isinstance(old, Domain):
            self._disown(name, constraint_names(old.constraints))
        if isinstance(found, Domain):
            self._own(name, constraint_names(found.constraints))

    def remove_type(self, name: Name, forget: bool = False) -> None:
        """Make a type known not to exist, or unknown."""
        self._touch("types", name)
        old = self.types.get(name)
        if old is not None:
            self._unlink(name, type_links(old))
            if isinstance(old, Domain):
                self._disown(name, constraint_names(old.constraints))
        self.types = self._unset(self.types, name, forget)

    def put_routines(self, name: Name, routines: tuple[Routine, ...]) -> None:
        """Write the known overloads of a routine, at least one."""
        self._touch("routines", name)
        self.routines = self.routines.set(name, routines)

    def remove_routines(self, name: Name, forget: bool = False) -> None:
        """Make a routine's name known to be free, or unknown."""
        self._touch("routines", name)
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

    def put_other(self, identity: str, other: Other | bool | None, forget: bool = False) -> None:
        """Note an object without a type of its own: what it is, only that it exists (True), or that it does not."""
        self._touch("others", identity)
        self.others = self.others.set(identity, other) if other else self._unset(self.others, identity, forget)

    def doubt(self, reason: str) -> None:
        """Note, once, why answers may be wrong from now on."""
        if reason not in self.incomplete:
            self._changed = True
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
            self._unlist(name, old)

    def _list(self, name: Name, relation: Relation) -> None:
        if isinstance(relation, Index) and not relation.parents:
            self.indexes_of = _with(self.indexes_of, relation.table, name)
            return
        self._link(name, links(relation))
        if isinstance(relation, Table):
            self._own(name, constraint_names(relation.constraints))

    def _unlist(self, name: Name, relation: Relation) -> None:
        self._unlink(name, links(relation))
        if isinstance(relation, Table):
            self._disown(name, constraint_names(relation.constraints))

    def _relist(self, name: Name, old: Table, new: Table) -> None:
        """`_unlist` and `_list` of what differs; what is gone may still be named by a part that did not change."""
        gone, come = table_changes(old, new)
        if gone:
            lost = gone - come
            if lost:
                self._unlink(name, lost - links(new))
            come -= gone
        if come:
            self._link(name, come)
        if old.constraints is not new.constraints:
            earlier, later = changed_parts(old.constraints, new.constraints)
            if earlier:
                kept = set(constraint_names(new.constraints))
                self._disown(name, [each for each in constraint_names(earlier) if each not in kept])
            if later:
                self._own(name, constraint_names(later))

    def _link(self, name: Name, found: Iterable[Link]) -> None:
        for where, key in found:
            setattr(self, where, _with(getattr(self, where), key, name))

    def _unlink(self, name: Name, found: Iterable[Link]) -> None:
        for where, key in found:
            setattr(self, where, _less(getattr(self, where), key, name))

    def _own(self, owner: Name, names: Sequence[str]) -> None:
        """List the names of constraints as their table's (or domain's); a new table brings many at once."""
        if not names:
            return
        if len(names) == 1:
            self.owners_of_constraint = _with(self.owners_of_constraint, (owner.schema, names[0]), owner)
            return
        schema, owners = owner.schema, (owner,)
        kept = self.owners_of_constraint.mutate()
        for name in names:
            key = (schema, name)
            others = kept.get(key)
            kept[key] = owners if others is None else _inserted(others, owner)
        self.owners_of_constraint = kept.finish()

    def _disown(self, owner: Name, names: Sequence[str]) -> None:
        for name in names:
            self.owners_of_constraint = _less(self.owners_of_constraint, (owner.schema, name), owner)


def _with(kept: Map[K, tuple[Name, ...]], key: K, name: Name) -> Map[K, tuple[Name, ...]]:
    """A reverse map with ``name`` listed under ``key``."""
    names = kept.get(key)
    if names is None:
        return kept.set(key, (name,))
    more = _inserted(names, name)
    return kept if more is names else kept.set(key, more)


def _inserted(names: tuple[Name, ...], name: Name) -> tuple[Name, ...]:
    """Sorted names with one more. By bisection, for a partitioned table may have thousands of children."""
    place = bisect_left(names, name)
    return names if names[place : place + 1] == (name,) else (*names[:place], name, *names[place:])


def _less(kept: Map[K, tuple[Name, ...]], key: K, name: Name) -> Map[K, tuple[Name, ...]]:
    """A reverse map with ``name`` no longer listed under ``key``."""
    names = kept.get(key, ())
    place = bisect_left(names, name)
    if names[place : place + 1] != (name,):
        return kept
    return kept.set(key, names[:place] + names[place + 1 :]) if len(names) > 1 else kept.delete(key)
