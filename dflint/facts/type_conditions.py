"""Conditions about types: domains, enums, composite types, and what uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dflint.facts import role_steps
from dflint.facts.column_refusals import is_published
from dflint.facts.condition import BOOL, TEXTS, Condition
from dflint.facts.dependents import users_of_column
from dflint.model.catalog import (
    UNKNOWN,
    CompositeType,
    Domain,
    EnumType,
    Index,
    Relation,
    Sequence,
    Table,
    Unknown,
    UserType,
    View,
)
from dflint.model.context import Context
from dflint.model.enum_use import enum_columns, made_in_transaction, needs_value
from dflint.model.names import Name

Answer = bool | Unknown


def _type(context: Context) -> UserType | CompositeType | Unknown | None:
    target, catalog = context.operation.target, context.catalog
    if target is None:
        return None
    name = catalog.resolve_type(target, context.session.search_path)
    found: UserType | Relation | None = catalog.types.get(name) or catalog.relations.get(name)
    if found is None:
        return None if catalog.closed or name in catalog.types or name in catalog.relations else UNKNOWN
    return found if not isinstance(found, (Table, View, Index, Sequence)) else None


def _of_type(context: Context, test: Callable[[UserType | CompositeType], bool]) -> Answer:
    found = _type(context)
    if isinstance(found, Unknown):
        return found
    return found is not None and test(found)


def domain_not_null(context: Context) -> Answer:
    """The domain is NOT NULL already."""
    return _of_type(context, lambda found: isinstance(found, Domain) and found.not_null)


def domain_has_constraint(context: Context) -> Answer:
    """The domain has the constraint that the statement names."""
    name = getattr(context.operation, "name", None)
    return _of_type(
        context, lambda found: isinstance(found, Domain) and any(each.name == name for each in found.constraints)
    )


def domain_in_composite(context: Context) -> Answer:
    """A table has a column of a composite type with the domain inside."""
    name = _type_name(context)
    if name is None:
        return False
    users, relations = context.catalog.users_of_type, context.catalog.relations
    composites = [user for user in users.get(name, ()) if isinstance(relations.get(user), CompositeType)]
    return any(isinstance(relations.get(user), (Table, View)) for each in composites for user in users.get(each, ()))


def type_in_column(context: Context) -> Answer:
    """A table or materialized view has a column of the type."""
    return any(found.of_type != name for found, name in _tables_of_type(context))


def type_has_tables(context: Context) -> Answer:
    """A table was created OF the type."""
    return any(found.of_type == name for found, name in _tables_of_type(context))


def attribute_column_users(context: Context) -> tuple[str, ...]:
    """What uses the columns that typed tables and their children have by the attribute, as `column.users`."""
    attribute = getattr(context.operation, "attribute", "")
    family = _typed_family(context)
    return tuple(dict.fromkeys(user for table in family for user in users_of_column(context, table, attribute)))


def attribute_column_published(context: Context) -> Answer:
    """A publication's column list or row filter uses the column that a typed table or a child has by it."""
    attribute = getattr(context.operation, "attribute", "")
    return any(is_published(context.catalog, table, attribute) for table in _typed_family(context))


def _typed_family(context: Context) -> Iterable[Name]:
    """The tables OF the type, and what inherits from them."""
    typed = tuple(found.name for found, name in _tables_of_type(context) if found.of_type == name)
    return role_steps.tree(typed, context.catalog)


def typed_row_type_used(context: Context) -> Answer:
    """Columns of other tables have the row type of a table that was created OF the type."""
    catalog = context.catalog
    return any(
        isinstance(catalog.relations.get(user), Table)
        for found, name in _tables_of_type(context)
        if found.of_type == name
        for user in catalog.users_of_type.get(found.name, ())
    )


def _tables_of_type(context: Context) -> Iterable[tuple[Table, Name]]:
    name = _type_name(context)
    for user in () if name is None else context.catalog.users_of_type.get(name, ()):
        found = context.catalog.relations.get(user)
        if isinstance(found, Table) and name is not None:
            yield found, name


def _type_name(context: Context) -> Name | None:
    target = context.operation.target
    return None if target is None else context.catalog.resolve_type(target, context.session.search_path)


def enum_value_fresh(context: Context) -> bool:
    """The statement needs an enum value that its own transaction has added."""
    for earlier in context.earlier:
        operation = earlier.operation
        value, target = getattr(operation, "value", None), operation.target
        if operation.kind != "add_enum_value" or not isinstance(value, str) or target is None:
            continue
        enum = earlier.catalog.resolve_type(target, earlier.session.search_path)
        if context.version >= _SAME_TRANSACTION and made_in_transaction(enum, earlier):
            continue
        if needs_value(context.operation, value, enum, enum_columns(enum, context), context):
            return True
    return False


#: PostgreSQL 17 knows that nobody else can see a type made in the same transaction.
_SAME_TRANSACTION = 17


def attribute_exists(context: Context) -> Answer:
    """The composite type has the attribute that the statement names."""
    attribute = getattr(context.operation, "attribute", None) or getattr(context.operation, "column", None)
    name = getattr(attribute, "name", attribute)
    return _of_type(
        context, lambda found: isinstance(found, CompositeType) and any(a.name == name for a in found.attributes)
    )


def enum_has_value(context: Context) -> Answer:
    """The enum has the value that the statement adds or renames."""
    value = getattr(context.operation, "value", None)
    return _of_type(context, lambda found: isinstance(found, EnumType) and value in found.values)


def enum_has_neighbor(context: Context) -> Answer:
    """The enum has the value beside which the new one is to stand, or none is named."""
    neighbor = getattr(context.operation, "neighbor", None)
    if neighbor is None:
        return True
    return _of_type(context, lambda found: isinstance(found, EnumType) and neighbor in found.values)


CONDITIONS: tuple[Condition, ...] = (
    Condition("domain.not_null", BOOL, domain_not_null, "whether the domain {target} is NOT NULL"),
    Condition("domain.has_constraint", BOOL, domain_has_constraint, "the constraints of {target}"),
    Condition("domain.in_composite", BOOL, domain_in_composite),
    Condition("type.in_column", BOOL, type_in_column),
    Condition("type.has_tables", BOOL, type_has_tables),
    Condition("attribute.column_users", TEXTS, attribute_column_users, "what uses the columns of typed tables"),
    Condition("attribute.column_published", BOOL, attribute_column_published),
    Condition("type.row_types_used", BOOL, typed_row_type_used),
    Condition("attribute.exists", BOOL, attribute_exists, "the attributes of {target}"),
    Condition("enum.has_value", BOOL, enum_has_value, "the values of {target}"),
    Condition("enum.has_neighbor", BOOL, enum_has_neighbor, "the values of {target}"),
    Condition("enum_value.fresh", BOOL, enum_value_fresh, catalog=False),
)
