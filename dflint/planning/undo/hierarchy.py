"""Partitions and inheritance."""

from __future__ import annotations

from dflint.history.naming import object_name
from dflint.model.catalog import Table
from dflint.model.expressions import Expr
from dflint.model.operations.tables import AddInherit, AttachPartition, DetachPartition, DropInherit
from dflint.model.quoting import quote_identifier
from dflint.model.schema import PartitionBound
from dflint.planning.undo.before import Before, Irreversible, Nothing
from dflint.planning.undo.columns import alter
from dflint.planning.undo.spelling import expression_sql, quoted


def add_inherit(before: Before, operation: AddInherit) -> list[str]:
    """INHERIT."""
    child, parent = before.table(operation.target), before.resolve(operation.parent)
    if parent in child.parents:
        raise Nothing
    return [f"{alter(before, operation)} NO INHERIT {quoted(parent)}"]


def drop_inherit(before: Before, operation: DropInherit) -> list[str]:
    """NO INHERIT."""
    child, parent = before.table(operation.target), before.resolve(operation.parent)
    if parent not in child.parents:
        raise Nothing
    if not child.complete or any(not column.local for column in child.columns):
        raise Irreversible(f"columns that {child.name} had from its parent become its own")
    return [f"{alter(before, operation)} INHERIT {quoted(parent)}"]


def attach(before: Before, operation: AttachPartition) -> list[str]:
    """ATTACH PARTITION."""
    if operation.object_kind == "index" or operation.bound is None:
        raise Irreversible("PostgreSQL cannot take an index of a partition out of that of the partitioned table")
    parent, child = before.table(operation.target), before.table(operation.partition)
    if parent.name in child.parents:
        raise Nothing
    if not (parent.complete and child.complete):
        raise Irreversible(f"the catalog does not say how {child.name} was")
    sql = [f"{alter(before, operation)} DETACH PARTITION {quoted(child.name)}"]
    return sql + _left_over(before, child)


def _left_over(before: Before, child: Table) -> list[str]:
    """What attaching gives a partition, and detaching leaves there: constraints and indexes."""
    now = before.after.relations.get(child.name)
    if not isinstance(now, Table):
        raise Irreversible(f"it is not known what {child.name} gets from its parent")
    old = {each.name for each in child.constraints}
    new = [each for each in now.constraints if each.name not in old]
    sql = [f"ALTER TABLE {quoted(child.name)} DROP CONSTRAINT {quote_identifier(each.name or '')}" for each in new]
    behind = {each.index for each in new}
    had = {index.name for index in before.indexes(child.name)}
    sql += [
        f"DROP INDEX {quoted(index.name)}"
        for index in before.indexes(child.name, before.after)
        if index.name not in had and index.name not in behind
    ]
    return sql


def detach(before: Before, operation: DetachPartition) -> list[str]:
    """DETACH PARTITION."""
    parent, child = before.table(operation.target), before.table(operation.partition)
    if parent.name not in child.parents:
        raise Nothing
    bound = before.definition("bound", child.name) or _bound(child.bound)
    if bound is None:
        raise Irreversible(f"the catalog does not say exactly which rows partition {child.name} was for")
    sql = [f"ALTER TABLE {quoted(parent.name)} ATTACH PARTITION {quoted(child.name)} {bound}"]
    if operation.concurrently or operation.finalize:
        sql += _check_of_bound(parent, child)
    return sql


def _check_of_bound(parent: Table, child: Table) -> list[str]:
    """DETACH CONCURRENTLY leaves a CHECK constraint that says what the bound said, unless others say it already."""
    key = parent.partition_by.elements if parent.partition_by is not None else ()
    column = key[0].column if len(key) == 1 else None
    if not key or any(element.column is None for element in key):
        raise Irreversible(
            f"the catalog does not say which name the CHECK constraint gets that {child.name} is left with"
        )
    name = object_name(child.name.name, column, "check")
    if any(each.name == name for each in child.constraints):
        raise Irreversible(f"{child.name} has a constraint {name} already, and the new one gets another name")
    return [f"ALTER TABLE {quoted(child.name)} DROP CONSTRAINT IF EXISTS {quote_identifier(name)}"]


def _bound(bound: PartitionBound | None) -> str | None:
    if bound is None:
        return None
    if bound.kind == "default":
        return "DEFAULT"
    if bound.kind == "hash":
        return f"FOR VALUES WITH (MODULUS {bound.modulus}, REMAINDER {bound.remainder})"
    if bound.kind == "list":
        listed = _values(bound.values)
        return None if listed is None else f"FOR VALUES IN ({listed})"
    return None


def _values(values: tuple[Expr, ...]) -> str | None:
    texts = [expression_sql(value) for value in values]
    return None if not texts or None in texts else ", ".join(text for text in texts if text is not None)
