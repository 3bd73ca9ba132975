"""Which object names which other: the reverse maps of a `Catalog`, made from its objects.

A *link* is one entry of a reverse map: the map's name and the key under which the object is listed there.

- ``indexes_of``: table -> its indexes;
- ``children_of``: table -> its inheritance children or partitions, index -> the partitions' indexes attached to it;
- ``dependents_of``: relation -> relations that name it: tables by a foreign key or by nextval() in a default, views by
  their query, sequences by the table that owns them;
- ``users_of_type``: type (or relation used as a row type) -> relations with a column of that type or made of it, and
  domains and ranges over it;
- ``users_of_routine``: trigger function -> relations with such a trigger;
- ``owners_of_constraint``: (schema, name) of a constraint without index -> tables and domains that have it. Its keys
  are no names of objects and are many, so it is kept apart from the links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from typing import TypeVar

from immutables import Map
from msgspec.structs import replace

from dflint.model.catalog import (
    Catalog,
    CompositeType,
    Domain,
    Index,
    RangeType,
    Relation,
    Sequence,
    Table,
    Trigger,
    UserType,
    View,
)
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Column, Constraint, Query

Link = tuple[str, Name]
K = TypeVar("K")
P = TypeVar("P")

#: The fields of `Catalog` that are made from its other fields.
REVERSE_MAPS = frozenset(
    {"indexes_of", "children_of", "dependents_of", "users_of_type", "users_of_routine", "owners_of_constraint"}
)

#: Functions whose first argument names a sequence.
SEQUENCE_FUNCTIONS = frozenset({"nextval", "currval", "setval"})


def links(relation: Relation) -> set[Link]:
    """Every link of ``relation``."""
    if isinstance(relation, Index):
        found = {("indexes_of", relation.table)}
        for parent in relation.parents:
            found.add(("children_of", parent))
        return found
    found = set()
    if isinstance(relation, Table):
        column_links(relation.columns, found)
        if relation.constraints:
            constraint_links(relation.constraints, found)
        if relation.triggers:
            trigger_links(relation.triggers, found)
        for parent in relation.parents:
            found.add(("children_of", parent))
        if relation.of_type is not None:
            found.add(("users_of_type", relation.of_type))
    elif isinstance(relation, View):
        found.update([("dependents_of", read) for read in relation.query.reads])
        column_links(relation.columns or (), found)
        trigger_links(relation.triggers, found)
    elif isinstance(relation, Sequence):
        if relation.owner_table is not None:
            found.add(("dependents_of", relation.owner_table))
    elif isinstance(relation, CompositeType):
        column_links(relation.attributes, found)
    return found


def type_links(kind: UserType) -> set[Link]:
    """Every link of a type that is not a relation."""
    found: set[Link] = set()
    if isinstance(kind, Domain):
        if is_user_type(kind.type):
            found.add(("users_of_type", kind.type.name))
    elif isinstance(kind, RangeType) and kind.subtype is not None and is_user_type(kind.subtype):
        found.add(("users_of_type", kind.subtype.name))
    return found


def column_links(columns: Iterable[Column], found: set[Link]) -> None:
    """Add what columns name by their types and defaults."""
    for column in columns:
        kind, default = column.type, column.default
        if kind is not None and kind.name.schema != "pg_catalog" and is_user_type(kind):
            found.add(("users_of_type", kind.name))
        if default is not None and default.args and may_name_sequence(default):
            found.update(("dependents_of", sequence) for sequence in sequences_named(default))


def constraint_links(constraints: Iterable[Constraint], found: set[Link]) -> None:
    """Add the tables that constraints reference."""
    for constraint in constraints:
        if constraint.references is not None:
            found.add(("dependents_of", constraint.references))


def constraint_names(constraints: Iterable[Constraint]) -> list[str]:
    """The names that constraints take in their schema; that of one with an index is the index's."""
    return [c.name for c in constraints if c.index is None and c.name is not None]


def trigger_links(triggers: Iterable[Trigger], found: set[Link]) -> None:
    """Add the functions that triggers call."""
    for trigger in triggers:
        found.add(("users_of_routine", trigger.function))


def is_user_type(kind: Type) -> bool:
    """Whether the type has been resolved to one outside pg_catalog."""
    schema = kind.name.schema
    return schema is not None and schema != "pg_catalog" and not kind.reference


def may_name_sequence(expr: Expr) -> bool:
    """False for most defaults without a look at all parts: constants, calls without arguments, and casts of these."""
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    return bool(expr.args)


def sequences_named(expr: Expr) -> Iterator[Name]:
    """The schema-qualified sequences that nextval() and its kin name by a constant in ``expr``."""
    for part in expr.walk():
        name = sequence_argument(part)
        if name is not None and name.schema is not None:
            yield name


def sequence_argument(expr: Expr) -> Name | None:
    """The sequence that ``expr`` itself, a call of nextval() or its kin, names by a constant."""
    if expr.kind != "function" or expr.name is None or expr.name.name not in SEQUENCE_FUNCTIONS or not expr.args:
        return None
    argument = expr.args[0]
    if argument.kind == "cast" and argument.args and argument.type is not None:
        if argument.type.name.name != "regclass":
            return None
        argument = argument.args[0]
    if argument.kind != "constant" or not isinstance(argument.value, str):
        return None
    return parse_name(argument.value)


def named_relations(operations: Iterable[Operation]) -> tuple[Name, ...]:
    """The relations that the statements of a routine's body name, as written."""
    found: dict[Name, None] = {}
    for operation in operations:
        if operation.target is not None:
            found[operation.target] = None
        query = getattr(operation, "query", None)
        if isinstance(query, Query):
            found.update(dict.fromkeys((*query.reads, *query.writes)))
        reads = getattr(operation, "reads", ())
        if isinstance(reads, tuple):
            found.update(dict.fromkeys(reads))
    return tuple(found)


def parse_name(text: str) -> Name | None:
    """The name that ``text`` means as input of regclass; None when it is not one."""
    if '"' not in text:
        schema, dot, name = text.lower().rpartition(".")
        return Name(schema if dot else None, name) if name and "." not in schema else None
    parts: list[str] = []
    rest = text
    while rest:
        if rest.startswith('"'):
            end = rest.find('"', 1)
            while end > 0 and rest[end + 1 : end + 2] == '"':
                end = rest.find('"', end + 2)
            if end < 0:
                return None
            parts.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
            if rest and not rest.startswith("."):
                return None
            rest = rest[1:]
        else:
            part, _, rest = rest.partition(".")
            parts.append(part.lower())
    if not 1 <= len(parts) <= 2 or not all(parts):
        return None
    return Name(parts[0] if len(parts) == 2 else None, parts[-1])


def changed_parts(old: tuple[P, ...], new: tuple[P, ...]) -> tuple[tuple[P, ...], tuple[P, ...]]:
    """Both without the items they share at the beginning: an added column is found without looking into the others."""
    place = len(old)
    if new[:place] == old:
        return (), new[place:]
    place = 0
    for one, other in zip(old, new, strict=False):
        if one is not other:
            break
        place += 1
    return old[place:], new[place:]


def table_changes(old: Table, new: Table) -> tuple[set[Link], set[Link]]:
    """The links that may have gone and come between two states of a table."""
    if old.of_type != new.of_type or old.parents != new.parents:
        return links(old), links(new)
    gone: set[Link] = set()
    come: set[Link] = set()
    if old.columns is not new.columns:
        before, after = changed_parts(old.columns, new.columns)
        column_links(before, gone)
        column_links(after, come)
    if old.constraints is not new.constraints:
        earlier, later = changed_parts(old.constraints, new.constraints)
        constraint_links(earlier, gone)
        constraint_links(later, come)
    if old.triggers is not new.triggers:
        trigger_links(old.triggers, gone)
        trigger_links(new.triggers, come)
    return gone, come


def with_reverse_maps(catalog: Catalog) -> Catalog:
    """``catalog`` with every reverse map made anew from its objects: for readers that know the objects only."""
    listed: dict[str, dict[Name, list[Name]]] = {
        "indexes_of": {},
        "children_of": {},
        "dependents_of": {},
        "users_of_type": {},
        "users_of_routine": {},
    }
    indexes_of, children_of = listed["indexes_of"], listed["children_of"]
    owners: dict[tuple[str | None, str], list[Name]] = {}
    for name, relation in catalog.relations.items():
        if type(relation) is Index:
            # As `links` says; most relations are indexes, and a set for each would cost more than the rest.
            indexes_of.setdefault(relation.table, []).append(name)
            for parent in relation.parents:
                children_of.setdefault(parent, []).append(name)
        elif relation is not None:
            for kind, key in links(relation):
                listed[kind].setdefault(key, []).append(name)
            if isinstance(relation, Table):
                _note_owner(relation.constraints, name, owners)
    for name, found in catalog.types.items():
        if found is not None:
            for kind, key in type_links(found):
                listed[kind].setdefault(key, []).append(name)
            if isinstance(found, Domain):
                _note_owner(found.constraints, name, owners)
    maps = {kind: _sorted_map(found_links) for kind, found_links in listed.items()}
    return replace(catalog, owners_of_constraint=_sorted_map(owners), **maps)


def _note_owner(
    constraints: Iterable[Constraint], owner: Name, owners: dict[tuple[str | None, str], list[Name]]
) -> None:
    schema = owner.schema
    for constraint in constraint_names(constraints):
        known = owners.get((schema, constraint))
        if known is None:
            owners[schema, constraint] = [owner]
        # All of one owner's come together. Thousands of partitions may have one of the same name.
        elif known[-1] is not owner:
            known.append(owner)


def _sorted_map(entries: Mapping[K, SequenceOf[Name]]) -> Map[K, tuple[Name, ...]]:
    return Map({key: tuple(sorted(names)) if len(names) > 1 else tuple(names) for key, names in entries.items()})
