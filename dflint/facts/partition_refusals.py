"""Conditions under which PostgreSQL refuses to make, attach or detach a partition."""

from __future__ import annotations

from dflint.facts import subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.implication import Claim, constant, excludes_bound
from dflint.model.catalog import UNKNOWN, Table, Unknown
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.schema import PartitionBound

Answer = bool | Unknown


def _parent(context: Context) -> Table | Unknown | None:
    parent = getattr(context.operation, "partition_of", None)
    return subjects.table(context) if parent is None else context.table(parent)


def _partition(context: Context) -> Table | Unknown | None:
    name = getattr(context.operation, "partition", None)
    return None if name is None else context.table(name)


def bound_of_key(context: Context) -> Answer:
    """The new partition's bound is of the kind of the partition key; HASH has no default partition."""
    bound, parent = getattr(context.operation, "bound", None), _parent(context)
    if not isinstance(bound, PartitionBound) or not isinstance(parent, Table) or parent.partition_by is None:
        return UNKNOWN if parent is UNKNOWN else True
    kind = parent.partition_by.strategy
    return kind != "hash" if bound.kind == "default" else bound.kind == kind


def partition_overlaps(context: Context) -> Answer:
    """The new partition's bound overlaps that of another one (one key column, RANGE or LIST of constants)."""
    bound, parent = getattr(context.operation, "bound", None), _parent(context)
    if not isinstance(bound, PartitionBound) or not isinstance(parent, Table) or parent.partition_by is None:
        return UNKNOWN if parent is UNKNOWN else False
    if bound.kind not in ("list", "range"):
        return False
    if len(parent.partition_by.elements) != 1:
        return UNKNOWN
    allowed = _claims(bound)
    answers = []
    for name in context.catalog.children_of.get(parent.name, ()):
        other = context.catalog.table(name)
        theirs = other.bound if isinstance(other, Table) else None
        if theirs is not None and theirs.kind == bound.kind:
            answers.append(excludes_bound(allowed, theirs))
    if False in answers:
        return True
    return UNKNOWN if None in answers else False


def _claims(bound: PartitionBound) -> list[Claim]:
    """What is so of every row of a partition with that bound."""
    if bound.kind == "list":
        return [Claim("=", tuple(value for each in bound.values if (value := constant(each)) is not None))]
    sides = ((">=", bound.lower), ("<", bound.upper))
    limits = [(symbol, None if side[0] is None else constant(side[0])) for symbol, side in sides if side]
    return [Claim(symbol, (limit,)) for symbol, limit in limits if limit is not None]


def partition_fits(context: Context) -> Answer:
    """ATTACH PARTITION: the table has just the columns of the parent, and all its CHECKs."""
    parent, child = _parent(context), _partition(context)
    if not isinstance(parent, Table) or not isinstance(child, Table) or not parent.complete or not child.complete:
        return UNKNOWN
    if {column.name for column in parent.columns} != {column.name for column in child.columns}:
        return False
    types = {column.name: column.type for column in child.columns}
    if any(column.type != types[column.name] for column in parent.columns):
        return False
    names = {each.name for each in child.constraints if each.kind == "check"}
    return all(each.name in names for each in parent.constraints if each.kind == "check" and not each.no_inherit)


def partition_taken(context: Context) -> Answer:
    """ATTACH PARTITION: the table is a partition or an inheritance child already."""
    child = _partition(context)
    return bool(child.parents) if isinstance(child, Table) else UNKNOWN if child is UNKNOWN else False


def target_refers_to_partitioned(context: Context) -> Answer:
    """DETACH PARTITION: a foreign key of the target refers to a partitioned table."""
    table = _parent(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    found = (context.catalog.table(key.references) for key in table.constraints if key.references is not None)
    return any(isinstance(each, Table) and each.partition_by is not None for each in found)


def partition_own(context: Context) -> Answer:
    """DETACH PARTITION: the table is a partition of the target."""
    parent, child = _parent(context), _partition(context)
    if isinstance(parent, Table) and isinstance(child, Table):
        return parent.name in child.parents
    return UNKNOWN if UNKNOWN in (parent, child) else False


def partition_pending(context: Context) -> Answer:
    """DETACH PARTITION: an earlier DETACH … CONCURRENTLY of that partition was not finished."""
    child = _partition(context)
    return child.detach_pending if isinstance(child, Table) else UNKNOWN if child is UNKNOWN else False


def partition_another_pending(context: Context) -> Answer:
    """DETACH PARTITION: an earlier DETACH … CONCURRENTLY of a partition of the target was not finished."""
    parent = _parent(context)
    if not isinstance(parent, Table):
        return UNKNOWN if parent is UNKNOWN else False
    return any(_pending(context, name) for name in context.catalog.children_of.get(parent.name, ()))


def _pending(context: Context, name: Name) -> bool:
    found = context.catalog.table(name)
    return isinstance(found, Table) and found.detach_pending


CONDITIONS: tuple[Condition, ...] = (
    Condition("bound.of_key", BOOL, bound_of_key, "the partition key of {parent}"),
    Condition("partition.overlaps", BOOL, partition_overlaps, "the bounds of the partitions of {parent}"),
    Condition("partition.fits", BOOL, partition_fits, "the columns of {target} and {partition}"),
    Condition("partition.taken", BOOL, partition_taken, "whether {partition} is a partition"),
    Condition(
        "target.refers_to_partitioned", BOOL, target_refers_to_partitioned, "what the foreign keys of {target} refer to"
    ),
    Condition("partition.own", BOOL, partition_own, "whether {partition} is a partition of {target}"),
    Condition("partition.pending", BOOL, partition_pending, "whether {partition} is being detached"),
    Condition("partition.another_pending", BOOL, partition_another_pending, "whether a partition is being detached"),
)
