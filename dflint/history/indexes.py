"""Indexes: creating, attaching to those of partitioned tables, removing."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.history.naming import clip, index_columns, index_name, joined
from dflint.history.rewriting import element_columns, mentions_column
from dflint.model.catalog import UNKNOWN, Index, Relation, Table, View
from dflint.model.names import Name
from dflint.model.operations.indexes import CreateIndex
from dflint.model.schema import Constraint, IndexElement


def create_index(draft: Draft, operation: CreateIndex) -> None:
    """CREATE INDEX, on the partitions too unless ONLY is written.

    IF NOT EXISTS on a name of which nothing is known states the index as given.
    """
    table_name = draft.resolve(operation.target)
    table = draft.get(table_name)
    if not (isinstance(table, Table) or table is UNKNOWN or (isinstance(table, View) and table.materialized)):
        raise Refused
    if operation.name is not None:
        name = clip(operation.name)
    else:
        middle = joined(index_columns(operation.elements, operation.include))
        name = index_name(draft, table_name, middle, "idx")
    if isinstance(table, Table) and operation.unique:
        require_partition_key(table, tuple([e.column for e in operation.elements if e.column is not None]))
    index = Index(
        Name(table_name.schema, name),
        table_name,
        elements=tuple([e if e.expression is None else _plain(e) for e in operation.elements]),
        include=operation.include,
        unique=operation.unique,
        method=operation.method,
        where=operation.where,
        nulls_not_distinct=operation.nulls_not_distinct,
        options=operation.options,
        tablespace=operation.tablespace,
    )
    if isinstance(table, Table) and table.complete:
        for column in (*key_columns(index), *index.include):
            if table.column(column) is None:
                raise Refused
    create_stored_index(draft, index)
    if isinstance(table, Table) and table.partition_by is not None and table_name in draft.children_of:
        if operation.only:
            draft.put(replace(index, valid=False))
        else:
            add_partition_indexes(draft, index)


def _plain(element: IndexElement) -> IndexElement:
    """A column in parentheses, with or without COLLATE, is a plain column."""
    expression, collation = element.expression, element.collation
    if expression is not None and expression.kind == "collate" and expression.args:
        expression, collation = expression.args[0], expression.name
    if expression is None or expression.kind != "column" or expression.name is None:
        return element
    return replace(element, column=expression.name.name, expression=None, collation=collation)


def require_partition_key(table: Table, columns: tuple[str, ...]) -> None:
    """Refuse a unique index of a partitioned table that lacks a column of the partition key."""
    key = table.partition_by
    for element in key.elements if key is not None else ():
        if element.column not in columns:
            raise Refused


def create_stored_index(draft: Draft, index: Index) -> None:
    """Write a new index.

    Raises:
        Refused: its name is taken.
    """
    draft.create(index)


def index_uses_column(index: Relation | None, column: str) -> bool:
    """Whether the index has or reads that column of its table."""
    if not isinstance(index, Index):
        return False
    return column in element_columns(index.elements) or column in index.include or mentions_column(index.where, column)


def key_columns(index: Index) -> tuple[str, ...]:
    """The plain columns of an index's key."""
    return tuple([element.column for element in index.elements if element.column is not None])


def remove_index(draft: Draft, name: Name, *, cascade: bool = False, constraint: bool = False) -> None:
    """Make an index, and those of partitions attached to it, known not to exist, and let its table forget it."""
    for child in attached_to(draft, name):
        remove_index(draft, child, cascade=cascade, constraint=constraint)
    index = draft.known(name)
    draft.remove(name)
    table = draft.known_table(index.table) if isinstance(index, Index) else None
    if table is not None and name.name in (table.clustered_on, table.replica_index):
        draft.put(
            replace(
                table,
                clustered_on=None if table.clustered_on == name.name else table.clustered_on,
                replica_index=None if table.replica_index == name.name else table.replica_index,
            )
        )


def attached_to(draft: Draft, name: Name) -> tuple[Name, ...]:
    """The indexes of partitions that are attached to an index."""
    return draft.children_of.get(name, ())


# --- indexes of partitions --------------------------------------------------------------------------------------------


def add_partition_indexes(draft: Draft, index: Index) -> None:
    """Give every partition of the index's table an index attached to it: one that fits, or a new one."""
    for partition in draft.children_of.get(index.table, ()):
        add_partition_index(draft, index, partition)


def add_partition_index(draft: Draft, parent: Index, partition: Name) -> None:
    """Give one partition an index attached to ``parent``, and its own partitions in turn."""
    table = draft.known_table(partition)
    if table is None:
        return
    constraint = _constraint_of(draft, parent)
    for name in draft.indexes_of.get(partition, ()):
        existing = draft.known(name)
        if isinstance(existing, Index) and not existing.parents and _fits(draft, existing, parent, constraint):
            _attach(draft, existing, parent)
            return
    if parent.unique:
        require_partition_key(table, key_columns(parent))
    middle: str | None = joined(index_columns(parent.elements, parent.include))
    label = "idx"
    if constraint is not None:
        label = {"primary_key": "pkey", "exclusion": "excl"}.get(constraint.kind, "key")
        middle = None if label == "pkey" else middle
    taken = [c.name for c in table.constraints] if constraint is not None else None
    name_text = index_name(draft, partition, middle, label, taken)
    child = replace(
        parent,
        name=Name(partition.schema, name_text),
        table=partition,
        parents=(parent.name,),
        constraint=name_text if constraint is not None else None,
        valid=True,
    )
    draft.put(child)
    if constraint is not None:
        copy = replace(constraint, name=name_text, index=child.name, local=False, inherited=1)
        draft.put(replace(table, constraints=(*table.constraints, copy)))
    add_partition_indexes(draft, child)


def _constraint_of(draft: Draft, index: Index) -> Constraint | None:
    table = draft.known_table(index.table)
    if table is None or index.constraint is None:
        return None
    return next((c for c in table.constraints if c.name == index.constraint), None)


def _fits(draft: Draft, index: Index, parent: Index, constraint: Constraint | None) -> bool:
    """Whether the index can be attached to ``parent``: the same definition, and a constraint of its kind."""
    same = (
        index.elements == parent.elements
        and index.unique == parent.unique
        and index.method == parent.method
        and index.where == parent.where
        and index.include == parent.include
        and index.nulls_not_distinct == parent.nulls_not_distinct
    )
    if not same or constraint is None:
        return same
    own = _constraint_of(draft, index)
    return own is not None and own.kind == constraint.kind


def _attach(draft: Draft, index: Index, parent: Index) -> None:
    draft.put(replace(index, parents=(parent.name,)))
    table = draft.known_table(index.table)
    if table is not None and index.constraint is not None:
        constraints = tuple(
            [replace(c, local=False, inherited=1) if c.name == index.constraint else c for c in table.constraints]
        )
        draft.put(replace(table, constraints=constraints))


def attach_index(draft: Draft, parent_name: Name, child_name: Name) -> None:
    """ALTER INDEX … ATTACH PARTITION; an index whose partitions all have one becomes valid."""
    parent, child = draft.known(parent_name), draft.known(child_name)
    if not isinstance(parent, Index) or not isinstance(child, Index):
        raise Refused
    if child.parents or child.name == parent.name or child.table not in draft.children_of.get(parent.table, ()):
        if child.parents == (parent.name,):
            return
        raise Refused
    _attach(draft, child, parent)
    validate_partitioned_index(draft, parent.name)


def validate_partitioned_index(draft: Draft, name: Name) -> None:
    """Mark an index of a partitioned table valid when every partition has a valid index attached to it."""
    index = draft.known(name)
    if not isinstance(index, Index) or index.valid:
        return
    children = [draft.known(child) for child in attached_to(draft, name)]
    tables = {child.table for child in children if isinstance(child, Index) and child.valid}
    if tables.issuperset(draft.children_of.get(index.table, ())):
        draft.put(replace(index, valid=True))
        for parent in index.parents:
            validate_partitioned_index(draft, parent)


def detach_indexes(draft: Draft, partition: Name) -> None:
    """Make the indexes of a detached partition, and their constraints, its own."""
    table = draft.known_table(partition)
    for name in draft.indexes_of.get(partition, ()):
        index = draft.known(name)
        if isinstance(index, Index) and index.parents:
            draft.put(replace(index, parents=()))
            if table is not None and index.constraint is not None:
                constraints = tuple(
                    [
                        replace(c, local=True, inherited=0) if c.name == index.constraint else c
                        for c in table.constraints
                    ]
                )
                table = replace(table, constraints=constraints)
                draft.put(table)
