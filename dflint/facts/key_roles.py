"""Roles in foreign keys: the tables on either side of existing, new and changed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.facts import base_roles, role_steps, subjects
from dflint.facts.proofs import has_key
from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import DropColumn
from dflint.model.schema import Constraint


def referenced(context: Context) -> Iterable[Name]:
    """Tables that foreign keys refer to: new ones by the text, dropped or validated ones by the catalog"""
    found = subjects.referenced_names(context)
    if found:
        return found
    # One that is not enforced has no triggers on the other table; only DROP CONSTRAINT locks that table nevertheless.
    by_name = context.operation.kind == "drop_constraint"
    keys = (key for key in foreign_keys(context) if key.enforced or by_name)
    return tuple(dict.fromkeys(key.references for key in keys if key.references is not None))


def foreign_keys(context: Context) -> list[Constraint]:
    """The table's existing foreign keys that the operation is about."""
    operation, table = context.operation, subjects.table(context)
    if operation.kind == "drop_attribute":
        return list(_keys_of_attribute(context, getattr(operation, "attribute", "")))
    if not isinstance(table, Table):
        return []
    keys = [constraint for constraint in table.constraints if constraint.kind == "foreign_key"]
    if operation.kind in ("drop_table", "drop_foreign_table"):
        return keys
    column = subjects.column_name(context)
    if column is not None:
        return [key for key in keys if column in key.columns] if _ends_keys(operation) else []
    name = getattr(operation, "name", None)
    return [key for key in keys if key.name == name]


def _keys_of_attribute(context: Context, attribute: str) -> Iterator[Constraint]:
    """The foreign keys with the column that tables OF a type have for its attribute."""
    for name in base_roles.typed_table(context):
        table = context.catalog.relations.get(name)
        for key in table.constraints if isinstance(table, Table) else ():
            if key.kind == "foreign_key" and attribute in key.columns:
                yield key


def _ends_keys(operation: Operation) -> bool:
    return isinstance(operation, DropColumn) or operation.kind in ("alter_column_type", "set_generation_expression")


def referencing(context: Context) -> Iterable[Name]:
    """Tables with foreign keys to the target (and the column the operation is about)"""
    return _with_keys_to_target(context, lambda key: key.enforced)


def _with_keys_to_target(context: Context, wanted: Callable[[Constraint], bool]) -> Iterable[Name]:
    target = subjects.relation_name(context)
    column = subjects.column_name(context)
    if target is None:
        return ()
    return tuple(
        name
        for name, relation in base_roles.dependents(context, target)
        if isinstance(relation, Table)
        and name != target
        and any(
            key.kind == "foreign_key"
            and wanted(key)
            and key.references == target
            and (column is None or not key.referenced_columns or column in key.referenced_columns)
            for key in relation.constraints
        )
    )


def keys_above(context: Context) -> Iterable[Name]:
    """Of a partition, the partitioned tables that foreign keys refer to, and the tables with these keys"""
    for name in role_steps.partition_ancestors(base_roles.target(context), context.catalog):
        users = dict.fromkeys(role_steps.referencing((name,), context.catalog))
        if users:
            yield from (name, *users)


def kept_keys(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys of the parent that the attached partition has already, too"""
    return _keys_of_parent(context, present=True)


def new_keys(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys of the parent that the attached partition does not have yet"""
    return _keys_of_parent(context, present=False)


def _keys_of_parent(context: Context, *, present: bool) -> Iterable[Name]:
    parent = subjects.table(context)
    for name in base_roles.partition(context):
        partition = context.catalog.table(name)
        if not isinstance(parent, Table) or not isinstance(partition, Table):
            continue
        for key in parent.constraints:
            if key.references is not None and has_key(context, partition, key) is present:
                yield key.references


def key_added(context: Context) -> Iterable[Name]:
    """The table and its partitions, as far as they do not have the new foreign key already"""
    return (
        name
        for name in (*base_roles.table(context), *base_roles.partitions(context))
        if not _has_new_key(context, name)
    )


def key_taken_over(context: Context) -> Iterable[Name]:
    """Tables that the new foreign key refers to, where a partition has the same key already"""
    return referenced(context) if any(_has_new_key(context, name) for name in base_roles.partitions(context)) else ()


def key_checked_in(context: Context) -> Iterable[Name]:
    """Tables that the new foreign key refers to, where rows are looked up in them"""
    added = role_steps.STEPS["stored"](key_added(context), context.catalog)
    return referenced(context) if any(True for _ in added) else ()


def _has_new_key(context: Context, name: Name) -> bool:
    table, key = context.catalog.table(name), getattr(context.operation, "constraint", None)
    if not isinstance(table, Table) or not isinstance(key, Constraint) or key.references is None:
        return False
    return name not in base_roles.table(context) and has_key(context, table, key)


def rechecked(context: Context) -> Iterable[Name]:
    """Tables referenced by valid foreign keys on the column"""
    keys = (key for key in foreign_keys(context) if key.validated and key.enforced)
    return dict.fromkeys(key.references for key in keys if key.references is not None)


def unenforced(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys on the column (or the one named) that are NOT ENFORCED"""
    keys = (key for key in foreign_keys(context) if not key.enforced)
    return dict.fromkeys(key.references for key in keys if key.references is not None)


def rechecking(context: Context) -> Iterable[Name]:
    """Tables with valid foreign keys to the column"""
    return _with_keys_to_target(context, lambda key: key.validated and key.enforced)


BASES: Mapping[str, Callable[[Context], Iterable[Name]]] = {
    "referenced": referenced,
    "referencing": referencing,
    "keys_above": keys_above,
    "kept_keys": kept_keys,
    "new_keys": new_keys,
    "key_added": key_added,
    "key_taken_over": key_taken_over,
    "key_checked_in": key_checked_in,
    "rechecked": rechecked,
    "unenforced": unenforced,
    "rechecking": rechecking,
}
