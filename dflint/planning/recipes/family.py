"""The columns that change their type together, and the foreign keys that have to be made anew for them.

What refers to a column follows it, and what refers to that; what it refers to itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dflint.facts.type_names import spell
from dflint.model.catalog import Catalog, Table
from dflint.model.errors import InputError
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint
from dflint.planning.recipes.carried import Carried, referenced

#: Types that foreign keys compare with each other, as a server does.
_ALIKE: Final = (frozenset({"int2", "int4", "int8"}), frozenset({"text", "varchar"}))


class Key(Struct, frozen=True):
    """A foreign key that is made anew: of which table, and its definition with all columns named."""

    table: Table
    constraint: Constraint


class Family(Struct, frozen=True):
    """What changes together.

    Attributes:
        tables: by name, the operation's first.
        members: the columns of each that get the new type.
        keys: foreign keys that have one of them at either end.
    """

    tables: dict[Name, Table]
    members: dict[Name, dict[str, Column]]
    keys: tuple[Key, ...]

    @property
    def is_key(self) -> bool:
        """Whether a primary or a foreign key is concerned."""
        return bool(self.keys) or any(
            each.kind == "primary_key" and not set(each.columns).isdisjoint(self.members[name])
            for name, table in self.tables.items()
            for each in table.constraints
        )


def family(catalog: Catalog, table: Table, column: Column, new: Type) -> Family:
    """The family of a column.

    Args:
        catalog: before the change.
        table: which has the column.
        column: that gets another type.
        new: the type.

    Raises:
        InputError: a foreign key cannot be made anew.
    """
    found = Family({}, {}, ())
    keys: dict[tuple[Name, str], Key] = {}
    pending = [(table, column)]
    while pending:
        own, member = pending.pop(0)
        if member.name in found.members.setdefault(own.name, {}):
            continue
        found.tables[own.name] = own
        found.members[own.name][member.name] = member
        carried = Carried(catalog, own, member)
        for other, constraint in (*carried.referring, *((own, each) for each in carried.foreign)):
            keys.setdefault((other.name, constraint.name or ""), _key(catalog, other, constraint))
        for other, constraint in carried.referring:
            pending += _followers(own, member, other, constraint)
    whole = replace(found, keys=tuple(keys.values()))
    for key in whole.keys:
        _compare(catalog, whole, key, new)
    return whole


def _followers(own: Table, member: Column, other: Table, constraint: Constraint) -> Iterator[tuple[Table, Column]]:
    """The columns of a foreign key that refer to a member and have its type."""
    for name, theirs in zip(constraint.columns, referenced(constraint, own), strict=True):
        follower = other.column(name)
        if not isinstance(follower, Column) or not other.complete:
            raise InputError(f"not enough is known of {other.name}, which refers to it")
        if theirs == member.name and _name(follower) == _name(member):
            yield other, follower


def _key(catalog: Catalog, table: Table, constraint: Constraint) -> Key:
    target = catalog.relation(constraint.references) if constraint.references is not None else None
    if not isinstance(target, Table):
        raise InputError(f"not enough is known of what {constraint.name} of {table.name} refers to")
    what = f"the foreign key {constraint.name} of {table.name}"
    if table.partition_by is not None or table.bound is not None or target.partition_by is not None:
        raise InputError(f"{what} is of partitioned tables")
    if len(referenced(constraint, target)) != len(constraint.columns):
        raise InputError(f"it is not known what {what} refers to")
    if constraint.without_overlaps:
        raise InputError(f"{what} is of periods")
    if "set_default" in (constraint.on_delete, constraint.on_update):
        raise InputError(f"{what} sets defaults, which two foreign keys of one column would do in each other's way")
    return Key(table, replace(constraint, referenced_columns=referenced(constraint, target)))


def _compare(catalog: Catalog, whole: Family, key: Key, new: Type) -> None:
    """Refuse a foreign key whose ends could not be compared any more."""
    constraint = key.constraint
    assert constraint.references is not None
    target = catalog.relation(constraint.references)
    assert isinstance(target, Table)
    for own, theirs in zip(constraint.columns, constraint.referenced_columns, strict=True):
        one, other = _after(whole.members, key.table, own, new), _after(whole.members, target, theirs, new)
        if one is not None and other is not None and not _alike(one, other):
            raise InputError(
                f"the foreign key {constraint.name} of {key.table.name} would compare {spell(one)} with "
                f"{spell(other)}; change {constraint.references}.{theirs}, and what refers to it is changed with it"
            )


def _after(members: Mapping[Name, Mapping[str, Column]], table: Table, column: str, new: Type) -> Type | None:
    if column in members.get(table.name, {}):
        return new
    found = table.column(column)
    return found.type if isinstance(found, Column) else None


def _alike(one: Type, other: Type) -> bool:
    names = {one.name.name, other.name.name}
    return len(names) == 1 or any(names <= group for group in _ALIKE)


def _name(column: Column) -> Name | None:
    return None if column.type is None else column.type.name
