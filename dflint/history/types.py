"""Enums, domains, composite types and ranges."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from dflint.history.columns import drop_inherited
from dflint.history.constraints import check_columns
from dflint.history.draft import Draft, Refused
from dflint.history.drops import remove_column, typed_tables
from dflint.history.naming import clip, constraint_name
from dflint.model.catalog import (
    BaseType,
    CompositeType,
    Domain,
    EnumType,
    RangeType,
    UserType,
)
from dflint.model.names import Name
from dflint.model.operations.objects import (
    AddAttribute,
    AddEnumValue,
    AlterAttributeType,
    AlterDomain,
    CreateCompositeType,
    CreateDomain,
    CreateEnum,
    CreateRange,
    DropAttribute,
    RenameEnumValue,
)
from dflint.model.operations.tables import DropColumn
from dflint.model.row_types import has_row_type
from dflint.model.schema import Column, Constraint


def _create(draft: Draft, found: UserType) -> None:
    """Write a new type. A shell type of its name is filled in.

    Raises:
        Refused: the name is taken by another type or by a relation (whose row type has it).
    """
    old, relation = draft.types.get(found.name), draft.relations.get(found.name)
    if has_row_type(relation, draft.version) or (old is not None and not isinstance(old, BaseType)):
        raise Refused
    draft.put_type(found)


def create_enum(draft: Draft, operation: CreateEnum) -> None:
    """CREATE TYPE … AS ENUM."""
    if len(set(operation.values)) != len(operation.values):
        raise Refused
    _create(draft, EnumType(draft.creation_name(operation.target), operation.values))


def create_range(draft: Draft, operation: CreateRange) -> None:
    """CREATE TYPE … AS RANGE. Its multirange type is not listed."""
    _create(draft, RangeType(draft.creation_name(operation.target), draft.resolve_type(operation.subtype)))


def create_composite_type(draft: Draft, operation: CreateCompositeType) -> None:
    """CREATE TYPE … AS (attributes): a relation without rows."""
    name = draft.creation_name(operation.target)
    if draft.types.get(name) is not None:
        raise Refused
    attributes = tuple([_attribute(draft, attribute) for attribute in operation.attributes])
    draft.create(CompositeType(name, attributes))


def _attribute(draft: Draft, attribute: Column) -> Column:
    return replace(attribute, type=draft.resolve_type(attribute.type), constraints=(), at=-1)


# --- enums ------------------------------------------------------------------------------------------------------------


def _enum(draft: Draft, target: Name) -> EnumType:
    found = draft.types.get(draft.resolve_type_name(target))
    if not isinstance(found, EnumType):
        # Where nothing is known of the enum, a value alone would look like the whole list.
        raise Refused
    return found


def add_enum_value(draft: Draft, operation: AddEnumValue) -> None:
    """ALTER TYPE … ADD VALUE, at its place."""
    enum = _enum(draft, operation.target)
    values = enum.values
    if operation.value in values:
        raise Refused
    if operation.neighbor is None:
        place = len(values)
    elif operation.neighbor in values:
        place = values.index(operation.neighbor) + (not operation.before)
    else:
        raise Refused
    draft.put_type(replace(enum, values=(*values[:place], operation.value, *values[place:])))


def rename_enum_value(draft: Draft, operation: RenameEnumValue) -> None:
    """ALTER TYPE … RENAME VALUE."""
    enum = _enum(draft, operation.target)
    if operation.value not in enum.values or operation.new_value in enum.values:
        raise Refused
    values = tuple([operation.new_value if value == operation.value else value for value in enum.values])
    draft.put_type(replace(enum, values=values))


# --- composite types --------------------------------------------------------------------------------------------------


def _composite(draft: Draft, target: Name) -> CompositeType:
    found = draft.known(draft.resolve(target))
    if not isinstance(found, CompositeType):
        raise Refused
    return found


def add_attribute(draft: Draft, operation: AddAttribute) -> None:
    """ALTER TYPE … ADD ATTRIBUTE."""
    kind = _composite(draft, operation.target)
    if any(attribute.name == operation.attribute.name for attribute in kind.attributes):
        raise Refused
    attribute = _attribute(draft, operation.attribute)
    draft.put(replace(kind, attributes=(*kind.attributes, attribute)))
    for table in typed_tables(draft, kind.name, operation.cascade):
        draft.put(replace(table, columns=(*table.columns, attribute)))


def drop_attribute(draft: Draft, operation: DropAttribute) -> None:
    """ALTER TYPE … DROP ATTRIBUTE."""
    kind = _composite(draft, operation.target)
    kept = tuple([attribute for attribute in kind.attributes if attribute.name != operation.attribute])
    if len(kept) == len(kind.attributes):
        raise Refused
    draft.put(replace(kind, attributes=kept))
    for table in typed_tables(draft, kind.name, operation.cascade):
        remove_column(draft, table, operation.attribute, cascade=True)
        drop_inherited(draft, table.name, DropColumn(target=table.name, column=operation.attribute, cascade=True))


def alter_attribute_type(draft: Draft, operation: AlterAttributeType) -> None:
    """ALTER TYPE … ALTER ATTRIBUTE … TYPE."""
    kind = _composite(draft, operation.target)
    if all(attribute.name != operation.attribute for attribute in kind.attributes):
        raise Refused
    new_type = draft.resolve_type(operation.type)

    def change(columns: tuple[Column, ...]) -> tuple[Column, ...]:
        name, collation = operation.attribute, operation.collation
        return tuple([replace(c, type=new_type, collation=collation) if c.name == name else c for c in columns])

    draft.put(replace(kind, attributes=change(kind.attributes)))
    for table in typed_tables(draft, kind.name, operation.cascade):
        draft.put(replace(table, columns=change(table.columns)))


# --- domains ----------------------------------------------------------------------------------------------------------


def create_domain(draft: Draft, operation: CreateDomain) -> None:
    """CREATE DOMAIN."""
    name = draft.creation_name(operation.target)
    domain = Domain(
        name,
        draft.resolve_type(operation.type) or operation.type,
        default=operation.default,
        collation=operation.collation,
    )
    _create(draft, domain)
    if operation.not_null:
        domain = _with_not_null(draft, domain, None)
        draft.put_type(domain)
    for constraint in operation.constraints:
        domain = _with_constraint(draft, domain, constraint)
        draft.put_type(domain)


def _with_constraint(draft: Draft, domain: Domain, constraint: Constraint) -> Domain:
    if constraint.kind == "not_null":
        return _with_not_null(draft, domain, constraint)
    name = clip(constraint.name) if constraint.name is not None else None
    if name is None:
        name = constraint_name(draft, domain.name, None, "check")
    elif any(old.name == name for old in domain.constraints):
        raise Refused
    columns = tuple([column for column in check_columns(constraint.expression) if column != "value"])
    stored = replace(constraint, name=name, columns=columns, at=-1)
    return replace(domain, constraints=(*domain.constraints, stored))


def _with_not_null(draft: Draft, domain: Domain, constraint: Constraint | None) -> Domain:
    """From PostgreSQL 17 on a domain's NOT NULL is a constraint with a name."""
    if draft.version < 17 or any(old.kind == "not_null" for old in domain.constraints):
        return replace(domain, not_null=True)
    constraint = constraint or Constraint("not_null")
    name = constraint.name or constraint_name(draft, domain.name, None, "not_null")
    stored = replace(constraint, name=name, columns=(), at=-1)
    return replace(domain, not_null=True, constraints=(*domain.constraints, stored))


def alter_domain(draft: Draft, operation: AlterDomain) -> None:
    """ALTER DOMAIN: default, NOT NULL and constraints."""
    domain = draft.types.get(draft.resolve_type_name(operation.target))
    if not isinstance(domain, Domain):
        raise Refused
    draft.put_type(_altered_domain(draft, domain, operation))


def _altered_domain(draft: Draft, domain: Domain, operation: AlterDomain) -> Domain:
    action = operation.action
    if action == "set_default":
        return replace(domain, default=operation.default)
    if action == "drop_default":
        return replace(domain, default=None)
    if action == "set_not_null":
        return _with_not_null(draft, domain, None)
    if action == "drop_not_null":
        kept = tuple([c for c in domain.constraints if c.kind != "not_null"])
        return replace(domain, not_null=False, constraints=kept)
    if action == "add_constraint":
        if operation.constraint is None:
            raise Refused
        return _with_constraint(draft, domain, operation.constraint)
    if action == "drop_constraint" or action == "validate_constraint":
        return _named_constraint(domain, operation.name, drop=action == "drop_constraint")
    assert_never(action)


def _named_constraint(domain: Domain, name: str | None, *, drop: bool) -> Domain:
    found = next((c for c in domain.constraints if c.name == name), None)
    if found is None:
        raise Refused
    if drop:
        kept = tuple([c for c in domain.constraints if c is not found])
        return replace(domain, constraints=kept, not_null=domain.not_null and found.kind != "not_null")
    validated = tuple([replace(c, validated=True) if c is found else c for c in domain.constraints])
    return replace(domain, constraints=validated)
