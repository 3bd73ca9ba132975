"""Inheritance and partitions: what a child takes from its parents, INHERIT, ATTACH and DETACH."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from dflint.history.constraints import inherit_foreign_key
from dflint.history.draft import Draft, Refused
from dflint.history.indexes import add_partition_index, attach_index, detach_indexes, validate_partitioned_index
from dflint.history.not_nulls import not_null_column, not_null_of
from dflint.model.catalog import UNKNOWN, Index, Table
from dflint.model.names import Name
from dflint.model.operations.tables import AddInherit, AttachPartition, DetachPartition, DropInherit
from dflint.model.schema import Column, Constraint


def require_no_cycle(draft: Draft, name: Name, parents: Iterable[Name]) -> None:
    """Refuse parents that are known not to be tables, or that descend from the table itself."""
    below = set(draft.family(name))
    for parent in parents:
        found = draft.get(parent)
        if parent in below or not (isinstance(found, Table) or found is UNKNOWN):
            raise Refused


def inherited_columns(draft: Draft, parents: tuple[Name, ...], *, partition: bool) -> tuple[tuple[Column, ...], bool]:
    """The columns a new child takes from its parents, and whether they are all known."""
    merged: dict[str, Column] = {}
    complete = True
    for parent_name in parents:
        parent = draft.known_table(parent_name)
        if parent is None:
            complete = False
            continue
        complete = complete and parent.complete
        for column in map(partial(_descending, parent), parent.columns):
            old = merged.get(column.name)
            if old is None:
                # Only a partition of PostgreSQL 17 and later takes the identity.
                kept = column.identity if partition and draft.version >= 17 else ""
                merged[column.name] = replace(column, local=False, inherited=1, identity=kept, statistics=None)
            else:
                merged[column.name] = replace(
                    old, inherited=old.inherited + 1, not_null=old.not_null or column.not_null
                )
    return tuple(merged.values()), complete


def _descending(parent: Table, column: Column) -> Column:
    """A parent's column as its children have it."""
    required = not_null_of(parent, column.name) if column.not_null else None
    return replace(column, not_null=False) if required is not None and required.no_inherit else column


def merged_columns(inherited: tuple[Column, ...], own: list[Column], *, typed: bool) -> tuple[Column, ...]:
    """Inherited columns, each merged with the own one of its name, and then the other own columns.

    ``typed``: own ones only add properties to columns that come from elsewhere (PARTITION OF, OF type).

    Raises:
        Refused: a name stands twice.
    """
    if not inherited:
        if len({column.name for column in own}) != len(own):
            raise Refused
        return tuple(own)
    merged = {column.name: column for column in inherited}
    seen: set[str] = set()
    for column in own:
        if column.name in seen:
            raise Refused
        seen.add(column.name)
        old = merged.get(column.name)
        if old is None:
            merged[column.name] = column
            continue
        merged[column.name] = replace(
            old,
            type=old.type or column.type,
            not_null=old.not_null or column.not_null,
            default=column.default or old.default,
            identity=column.identity or old.identity,
            generated=column.generated or old.generated,
            generation=column.generation or old.generation,
            local=old.local or not typed,
        )
    return tuple(merged.values())


def inherited_checks(draft: Draft, table: Table) -> Table:
    """A new child with its parents' checks (and, from PostgreSQL 18 on, NOT NULL constraints)."""
    # NOT NULL of a column is one, whatever each parent calls it; the first one's name stays.
    merged: dict[object, Constraint] = {}
    for parent_name in table.parents:
        parent = draft.known_table(parent_name)
        for constraint in parent.constraints if parent is not None else ():
            if constraint.kind not in ("check", "not_null") or constraint.no_inherit:
                continue
            key = constraint.columns if constraint.kind == "not_null" else constraint.name
            old = merged.get(key)
            if old is None:
                # It has no rows that could violate what is NOT VALID.
                merged[key] = replace(constraint, local=False, inherited=1, validated=constraint.enforced)
            else:
                merged[key] = replace(old, inherited=old.inherited + 1)
    for constraint in merged.values():
        if constraint.kind == "not_null":
            table = not_null_column(table, constraint.columns[0])
    return replace(table, constraints=(*table.constraints, *merged.values()))


def become_partition(draft: Draft, name: Name, parent_name: Name) -> None:
    """Give a partition its share of the parent's indexes, foreign keys and row triggers."""
    parent = draft.known_table(parent_name)
    if parent is None:
        return
    for index_name in draft.indexes_of.get(parent_name, ()):
        index = draft.known(index_name)
        if isinstance(index, Index):
            add_partition_index(draft, index, name)
            validate_partitioned_index(draft, index_name)
    for constraint in parent.constraints:
        if constraint.kind == "foreign_key":
            inherit_foreign_key(draft, name, constraint)
    triggers = tuple([trigger for trigger in parent.triggers if trigger.for_each_row])
    for member in draft.family(name) if triggers else ():
        table = draft.known_table(member)
        if table is not None:
            taken = {trigger.name for trigger in table.triggers}
            come = [trigger for trigger in triggers if trigger.name not in taken]
            merged = sorted([*table.triggers, *come], key=lambda trigger: trigger.name)
            draft.put(replace(table, triggers=tuple(merged)))


# --- INHERIT and ATTACH -----------------------------------------------------------------------------------------------


def add_inherit(draft: Draft, operation: AddInherit) -> None:
    """INHERIT: the child has the columns and checks already; they count as inherited from now on."""
    child = draft.altered_table(operation.target, operation.if_exists)
    parent_name = draft.resolve(operation.parent)
    require_no_cycle(draft, child.name, (parent_name,))
    if parent_name in child.parents or child.bound is not None:
        raise Refused
    draft.put(_adopted(draft, child, parent_name, partition=False))


def attach_partition(draft: Draft, operation: AttachPartition) -> None:
    """ATTACH PARTITION of a table or of an index."""
    parent_name, partition_name = draft.resolve(operation.target), draft.resolve(operation.partition)
    if operation.object_kind == "index" or isinstance(draft.known(parent_name), Index):
        attach_index(draft, parent_name, partition_name)
        return
    parent = draft.altered_table(operation.target, operation.if_exists)
    found = draft.get(partition_name)
    partition = Table(partition_name, complete=False) if found is UNKNOWN else found
    if not isinstance(partition, Table) or (parent.complete and parent.partition_by is None):
        raise Refused
    require_no_cycle(draft, partition_name, (parent_name,))
    if partition.parents:
        raise Refused
    if draft.known(parent_name) is None:
        draft.put(parent)
    draft.put(replace(_adopted(draft, partition, parent_name, partition=True), bound=operation.bound))
    become_partition(draft, partition_name, parent_name)


def _adopted(draft: Draft, child: Table, parent_name: Name, *, partition: bool) -> Table:
    """The child with the parent's columns and checks counted as inherited.

    Raises:
        Refused: the child is known to lack one of them.
    """
    child = replace(child, parents=(*child.parents, parent_name))
    parent = draft.known_table(parent_name)
    if parent is None:
        return child
    columns = {column.name: column for column in child.columns}
    for column in parent.columns:
        old = columns.get(column.name)
        if old is not None:
            local = old.local and not partition
            columns[column.name] = replace(old, inherited=old.inherited + 1, local=local)
        elif child.complete:
            raise Refused
        else:
            columns[column.name] = replace(column, local=not partition, inherited=1, complete=False)
    constraints = {constraint.name: constraint for constraint in child.constraints}
    for constraint in parent.constraints:
        if constraint.kind not in ("check", "not_null") or constraint.no_inherit:
            continue
        same = _matching(constraint, child.constraints)
        if same is not None:
            local = same.local and not partition
            constraints[same.name] = replace(same, inherited=same.inherited + 1, local=local)
        elif child.complete:
            raise Refused
        elif constraint.name not in constraints:
            constraints[constraint.name] = replace(constraint, local=not partition, inherited=1)
    return replace(child, columns=tuple(columns.values()), constraints=tuple(constraints.values()))


def _matching(constraint: Constraint, others: Iterable[Constraint]) -> Constraint | None:
    for other in others:
        if other.kind != constraint.kind:
            continue
        if other.columns == constraint.columns if constraint.kind == "not_null" else other.name == constraint.name:
            return other
    return None


# --- NO INHERIT and DETACH --------------------------------------------------------------------------------------------


def drop_inherit(draft: Draft, operation: DropInherit) -> None:
    """NO INHERIT: the columns and checks stay, as the child's own."""
    child = draft.altered_table(operation.target, operation.if_exists)
    parent_name = draft.resolve(operation.parent)
    if parent_name not in child.parents and child.complete:
        raise Refused
    draft.put(_released(draft, child, parent_name))


def detach_partition(draft: Draft, operation: DetachPartition) -> None:
    """DETACH PARTITION: columns, constraints and indexes stay, as the table's own; cloned triggers go."""
    parent_name, name = draft.resolve(operation.target), draft.resolve(operation.partition)
    partition = draft.get(name)
    if partition is UNKNOWN and not (operation.if_exists and draft.get(parent_name) is UNKNOWN):
        partition = Table(name, complete=False)
    if not isinstance(partition, Table) or (partition.complete and parent_name not in partition.parents):
        raise Refused
    released = _released(draft, partition, parent_name)
    parent = draft.known_table(parent_name)
    cloned = {t.name for t in parent.triggers if t.for_each_row} if parent is not None else set()
    triggers = tuple([trigger for trigger in released.triggers if trigger.name not in cloned])
    foreign_keys = tuple(
        [
            replace(c, local=True, inherited=0) if c.kind == "foreign_key" and c.inherited else c
            for c in released.constraints
        ]
    )
    draft.put(replace(released, bound=None, detach_pending=False, triggers=triggers, constraints=foreign_keys))
    detach_indexes(draft, name)


def _released(draft: Draft, child: Table, parent_name: Name) -> Table:
    parent = draft.known_table(parent_name)
    columns = {column.name for column in parent.columns} if parent is not None else set()
    checks = [c for c in parent.constraints if c.kind in ("check", "not_null")] if parent is not None else []
    return replace(
        child,
        parents=tuple([name for name in child.parents if name != parent_name]),
        columns=tuple([_less_column(c) if c.name in columns and c.inherited else c for c in child.columns]),
        constraints=tuple(
            [_less_constraint(c) if c.inherited and _matching(c, checks) is not None else c for c in child.constraints]
        ),
    )


def _less_column(column: Column) -> Column:
    left = column.inherited - 1
    return replace(column, inherited=left, local=column.local or not left)


def _less_constraint(constraint: Constraint) -> Constraint:
    left = constraint.inherited - 1
    return replace(constraint, inherited=left, local=constraint.local or not left)
