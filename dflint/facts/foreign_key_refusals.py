"""Conditions of refusals that are about foreign keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from dflint.facts import role_steps, subjects
from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, Domain, EnumType, Index, Table, Unknown, View
from dflint.model.context import Context
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

Answer = bool | Unknown

#: Families of built-in types within which foreign keys may find a comparison; never across.
_FAMILIES = (
    frozenset({"int2", "int4", "int8", "numeric", "float4", "float8", "oid"}),
    frozenset({"text", "varchar", "bpchar", "name", "citext"}),
    frozenset({"date", "timestamp", "timestamptz"}),
    frozenset({"time", "timetz", "interval"}),
    frozenset({"inet", "cidr"}),
    frozenset({"bit", "varbit"}),
    *(frozenset({each}) for each in ("uuid", "bool", "bytea", "jsonb", "money", "macaddr", "macaddr8")),
)
_INTEGERS = frozenset({"int2", "int4", "int8"})
#: Type of the referencing column -> types of the same family that it cannot refer to: they are narrower, and only
#: comparisons among integers, among floats and among dates go both ways.
_NARROWER = {
    "numeric": _INTEGERS | {"oid"},
    "float4": _INTEGERS | {"oid", "numeric"},
    "float8": _INTEGERS | {"oid", "numeric"},
    "oid": _INTEGERS | {"numeric", "float4", "float8"},
    "timetz": frozenset({"time", "interval"}),
    "interval": frozenset({"time", "timetz"}),
}
#: Domains may stand on domains, but not for ever.
_DEEPEST = 32


def _keys(context: Context) -> Iterable[Constraint]:
    operation = context.operation
    single, new = getattr(operation, "constraint", None), getattr(operation, "column", None)
    if isinstance(single, Constraint) and single.kind == "foreign_key":
        yield single
    for column in (new,) if isinstance(new, Column) else getattr(operation, "columns", ()):
        for constraint in column.constraints if isinstance(column, Column) else ():
            if constraint.kind == "foreign_key":
                yield constraint
    for constraint in getattr(operation, "constraints", ()):
        if isinstance(constraint, Constraint) and constraint.kind == "foreign_key":
            yield constraint


def _makes_keys(context: Context) -> bool:
    """Whether a new column is a key itself."""
    new = getattr(context.operation, "column", None)
    return isinstance(new, Column) and any(each.kind in ("primary_key", "unique") for each in new.constraints)


def _of_keys(test: Callable[[Context, Constraint, Table], Answer]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        answers: list[Answer] = []
        for key in _keys(context):
            name = context.resolve(key.references) if key.references is not None else None
            # A table that refers to itself while it is made has what the statement gives it.
            making = context.operation.kind == "create_table" or _makes_keys(context)
            if name is None or (making and name == subjects.relation_name(context)):
                continue
            found = context.catalog.table(name)
            if isinstance(found, Table):
                answers.append(test(context, key, found))
        return True if True in answers else UNKNOWN if UNKNOWN in answers else False

    return answer


def key_references_no_table(context: Context) -> Answer:
    """A new foreign key refers to a relation that is no table."""
    names = subjects.referenced_names(context)
    return any(isinstance(context.catalog.relations.get(name), (View, Index)) for name in names)


def key_without_primary_key(context: Context) -> Answer:
    """A new foreign key names no referenced columns, and the table has no primary key."""

    def answer(_context: Context, key: Constraint, table: Table) -> Answer:
        if key.referenced_columns or not table.complete:
            return False
        return not any(constraint.kind == "primary_key" for constraint in table.constraints)

    return _of_keys(answer)(context)


def key_without_unique(context: Context) -> Answer:
    """No complete unique index of the referenced table has just the columns that a new foreign key refers to."""

    def answer(context: Context, key: Constraint, table: Table) -> Answer:
        wanted = sorted(key.referenced_columns)
        if not wanted or not table.complete:
            return False
        return not any(
            index.unique and index.where is None and sorted(e.column or "" for e in index.elements) == wanted
            for index in subjects.indexes(context, table.name)
        )

    return _of_keys(answer)(context)


def key_types_differ(context: Context) -> Answer:
    """A column of a new foreign key has a type that cannot be compared with the referenced one's."""

    def answer(context: Context, key: Constraint, table: Table) -> Answer:
        referenced = key.referenced_columns or primary_key(table)
        new = getattr(context.operation, "column", None)
        columns = key.columns or ((new.name,) if isinstance(new, Column) else ())
        for mine, theirs in zip(columns, referenced, strict=False):
            own, other = _type_of(context, mine), table.column(theirs)
            theirs_type = other.type if isinstance(other, Column) else None
            if own is not None and theirs_type is not None and _strange(own, theirs_type, context):
                return True
        return False

    return _of_keys(answer)(context)


def primary_key(table: Table) -> tuple[str, ...]:
    """The columns of the table's primary key; none where it has none."""
    return next((each.columns for each in table.constraints if each.kind == "primary_key"), ())


def _type_of(context: Context, column: str) -> Type | None:
    new = getattr(context.operation, "column", None)
    if isinstance(new, Column) and new.name == column:
        return new.type
    table = subjects.table(context)
    found = table.column(column) if isinstance(table, Table) else None
    return found.type if isinstance(found, Column) else None


def _strange(referencing: Type, referenced: Type, context: Context) -> bool:
    """Whether there certainly is no comparison by which one can refer to the other."""
    one, other = (base_type(each, context) for each in (referencing, referenced))
    if one.dimensions or other.dimensions:
        return bool(one.dimensions) != bool(other.dimensions)
    enums = [isinstance(context.catalog.types.get(each.name), EnumType) for each in (one, other)]
    if any(enums):
        return one.name != other.name
    if one.name.schema != "pg_catalog" or other.name.schema != "pg_catalog":
        return False
    families = [[family for family in _FAMILIES if each.name.name in family] for each in (one, other)]
    across = bool(families[0]) and bool(families[1]) and families[0] != families[1]
    return across or other.name.name in _NARROWER.get(one.name.name, ())


def base_type(type_: Type, context: Context) -> Type:
    """What a domain stands on, at the end; other types as they are, with their names resolved."""
    for _ in range(_DEEPEST):
        name = type_.name
        if name.schema != "pg_catalog":
            name = context.catalog.resolve_type(name, context.session.search_path)
        found = context.catalog.types.get(name)
        if type_.dimensions or not isinstance(found, Domain):
            return replace(type_, name=name)
        type_ = found.type
    return type_


def key_to_own_partition(context: Context) -> Answer:
    """A new foreign key of a partitioned table refers to one of its partitions."""
    own = subjects.table_name(context)
    if not isinstance(own, Name):
        return UNKNOWN if own is UNKNOWN else False
    return not set(role_steps.partitions((own,), context.catalog)).isdisjoint(subjects.referenced_names(context))


def key_persistence(context: Context) -> Answer:
    """A new foreign key connects tables of different persistence the wrong way."""
    operation, own = context.operation, subjects.table(context)
    mine = getattr(operation, "persistence", None) or (own.persistence if isinstance(own, Table) else None)

    def answer(_context: Context, _key: Constraint, table: Table) -> Answer:
        if mine is None:
            return UNKNOWN
        return (mine == "permanent" and table.persistence != "permanent") or (
            (mine == "temporary") is not (table.persistence == "temporary")
        )

    return _of_keys(answer)(context)


def column_keys_fit(context: Context) -> Answer:
    """ALTER TYPE: the column's foreign keys, and those to it, can compare the new type."""
    name, column = subjects.table_name(context), subjects.column_name(context)
    new = getattr(context.operation, "type", None)
    if not isinstance(name, Name) or column is None or not isinstance(new, Type):
        return True
    own, catalog = context.catalog.table(name), context.catalog
    changed = {(name, column): new}
    tables = [own, *(catalog.relations.get(user) for user in catalog.dependents_of.get(name, ()) if user != name)]
    for table in tables:
        for key in table.constraints if isinstance(table, Table) else ():
            other = None if key.references is None else catalog.table(key.references)
            if not isinstance(table, Table) or not isinstance(other, Table) or name not in (table.name, other.name):
                continue
            for mine, theirs in zip(key.columns, key.referenced_columns or primary_key(other), strict=False):
                sides = ((table, mine), (other, theirs))
                types = [changed.get((each.name, part)) or _type_in(each, part) for each, part in sides]
                touched = any((each.name, part) in changed for each, part in sides)
                if touched and types[0] and types[1] and _strange(types[0], types[1], context):
                    return False
    return True


def _type_in(table: Table, column: str) -> Type | None:
    found = table.column(column)
    return found.type if isinstance(found, Column) else None


_REFERENCED = "the keys of {referenced}"

CONDITIONS: tuple[Condition, ...] = (
    Condition("referenced.without_primary_key", BOOL, key_without_primary_key, _REFERENCED),
    Condition("column.keys_fit", BOOL, column_keys_fit, "the foreign keys of {table}"),
    Condition("referenced.no_table", BOOL, key_references_no_table, _REFERENCED),
    Condition("referenced.without_unique", BOOL, key_without_unique, _REFERENCED),
    Condition("referenced.types_differ", BOOL, key_types_differ, _REFERENCED),
    Condition("referenced.own_partition", BOOL, key_to_own_partition, "the partitions of {table}"),
    Condition("referenced.persistence_differs", BOOL, key_persistence, _REFERENCED),
)
