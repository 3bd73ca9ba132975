"""Conditions under which PostgreSQL refuses a statement, whatever it would cost otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dflint.facts import subjects
from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

Answer = bool | Unknown


def new_name_taken(context: Context) -> Answer:
    """A relation or type of the name that the statement gives (CREATE, RENAME TO, SET SCHEMA) exists already."""
    name = _new_name(context)
    if name is None:
        return False
    catalog = context.catalog
    if catalog.relations.get(name) is not None or catalog.types.get(name) is not None:
        return True
    return False if catalog.relation(name) is None else UNKNOWN


def _new_name(context: Context) -> Name | None:
    operation, target = context.operation, context.operation.target
    path = context.session.search_path
    first = path[0] if path else "public"
    if target is None:
        return None
    if operation.kind == "create_index":
        name = getattr(operation, "name", None)
        return None if name is None else Name(context.resolve(target).schema, name)
    if operation.kind.startswith("create_"):
        temporary = getattr(operation, "persistence", "") == "temporary" or getattr(operation, "temporary", False)
        return Name("pg_temp" if temporary else target.schema or first, target.name)
    here = context.resolve(target)
    new = Name(getattr(operation, "schema", None) or here.schema, getattr(operation, "new_name", None) or here.name)
    return None if new == here else new


def column_inherited(context: Context) -> Answer:
    """The existing column comes from a parent."""
    return _of_column(context, lambda _table, column: bool(column.inherited))


def column_partition_key(context: Context) -> Answer:
    """The existing column is part of the table's partition key."""

    def answer(table: Table, column: Column) -> bool:
        elements = table.partition_by.elements if table.partition_by is not None else ()
        return any(
            each.column == column.name or (each.expression is not None and column.name in each.expression.columns())
            for each in elements
        )

    return _of_column(context, answer)


def column_replica_identity(context: Context) -> Answer:
    """The existing column is part of the index that is the table's replica identity."""

    def answer(table: Table, column: Column) -> bool:
        if table.replica_index is None:
            return False
        index = context.catalog.relations.get(Name(table.name.schema, table.replica_index))
        return isinstance(index, Index) and any(each.column == column.name for each in index.elements)

    return _of_column(context, answer)


def _of_column(context: Context, test: Callable[[Table, Column], bool]) -> Answer:
    table, column = subjects.table(context), subjects.column(context)
    if isinstance(table, Table) and isinstance(column, Column):
        return test(table, column)
    return UNKNOWN if UNKNOWN in (table, column) else False


def column_system(context: Context) -> bool:
    """The column is one that every table has: ctid, xmin, tableoid, …"""
    return subjects.column_name(context) in ("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid")


def target_typed(context: Context) -> Answer:
    """The table was created OF a type."""
    found = subjects.table(context)
    if isinstance(found, Table):
        return found.of_type is not None
    return UNKNOWN if found is UNKNOWN else False


def named_columns_exist(context: Context) -> Answer:
    """All columns that the new index or constraint names are columns of the table."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else True
    constraint = getattr(operation, "constraint", None)
    names = set(_index_columns(operation)) if constraint is None else set(_constraint_columns(constraint))
    missing = [name for name in names if table.column(name) is None and name not in _SYSTEM]
    if any(table.column(name) is UNKNOWN for name in names):
        return UNKNOWN
    return not missing


_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def _index_columns(operation: object) -> Iterable[str]:
    for element in getattr(operation, "elements", ()):
        if element.column is not None:
            yield element.column
    yield from getattr(operation, "include", ())


def _constraint_columns(constraint: Constraint) -> Iterable[str]:
    yield from constraint.columns
    yield from constraint.include
    if constraint.kind == "check" and constraint.expression is not None:
        yield from constraint.expression.columns()


def constraint_exists(context: Context) -> Answer:
    """The table has the constraint that VALIDATE, ALTER, RENAME or DROP CONSTRAINT names."""
    found = subjects.named_constraint(context)
    return UNKNOWN if found is UNKNOWN else found is not None


def constraint_name_taken(context: Context) -> Answer:
    """The table has a constraint of the new constraint's name already."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    name = constraint.name if isinstance(constraint, Constraint) else getattr(context.operation, "new_name", None)
    if name is None or table is None:
        return False
    if not isinstance(table, Table):
        return UNKNOWN
    found = table.constraint(name)
    return UNKNOWN if found is UNKNOWN else found is not None


def constraint_inherited(context: Context) -> Answer:
    """The existing constraint that the operation names comes from a parent."""
    found = subjects.named_constraint(context)
    if isinstance(found, Constraint):
        return bool(found.inherited)
    return UNKNOWN if found is UNKNOWN else False


def primary_key_exists(context: Context) -> Answer:
    """The table has a primary key already."""
    found = subjects.table(context)
    if isinstance(found, Table):
        known = any(constraint.kind == "primary_key" for constraint in found.constraints)
        return known or (False if found.complete else UNKNOWN)
    return UNKNOWN if found is UNKNOWN else False


def referenced_exists(context: Context) -> Answer:
    """Every table that the operation's own foreign keys refer to exists."""
    answers = [context.catalog.relation(name) for name in subjects.referenced_names(context)]
    own = subjects.relation_name(context)
    missing = [
        name
        for name, found in zip(subjects.referenced_names(context), answers, strict=True)
        if found is None and name != own
    ]
    if missing:
        return False
    return UNKNOWN if UNKNOWN in answers else True


def parent_exists(context: Context) -> Answer:
    """The parent (PARTITION OF, INHERITS, INHERIT) exists."""
    parent = getattr(context.operation, "partition_of", None) or getattr(context.operation, "parent", None)
    found = True if parent is None else context.relation(parent)
    return UNKNOWN if found is UNKNOWN else found is not None


def parent_partitioned(context: Context) -> Answer:
    """The parent that PARTITION OF names is a partitioned table."""
    parent = getattr(context.operation, "partition_of", None)
    found = None if parent is None else context.table(parent)
    if isinstance(found, Table):
        return found.partition_by is not None
    return UNKNOWN if found is UNKNOWN else False


def key_lacks_partition_column(context: Context) -> Answer:
    """A unique index or key on a partitioned table lacks a column of the partition key."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    constraint = getattr(operation, "constraint", None)
    columns = set(constraint.columns) if isinstance(constraint, Constraint) else set(_keys(operation))
    key = table.partition_by.elements if table.partition_by is not None else ()
    return any(element.column is None or element.column not in columns for element in key)


def _keys(operation: object) -> Iterable[str]:
    return (element.column for element in getattr(operation, "elements", ()) if element.column is not None)


def schema_exists(context: Context) -> Answer:
    """The schema that SET SCHEMA, CREATE or REINDEX SCHEMA names exists."""
    name = getattr(context.operation, "schema", None)
    if name is None and context.operation.target is not None:
        name = context.operation.target.schema
    if name is None or name in ("public", "pg_catalog", "pg_temp"):
        return True
    found = context.catalog.schemas.get(name, None if context.catalog.closed else UNKNOWN)
    return UNKNOWN if found is UNKNOWN else found is not None


CONDITIONS: tuple[Condition, ...] = (
    Condition("new_name.taken", BOOL, new_name_taken, "whether the new name is free"),
    Condition("schema.exists", BOOL, schema_exists, "whether the schema exists"),
    Condition("target.typed", BOOL, target_typed, "whether {table} was created OF a type"),
    Condition("parent.exists", BOOL, parent_exists, "whether {parent} exists"),
    Condition("parent.partitioned", BOOL, parent_partitioned, "whether {parent} is partitioned"),
    Condition("referenced.exists", BOOL, referenced_exists, "whether {referenced} exists"),
    Condition("primary_key.exists", BOOL, primary_key_exists, "whether {table} has a primary key"),
    Condition("key.lacks_partition_column", BOOL, key_lacks_partition_column, "the partition key of {table}"),
    Condition("columns.exist", BOOL, named_columns_exist, "the columns of {table}"),
    Condition("column.system", BOOL, column_system, catalog=False),
    Condition("column.inherited", BOOL, column_inherited, "whether {table}.{column} comes from a parent"),
    Condition("column.partition_key", BOOL, column_partition_key, "the partition key of {table}"),
    Condition("column.replica_identity", BOOL, column_replica_identity, "the replica identity of {table}"),
    Condition("constraint.exists", BOOL, constraint_exists, "whether {table} has a constraint {name}"),
    Condition("constraint.name_taken", BOOL, constraint_name_taken, "the constraints of {table}"),
    Condition("constraint.comes_from_parent", BOOL, constraint_inherited, "whether constraint {name} is inherited"),
)
