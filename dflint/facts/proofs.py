"""What valid constraints prove, so that PostgreSQL need not look at the rows."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts import subjects
from dflint.facts.implication import claims, excludes_bound, implies_bound
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, IndexElement, PartitionBound, PartitionKey

Answer = bool | Unknown


def not_null_proven(context: Context) -> Answer:
    """SET NOT NULL needs no scan: the column is NOT NULL already, or a valid CHECK (`… IS NOT NULL`, also joined with
    AND) says so. A constraint that the same ALTER TABLE drops proves nothing.
    """
    found, column = subjects.table(context), subjects.column_name(context)
    if not isinstance(found, Table) or column is None:
        return UNKNOWN if found is UNKNOWN else False
    if _proven(found, column, _dropped_beside(context)):
        return True
    return False if found.complete else UNKNOWN


def primary_key_proven(context: Context) -> Answer:
    """ADD PRIMARY KEY: all its columns are known to hold no null, so that no scan is needed for that."""
    constraint, found = getattr(context.operation, "constraint", None), subjects.table(context)
    if not isinstance(found, Table) or not isinstance(constraint, Constraint):
        return UNKNOWN if found is UNKNOWN else False
    columns = constraint.columns
    if constraint.using_index is not None:
        name = subjects.table_name(context)
        schema = name.schema if isinstance(name, Name) else None
        index = context.catalog.relation(Name(schema, constraint.using_index))
        if not isinstance(index, Index):
            return UNKNOWN
        columns = tuple(key.column for key in index.elements if key.column is not None)
    dropped = _dropped_beside(context)
    answers: list[Answer] = []
    for column in columns:
        proven = _proven(found, column, dropped)
        answers.append(proven or (False if found.complete else UNKNOWN))
    if False in answers:
        return False
    return UNKNOWN if UNKNOWN in answers or not answers else True


def proves_not_null(context: Context, table: Table, column: str) -> bool:
    """Whether the table is known to hold no null in that column when the context's operation looks."""
    return _proven(table, column, _dropped_beside(context))


def _proven(table: Table, column: str, dropped: frozenset[str]) -> bool:
    existing = table.column(column)
    if isinstance(existing, Column) and existing.not_null:
        # From 18 on NOT NULL is a constraint of its own, and one that was added NOT VALID proves nothing.
        return not any(
            each.kind == "not_null" and column in each.columns and not each.validated for each in table.constraints
        )
    for constraint in table.constraints:
        if constraint.kind != "check" or not constraint.validated or not constraint.enforced:
            continue
        if constraint.name not in dropped and _implies_not_null(constraint.expression, column):
            return True
    return False


def _implies_not_null(expr: Expr | None, column: str) -> bool:
    """Whether the expression is never true where the column is null, as far as PostgreSQL's prover sees it."""
    if expr is None:
        return False
    if expr.kind == "and":
        return any(_implies_not_null(part, column) for part in expr.args)
    if expr.kind == "or":
        return all(_implies_not_null(part, column) for part in expr.args)
    if expr.kind == "not" and expr.args[0].kind == "is_null":
        return _is_column(expr.args[0].args[0], column)
    return expr.kind == "is_not_null" and bool(expr.args) and _is_column(expr.args[0], column)


def _dropped_beside(context: Context) -> frozenset[str]:
    """Names of constraints that the same statement drops: PostgreSQL drops first and looks for proofs afterwards."""
    names = (getattr(other, "name", "") for other in context.statement.operations if other.kind == "drop_constraint")
    return frozenset(name for name in names if name)


def _conjuncts(expr: Expr | None) -> Iterable[Expr]:
    if expr is None:
        return
    pending = [expr]
    while pending:
        part = pending.pop()
        if part.kind == "and":
            pending.extend(part.args)
        else:
            yield part


def _is_column(expr: Expr, name: str) -> bool:
    return expr.kind == "column" and expr.name is not None and expr.name.name == name


def _parent_name(context: Context) -> Name | None:
    parent = getattr(context.operation, "partition_of", None)
    return context.resolve(parent) if parent is not None else context.target


# --- partitions -----------------------------------------------------------------------------------------------------


def partition_default_exists(context: Context) -> Answer:
    """The partitioned table has a default partition."""
    parent = _parent_name(context)
    if parent is None:
        return False
    return UNKNOWN if (found := default_partition(context, parent)) is UNKNOWN else found is not None


def default_partition(context: Context, parent: Name) -> Name | Unknown | None:
    """The default partition of a partitioned table."""
    for name in context.catalog.children_of.get(parent, ()):
        child = context.catalog.table(name)
        if isinstance(child, Table) and child.bound is not None and child.bound.kind == "default":
            return name
    found = context.catalog.table(parent)
    return None if (isinstance(found, Table) and found.complete) or found is None else UNKNOWN


def has_key(context: Context, partition: Table, key: Constraint) -> bool:
    """Whether a partition has a foreign key of its own that takes the place of its parent's ``key``."""
    return key.references is not None and any(
        own.references == context.resolve(key.references)
        and own.columns == key.columns
        and (not key.referenced_columns or own.referenced_columns == key.referenced_columns)
        and (own.match, own.on_delete, own.on_update) == (key.match, key.on_delete, key.on_update)
        and (own.deferrable, own.initially_deferred) == (key.deferrable, key.initially_deferred)
        and own.validated
        and not own.inherited
        for own in partition.constraints
    )


def partition_keys_missing(context: Context) -> Answer:
    """ATTACH PARTITION: the parent has a foreign key that the partition does not have."""
    parent, partition = _parent_and_partition(context)
    if not isinstance(parent, Table) or not isinstance(partition, Table):
        return UNKNOWN if UNKNOWN in (parent, partition) else False
    keys = [key for key in parent.constraints if key.kind == "foreign_key"]
    if any(not has_key(context, partition, key) for key in keys):
        return True
    return False if parent.complete else UNKNOWN


def partition_indexes_missing(context: Context) -> Answer:
    """ATTACH PARTITION: the parent has an index that the partition does not have."""
    parent, partition = _parent_and_partition(context)
    if not isinstance(parent, Table) or not isinstance(partition, Table):
        return UNKNOWN if UNKNOWN in (parent, partition) else False
    own = [index_shape(index) for index in subjects.indexes(context, partition.name)]
    for index in subjects.indexes(context, parent.name):
        if index_shape(index) not in own:
            return True
    return False if parent.complete else UNKNOWN


def _parent_and_partition(context: Context) -> tuple[Table | Unknown | None, Table | Unknown | None]:
    partition = getattr(context.operation, "partition", None)
    return subjects.table(context), None if partition is None else context.table(partition)


def index_shape(index: Index) -> tuple[object, ...]:
    """What must be the same in a partition's index that takes the place of the parent's."""
    return (
        index.elements, index.include, index.unique, index.method, index.where, index.nulls_not_distinct,
        index.constraint is not None,
    )  # fmt: skip


def partition_bound_proven(context: Context) -> Answer:
    """ATTACH PARTITION needs no scan of the partition: valid constraints imply the bound (one key column, RANGE or
    LIST of constants; anything else is unknown).
    """
    operation = context.operation
    bound, partition = getattr(operation, "bound", None), getattr(operation, "partition", None)
    parent = subjects.table(context)
    if bound is None or partition is None or parent is None:
        return False
    child = context.table(partition)
    if child is None or (isinstance(child, Table) and child.complete and not child.constraints):
        return False
    if not isinstance(child, Table) or not isinstance(parent, Table) or parent.partition_by is None:
        return UNKNOWN
    return _bound_implied(child, parent.partition_by, bound)


def _bound_implied(child: Table, key: PartitionKey, bound: PartitionBound) -> Answer:
    parts = _checked_parts(child)
    mentioned = {name for element in key.elements for name in _columns_of(element)}
    if bound.kind in ("hash", "default") or not any(mentioned.intersection(part.columns()) for part in parts):
        return False if child.complete else UNKNOWN  # nothing speaks of the key
    column = key.elements[0].column if len(key.elements) == 1 else None
    if column is None:
        return UNKNOWN
    proven = implies_bound(claims(parts, column), bound)
    if not _proven(child, column, frozenset()):
        return False if child.complete else UNKNOWN
    return UNKNOWN if proven is None else proven


def _checked_parts(table: Table) -> list[Expr]:
    """The conjuncts of the table's valid CHECKs."""
    return [
        part
        for constraint in table.constraints
        if constraint.kind == "check" and constraint.validated and constraint.enforced
        for part in _conjuncts(constraint.expression)
    ]


def _columns_of(element: IndexElement) -> Iterable[str]:
    if element.column is not None:
        return (element.column,)
    return element.expression.columns() if element.expression is not None else ()


def default_partition_excluded(context: Context) -> Answer:
    """A new partition's bound cannot hold any row of the default partition: valid CHECKs of that say so."""
    bound, parent_name = getattr(context.operation, "bound", None), _parent_name(context)
    if parent_name is None or not isinstance(bound, PartitionBound):
        return False
    parent, name = context.catalog.table(parent_name), default_partition(context, parent_name)
    found = context.catalog.table(name) if isinstance(name, Name) else None
    if not isinstance(parent, Table) or not isinstance(found, Table) or parent.partition_by is None:
        return UNKNOWN if UNKNOWN in (parent, name) else False
    elements = parent.partition_by.elements
    column = elements[0].column if len(elements) == 1 else None
    parts = _checked_parts(found)
    if column is None or not any(column in part.columns() for part in parts):
        return False
    excluded = excludes_bound(claims(parts, column), bound)
    return UNKNOWN if excluded is None else excluded
