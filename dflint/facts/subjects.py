"""Who is who: the relations, columns and constraints that an operation is about, looked up in the catalog."""

from __future__ import annotations

from typing import Any

from dflint.model.catalog import UNKNOWN, Domain, Index, Sequence, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.row_types import has_row_type
from dflint.model.schema import Column, Constraint

#: Kinds of target that live in the relations' name space.
RELATIONS = frozenset({"table", "foreign_table", "view", "materialized_view", "index", "sequence"})
TABLES = frozenset({"table", "foreign_table"})


def relation_name(context: Context) -> Name | None:
    """The relation that the operation is about, resolved: its target, or the one a trigger, rule or policy is on."""
    operation = context.operation
    on = getattr(operation, "on", None)
    if on is not None:
        return context.resolve(on)
    return context.target if operation.target_kind in RELATIONS or operation.target_kind == "column" else None


def table_name(context: Context) -> Name | Unknown | None:
    """The table the operation is about: its target, its index's or its sequence's table."""
    name = relation_name(context)
    if name is None or context.operation.target_kind in TABLES:
        return name
    found = context.catalog.relation(name)
    if isinstance(found, Index):
        return found.table
    if isinstance(found, Sequence):
        return found.owner_table
    return name if found is not UNKNOWN or context.operation.target_kind in ("view", "materialized_view") else UNKNOWN


def table(context: Context) -> Table | Unknown | None:
    """The table the operation is about, as the catalog has it."""
    name = table_name(context)
    if name is None or name is UNKNOWN:
        return name
    return context.catalog.table(name)


def column_name(context: Context) -> str | None:
    """The name of the column the operation is about."""
    column: Any = getattr(context.operation, "column", None)
    if column is None:
        constraint = getattr(context.operation, "constraint", None)
        if isinstance(constraint, Constraint) and constraint.kind == "not_null":
            return next(iter(constraint.columns), None)
    return column.name if isinstance(column, Column) else column


def column(context: Context) -> Column | Unknown | None:
    """The existing column the operation is about, as the catalog has it."""
    found, name = table(context), column_name(context)
    if isinstance(found, Table) and name is not None:
        return found.column(name)
    return UNKNOWN if found is UNKNOWN else None


def named_constraint(context: Context) -> Constraint | Unknown | None:
    """The existing constraint that VALIDATE, ALTER, RENAME or DROP CONSTRAINT names."""
    name = getattr(context.operation, "name", None)
    found = table(context)
    if isinstance(found, Table) and isinstance(name, str):
        return found.constraint(name)
    return UNKNOWN if found is UNKNOWN else None


def referenced_names(context: Context) -> tuple[Name, ...]:
    """The tables that foreign keys in the operation's own text refer to, resolved."""
    found = context.answers.get(_REFERENCED)
    if isinstance(found, tuple):
        return found
    names = context.answers[_REFERENCED] = _referenced_names(context)
    return names


#: Not the name of a condition; roles, conditions and checks all ask.
_REFERENCED = "referenced names"


def _referenced_names(context: Context) -> tuple[Name, ...]:
    operation = context.operation
    constraints: list[Constraint] = list(getattr(operation, "constraints", ()))
    single = getattr(operation, "constraint", None)
    if isinstance(single, Constraint):
        constraints.append(single)
    new = getattr(operation, "column", None)
    columns = (new,) if isinstance(new, Column) else getattr(operation, "columns", ())
    for each in columns:
        if isinstance(each, Column) and each.constraints:
            constraints.extend(each.constraints)
    written = [constraint.references for constraint in constraints if constraint.references is not None]
    return tuple(dict.fromkeys([context.resolve(name) for name in written])) if written else ()


def indexes(context: Context, name: Name) -> tuple[Index, ...]:
    """The indexes of a table that the catalog shows."""
    found = (context.catalog.relation(each) for each in context.catalog.indexes_of.get(name, ()))
    return tuple(each for each in found if isinstance(each, Index))


def domain(context: Context, type_: Type | None) -> Domain | Unknown | None:
    """The domain that a type is; None when it is something else, UNKNOWN for a type the catalog does not know."""
    if type_ is None:
        return UNKNOWN
    name = type_.name
    if type_.dimensions or name.schema == "pg_catalog":
        return None
    resolved = context.catalog.resolve_type(name, context.session.search_path)
    found = context.catalog.types.get(resolved, UNKNOWN)
    if isinstance(found, Domain):
        return found
    if found is UNKNOWN and context.catalog.relation(resolved) is UNKNOWN:
        return None if context.catalog.closed or _well_known(name.name) else UNKNOWN
    return None


def _well_known(name: str) -> bool:
    """Types of extensions that everybody uses; none of them is a domain."""
    return name in {
        "citext", "hstore", "geometry", "geography", "vector", "halfvec", "ltree", "lquery", "cube", "isbn", "box2d",
        "box3d", "raster", "sparsevec", "ulid", "tsvector_ops",
    }  # fmt: skip


def names_existing(context: Context) -> bool | Unknown:
    """Whether the operation's target exists before it runs."""
    operation, catalog = context.operation, context.catalog
    target, kind = operation.target, operation.target_kind
    if target is None:
        return False
    creates = operation.kind.startswith("create_") and operation.kind not in ("create_index", "create_trigger")
    path = context.session.search_path
    if kind in RELATIONS:
        first = Name(path[0] if path else "public", target.name)
        name = (target if target.schema else first) if creates else catalog.resolve(target, path)
        found: Any = catalog.relation(name)
    elif kind in ("type", "domain"):
        name = catalog.resolve_type(target, path)
        relation = None if name in catalog.types else catalog.relation(name)
        named = relation if relation is UNKNOWN or has_row_type(relation, context.version) else None
        found = catalog.types.get(name) or named
    elif kind in ("function", "procedure", "aggregate", "routine"):
        schemas = (target.schema,) if target.schema else path
        found = next((catalog.routines[n] for s in schemas if (n := Name(s, target.name)) in catalog.routines), UNKNOWN)
        found = None if found is UNKNOWN and catalog.closed else found
    else:
        maps: dict[str, Any] = {
            "schema": catalog.schemas,
            "extension": catalog.extensions,
            "publication": catalog.publications,
        }
        default = None if catalog.closed else UNKNOWN
        if kind in maps:
            found = maps[kind].get(target.name, default)
        else:
            found = catalog.others.get(str(context.identity()), default)
    return UNKNOWN if found is UNKNOWN else found is not None
