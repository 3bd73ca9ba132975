"""What valid constraints prove, so that PostgreSQL need not look at the rows."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts import subjects
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, PartitionBound, PartitionKey

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
        if constraint.name not in dropped and any(
            part.kind == "is_not_null" and part.args and _is_column(part.args[0], column)
            for part in _conjuncts(constraint.expression)
        ):
            return True
    return False


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


def partition_keys_missing(context: Context) -> Answer:
    """ATTACH PARTITION: the parent has a foreign key that the partition does not have."""
    parent, partition = _parent_and_partition(context)
    if not isinstance(parent, Table) or not isinstance(partition, Table):
        return UNKNOWN if UNKNOWN in (parent, partition) else False
    own = {(key.references, key.columns) for key in partition.constraints if key.kind == "foreign_key"}
    keys = [key for key in parent.constraints if key.kind == "foreign_key"]
    if any((key.references, key.columns) not in own for key in keys):
        return True
    return False if parent.complete else UNKNOWN


def partition_indexes_missing(context: Context) -> Answer:
    """ATTACH PARTITION: the parent has an index that the partition does not have."""
    parent, partition = _parent_and_partition(context)
    if not isinstance(parent, Table) or not isinstance(partition, Table):
        return UNKNOWN if UNKNOWN in (parent, partition) else False
    own = [_index_shape(index) for index in subjects.indexes(context, partition.name)]
    for index in subjects.indexes(context, parent.name):
        if _index_shape(index) not in own:
            return True
    return False if parent.complete else UNKNOWN


def _parent_and_partition(context: Context) -> tuple[Table | Unknown | None, Table | Unknown | None]:
    partition = getattr(context.operation, "partition", None)
    return subjects.table(context), None if partition is None else context.table(partition)


def _index_shape(index: Index) -> tuple[object, ...]:
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
    column = key.elements[0].column if len(key.elements) == 1 else None
    if column is None or bound.kind in ("hash", "default"):
        return UNKNOWN
    parts = [
        part
        for constraint in child.constraints
        if constraint.kind == "check" and constraint.validated and constraint.enforced
        for part in _conjuncts(constraint.expression)
    ]
    if not any(column in part.columns() for part in parts):
        return False if child.complete else UNKNOWN  # nothing speaks of the key
    null_excluded = _proven(child, column, frozenset())
    if bound.kind == "list":
        return _list_implied(parts, column, bound, null_excluded)
    return _range_implied(parts, column, bound, null_excluded)


def _range_implied(parts: list[Expr], column: str, bound: PartitionBound, not_null: bool) -> Answer:
    lower, upper = bound.lower[0] if bound.lower else None, bound.upper[0] if bound.upper else None
    low = lower is None or any(_compares(part, column, ">=", lower) for part in parts)
    high = upper is None or any(_compares(part, column, "<", upper) for part in parts)
    if low and high and not_null:
        return True
    # A narrower check would do as well; comparing constants of any type is the server's business.
    return False if not not_null and low and high else UNKNOWN


def _list_implied(parts: list[Expr], column: str, bound: PartitionBound, not_null: bool) -> Answer:
    wanted = {_constant(value) for value in bound.values}
    for part in parts:
        if part.kind == "in" and _is_column(part.args[0], column):
            held = {_constant(value) for value in part.args[1:]}
        elif part.kind == "operator" and part.name is not None and part.name.name == "=" and len(part.args) == 2:
            if not _is_column(part.args[0], column):
                continue
            held = {_constant(part.args[1])}
        else:
            continue
        if None not in held and held <= wanted:
            return not_null
    return UNKNOWN


def _compares(part: Expr, column: str, operator: str, value: Expr) -> bool:
    if part.kind != "operator" or part.name is None or len(part.args) != 2:
        return False
    flipped = {">=": "<=", "<": ">"}[operator]
    left, right = part.args
    if part.name.name == operator and _is_column(left, column):
        return _constant(right) is not None and _constant(right) == _constant(value)
    if part.name.name == flipped and _is_column(right, column):
        return _constant(left) is not None and _constant(left) == _constant(value)
    return False


def _constant(expr: Expr) -> str | None:
    """A constant's text, casts taken off; None for anything else."""
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    return str(expr.value) if expr.kind == "constant" else None
