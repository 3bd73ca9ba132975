"""Conditions under which PostgreSQL refuses to make, attach or detach a partition."""

from __future__ import annotations

from dflint.facts import role_steps, subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.implication import Claim, constant, excludes_bound
from dflint.facts.refusal_conditions import lacks_partition_column
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
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
    """The new partition's bound overlaps that of another one, or does not go with it (HASH; one key column, RANGE or
    LIST of constants).
    """
    bound, parent = getattr(context.operation, "bound", None), _parent(context)
    if not isinstance(bound, PartitionBound) or not isinstance(parent, Table) or parent.partition_by is None:
        return UNKNOWN if parent is UNKNOWN else False
    if bound.kind == "hash":
        tables = (context.catalog.relations.get(name) for name in context.catalog.children_of.get(parent.name, ()))
        return any(_in_the_way(bound, each.bound) for each in tables if isinstance(each, Table))
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


def _in_the_way(bound: PartitionBound, other: PartitionBound | None) -> bool:
    """Whether two HASH partitions have values in common, or moduli of which neither is a factor of the other."""
    if other is None or other.kind != "hash":
        return False
    (small, low), (large, high) = sorted([(bound.modulus, bound.remainder), (other.modulus, other.remainder)])
    return large % small != 0 or high % small == low


def _claims(bound: PartitionBound) -> list[Claim]:
    """What is so of every row of a partition with that bound."""
    if bound.kind == "list":
        return [Claim("=", tuple(value for each in bound.values if (value := constant(each)) is not None))]
    sides = ((">=", bound.lower), ("<", bound.upper))
    limits = [(symbol, None if side[0] is None else constant(side[0])) for symbol, side in sides if side]
    return [Claim(symbol, (limit,)) for symbol, limit in limits if limit is not None]


def partition_fits(context: Context) -> Answer:
    """ATTACH PARTITION: the table has just the columns of the parent, and all its NOT NULLs and CHECKs."""
    parent, child = _parent(context), _partition(context)
    if not isinstance(parent, Table) or not isinstance(child, Table) or not parent.complete or not child.complete:
        return UNKNOWN
    if {column.name for column in parent.columns} != {column.name for column in child.columns}:
        return False
    types = {column.name: column.type for column in child.columns}
    if any(column.type != types[column.name] for column in parent.columns):
        return False
    forced = {column.name for column in child.columns if column.not_null}
    if any(column.not_null and column.name not in forced for column in parent.columns):
        return False
    names = {each.name for each in child.constraints if each.kind == "check"}
    return all(each.name in names for each in parent.constraints if each.kind == "check" and not each.no_inherit)


def partition_has_more(context: Context) -> Answer:
    """ATTACH PARTITION: the table has a column that the parent does not have."""
    parent, child = _parent(context), _partition(context)
    if not isinstance(parent, Table) or not isinstance(child, Table) or not parent.complete:
        return UNKNOWN
    return any(parent.column(column.name) is None for column in child.columns)


def partition_lacks_key_column(context: Context) -> Answer:
    """The new partition is partitioned by a column that a unique index of the parent does not have."""
    parent, own = _parent(context), getattr(context.operation, "partition_by", None)
    if not isinstance(parent, Table):
        return UNKNOWN if parent is UNKNOWN else False
    name = getattr(context.operation, "partition", None)
    below = role_steps.tree((context.resolve(name),), context.catalog) if name is not None else ()
    tables = [context.catalog.relations.get(each) for each in below]
    keys = [own, *(table.partition_by for table in tables if isinstance(table, Table))]
    return any(
        lacks_partition_column([element.column for element in index.elements if element.column is not None], key)
        for index in subjects.indexes(context, parent.name)
        if index.unique
        for key in keys
    )


def index_misplaced(context: Context) -> Answer:
    """ALTER INDEX … ATTACH PARTITION: the index is not on a partition, or it or that partition has a place already."""
    catalog, target, name = context.catalog, context.operation.target, getattr(context.operation, "partition", None)
    parent = None if target is None else context.relation(target)
    child = None if name is None else context.relation(name)
    if not isinstance(parent, Index) or not isinstance(child, Index):
        return UNKNOWN if UNKNOWN in (parent, child) else False
    if child.parents:
        return parent.name not in child.parents
    others = (catalog.relations.get(each) for each in catalog.children_of.get(parent.name, ()))
    taken = any(isinstance(each, Index) and each.table == child.table for each in others)
    return taken or child.table not in catalog.children_of.get(parent.table, ())


def partition_taken(context: Context) -> Answer:
    """ATTACH PARTITION: the table is a partition, inherits or has inheritance children, or was created OF a type."""
    child = _partition(context)
    if not isinstance(child, Table):
        return UNKNOWN if child is UNKNOWN else False
    inherited = child.partition_by is None and bool(context.catalog.children_of.get(child.name))
    return inherited or bool(child.parents) or child.of_type is not None


def partition_above(context: Context) -> Answer:
    """ATTACH PARTITION: the table is the target itself, or what that is a partition of at any depth."""
    parent, child = _parent(context), _partition(context)
    if not isinstance(parent, Table) or not isinstance(child, Table):
        return UNKNOWN if UNKNOWN in (parent, child) else False
    return child.name in (parent.name, *role_steps.ancestors((parent.name,), context.catalog))


def partition_persistence_differs(context: Context) -> Answer:
    """ATTACH PARTITION: one of the tables is temporary, the other is not."""
    parent, child = _parent(context), _partition(context)
    if not isinstance(parent, Table) or not isinstance(child, Table):
        return UNKNOWN if UNKNOWN in (parent, child) else False
    return (parent.persistence == "temporary") is not (child.persistence == "temporary")


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
    Condition("partition.has_more_columns", BOOL, partition_has_more, "the columns of {target} and {partition}"),
    Condition("partition.lacks_key_column", BOOL, partition_lacks_key_column, "the unique indexes of {parent}"),
    Condition("index.misplaced", BOOL, index_misplaced, "the partitions of the indexes"),
    Condition("partition.above", BOOL, partition_above, "the parents of {target}"),
    Condition(
        "partition.persistence_differs",
        BOOL,
        partition_persistence_differs,
        "the persistence of {target} and {partition}",
    ),
    Condition("partition.taken", BOOL, partition_taken, "whether {partition} is a partition"),
    Condition(
        "target.refers_to_partitioned", BOOL, target_refers_to_partitioned, "what the foreign keys of {target} refer to"
    ),
    Condition("partition.own", BOOL, partition_own, "whether {partition} is a partition of {target}"),
    Condition("partition.pending", BOOL, partition_pending, "whether {partition} is being detached"),
    Condition("partition.another_pending", BOOL, partition_another_pending, "whether a partition is being detached"),
)
