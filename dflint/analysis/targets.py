"""What a command of `dflint impact` names: found in the catalog, or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from dflint.catalog.identities import kind_of, printed
from dflint.model.catalog import Catalog, CompositeType, Index, Relation, Routine, Sequence, Table, UserType, View
from dflint.model.errors import InputError, NotFound
from dflint.model.expressions import Type
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Operation

#: So many near names are shown.
_NEAR: Final = 3
_CLOSE_ENOUGH: Final = 0.6


class Target(Struct, frozen=True):
    """What is changed.

    Attributes:
        identity: its printed identity.
        relation: the relation that it is, or is a part of; None of routines and types.
        part: the name of the column, constraint, … of the relation.
        named: a routine or type that is no relation.
    """

    identity: str
    relation: Name | None = None
    part: str | None = None
    named: Routine | UserType | None = None


class Lookup:
    """Finds objects by the names that operations have them by."""

    def __init__(self, catalog: Catalog, search_path: tuple[str, ...]) -> None:
        self._catalog = catalog
        self._path = search_path

    def relation(self, name: Name, *wanted: type) -> Relation:
        """The relation of that name.

        Raises:
            NotFound: there is none.
            InputError: it is of another kind.
        """
        found = self._catalog.relations.get(self._catalog.resolve(name, self._path))
        if found is None:
            raise self._missing(_words(wanted), str(name), self._relation_names(wanted))
        if not isinstance(found, wanted):
            kind = kind_of(found)
            raise InputError(
                f"{name} is a {kind.replace('_', ' ')}, not a {_words(wanted)}",
                remedy=f"the command for it is {_COMMANDS.get(kind, 'another')}",
            )
        return found

    def column(self, name: Name, column: str) -> Target:
        """A column of a table, view or composite type.

        Raises:
            NotFound: there is no such relation, or it has no such column.
        """
        found = self.relation(name, Table, View, CompositeType)
        columns = found.attributes if isinstance(found, CompositeType) else getattr(found, "columns", ()) or ()
        names = [each.name for each in columns]
        if column not in names:
            raise self._missing(f"column of {found.name}", column, names)
        return Target(_part("column", found.name, column), found.name, column)

    def constraint(self, name: Name, constraint: str) -> Target:
        """A constraint of a table.

        Raises:
            NotFound: there is no such table, or it has no such constraint.
        """
        found = self.relation(name, Table)
        constraints = found.constraints if isinstance(found, Table) else ()
        kinds = {each.name: each.kind for each in constraints if each.name is not None}
        if constraint not in kinds:
            raise self._missing(f"constraint of {found.name}", constraint, kinds)
        kind = "fk" if kinds[constraint] == "foreign_key" else "constraint"
        return Target(_part(kind, found.name, constraint), found.name, constraint)

    def user_type(self, name: Name) -> Target:
        """A type, domain or composite type.

        Raises:
            NotFound: there is none.
        """
        qualified = self._catalog.resolve_type(name, self._path)
        found, relation = self._catalog.types.get(qualified), self._catalog.relations.get(qualified)
        if found is not None:
            return Target(printed(found), named=found)
        if isinstance(relation, CompositeType):
            return Target(printed(relation), relation.name)
        raise self._missing(
            "type", str(name), (*map(str, self._catalog.types), *self._relation_names((CompositeType,)))
        )

    def routine(self, name: Name, arguments: tuple[Type, ...] | None) -> Target:
        """A function, procedure or aggregate.

        Raises:
            NotFound: there is none.
            InputError: there are several, and no arguments were given.
        """
        found = [each for qualified in self._qualified(name) for each in self._catalog.routines.get(qualified) or ()]
        if arguments is not None:
            found = [each for each in found if _takes(each, arguments, self._catalog, self._path)]
        if not found:
            raise self._missing("function", str(name), (str(each) for each in self._catalog.routines))
        if len(found) > 1:
            several = ", ".join(sorted(Identity.parse(printed(each)).parts[-1] for each in found))
            raise InputError(f"there are several functions {name}: {several}", remedy="write its argument types too")
        return Target(printed(found[0]), named=found[0])

    def _qualified(self, name: Name) -> list[Name]:
        if name.schema is not None:
            return [name]
        here = [Name(schema, name.name) for schema in self._path]
        return [next((each for each in here if self._catalog.routines.get(each)), here[0])] if here else []

    def _relation_names(self, wanted: tuple[type, ...]) -> Iterator[str]:
        return (str(name) for name, found in self._catalog.relations.items() if isinstance(found, wanted))

    def _missing(self, what: str, name: str, known: Iterable[str]) -> NotFound:
        listed = list(known)
        bare = {each.rpartition(".")[2]: each for each in listed}
        close = get_close_matches(name, listed, _NEAR, _CLOSE_ENOUGH)
        close += [bare[each] for each in get_close_matches(name.rpartition(".")[2], bare, _NEAR, _CLOSE_ENOUGH)]
        near = tuple(dict.fromkeys(close))[:_NEAR]
        where = "" if "." in name or " of " in what else f" in {', '.join(self._path)}"
        return NotFound(f"there is no {what} {name}{where}", near=near)


_COMMANDS: Final = {
    "table": "drop-table",
    "foreign_table": "drop-table",
    "view": "drop-view",
    "materialized_view": "drop-view",
    "index": "drop-index",
    "sequence": "drop-sequence",
    "type": "drop-type",
}
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "table": (Table,),
    "foreign_table": (Table,),
    "view": (View,),
    "materialized_view": (View,),
    "index": (Index,),
    "sequence": (Sequence,),
}
#: ALTER TABLE does it to these too.
_RENAMED_AS_TABLES: Final[dict[str, tuple[type, ...]]] = {
    "rename_table": (Table, View),
    "set_schema_table": (Table, View, Sequence),
}
ROUTINES: Final = frozenset({"function", "procedure", "aggregate", "routine"})


def target_of(operation: Operation, catalog: Catalog, search_path: tuple[str, ...]) -> Target:
    """What an operation changes.

    Raises:
        NotFound: it does not exist.
        InputError: it is of another kind, or is not the only one.
    """
    lookup, name = Lookup(catalog, search_path), operation.target
    kind = getattr(operation, "object_kind", "table")
    if name is None:
        raise InputError(f"what {operation.kind} does to other objects is not analysed")
    column = getattr(operation, "column", None)
    if isinstance(column, str):
        return lookup.column(name, column)
    if operation.kind in ("drop_constraint", "rename_constraint"):
        return lookup.constraint(name, getattr(operation, "name", ""))
    if kind in ("type", "domain"):
        return lookup.user_type(name)
    if kind in ROUTINES:
        return lookup.routine(name, getattr(operation, "arguments", None))
    if kind not in _KINDS:
        raise InputError(f"what {operation.kind} does to other objects is not analysed")
    kinds = _RENAMED_AS_TABLES.get(operation.kind, _KINDS[kind])
    found = lookup.relation(name, *kinds)
    return Target(printed(found), found.name)


def _takes(routine: Routine, arguments: tuple[Type, ...], catalog: Catalog, path: tuple[str, ...]) -> bool:
    own = [each.type for each in routine.parameters if each.mode not in ("out", "table")]
    return len(own) == len(arguments) and all(
        _same(one, other, catalog, path) for one, other in zip(own, arguments, strict=True)
    )


def _same(own: Type, written: Type, catalog: Catalog, path: tuple[str, ...]) -> bool:
    name = written.name if written.name.schema is not None else catalog.resolve_type(written.name, path)
    return own.name == name and bool(own.dimensions) == bool(written.dimensions)


def tree(target: Target, catalog: Catalog) -> Iterable[Name]:
    """The target's relation and all below it: inheritance children and partitions."""
    found = [] if target.relation is None else [target.relation]
    for name in found:
        found.extend(each for each in catalog.children_of.get(name, ()) if each not in found)
    return found


def _part(kind: str, relation: Name, part: str) -> str:
    return str(Identity(kind, (relation.schema or "public", relation.name, part)))


def _words(kinds: tuple[type, ...]) -> str:
    return " or ".join("type" if each is CompositeType else each.__name__.lower() for each in kinds)
