"""Constraints of tables: adding with their generated names and indexes, altering, validating, dropping."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from dflint.history.constraint_lists import names, replaced, require_columns, with_constraint
from dflint.history.draft import Draft, Refused
from dflint.history.indexes import (
    add_partition_indexes,
    create_stored_index,
    key_columns,
    require_partition_key,
)
from dflint.history.naming import constraint_name, index_columns, index_name, joined
from dflint.history.not_nulls import add_not_null, require_not_null
from dflint.model.catalog import Index, Table
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.tables import (
    AddConstraintOperation,
)
from dflint.model.schema import Column, Constraint, IndexElement

KEYS = frozenset({"primary_key", "unique", "exclusion"})


def inline_constraints(column: Column) -> Iterator[Constraint]:
    """The constraints written with a column, as table constraints."""
    for constraint in column.constraints:
        if constraint.kind not in ("check", "exclusion") and not constraint.columns:
            yield replace(constraint, columns=(column.name,))
        else:
            yield constraint


def add_constraint_operation(draft: Draft, operation: AddConstraintOperation) -> None:
    """ALTER TABLE … ADD CONSTRAINT, to the table and, by the rules of each kind, to its descendants."""
    table = draft.altered_table(operation.target, operation.if_exists)
    draft.put(add_constraint(draft, table, operation.constraint, only=operation.only))


def add_constraint(draft: Draft, table: Table, constraint: Constraint, *, only: bool = False) -> Table:
    """``table`` with one constraint more; the caller writes it.

    The constraint's index and what descendants take of it are written here.

    Raises:
        Refused: its name is taken, there is a primary key already, or it names a column known not to exist.
    """
    name = constraint.name
    if name is not None and name in names(table):
        raise Refused
    kind = constraint.kind
    if kind == "foreign_key":
        return _add_foreign_key(draft, table, constraint, only)
    if kind == "check":
        return _add_check(draft, table, constraint, only)
    if kind == "not_null":
        return add_not_null(draft, table, constraint, only=only)
    return _add_key(draft, table, constraint, only)


# --- the kinds ------------------------------------------------------------------------------------------------------


def check_columns(expression: Expr | None) -> tuple[str, ...]:
    """The columns of a check's expression."""
    return expression.columns() if expression is not None else ()


def named_check(draft: Draft, table: Table, constraint: Constraint) -> Constraint:
    """A check as a catalog holds it, with the name PostgreSQL gives it."""
    columns = check_columns(constraint.expression)
    name = constraint.name
    if name is None:
        middle = columns[0] if len(columns) == 1 else None
        name = constraint_name(draft, table.name, middle, "check", names(table))
    validated = constraint.validated and constraint.enforced
    return replace(constraint, name=name, columns=columns, at=-1, validated=validated)


def _add_check(draft: Draft, table: Table, constraint: Constraint, only: bool) -> Table:
    children = () if constraint.no_inherit else draft.children_of.get(table.name, ())
    if (only and children) or (constraint.no_inherit and table.partition_by is not None):
        raise Refused
    check = named_check(draft, table, constraint)
    if children:
        inherit_check(draft, table.name, check)
    return with_constraint(table, check)


def inherit_check(draft: Draft, parent: Name, check: Constraint) -> None:
    """Give a check to the children of ``parent``, and on to theirs; one they have by the name is merged."""
    for child_name in draft.children_of.get(parent, ()):
        child = draft.known_table(child_name)
        if child is None:
            continue
        existing = child.constraint(check.name or "")
        if isinstance(existing, Constraint):
            draft.put(replaced(child, existing, replace(existing, inherited=existing.inherited + 1)))
            continue
        draft.put(with_constraint(child, replace(check, local=False, inherited=1)))
        inherit_check(draft, child_name, check)


def _add_foreign_key(draft: Draft, table: Table, constraint: Constraint, only: bool) -> Table:
    require_columns(table, constraint.columns)
    children = draft.children_of.get(table.name, ()) if table.partition_by is not None else ()
    if only and children:
        raise Refused
    stored = _stored_foreign_key(draft, table, constraint)
    for child_name in children:
        inherit_foreign_key(draft, child_name, stored)
    return with_constraint(table, stored)


def _stored_foreign_key(draft: Draft, table: Table, constraint: Constraint) -> Constraint:
    """A foreign key as a catalog holds it: named, its table resolved, the referenced columns filled in."""
    references = draft.resolve(constraint.references) if constraint.references is not None else None
    columns = constraint.referenced_columns
    if references is not None and references != table.name:
        referenced = draft.get(references)
        if referenced is None:
            raise Refused
    else:
        referenced = table
    if not columns and isinstance(referenced, Table):
        columns = next((c.columns for c in referenced.constraints if c.kind == "primary_key"), ())
    name = constraint.name
    if name is None:
        name = constraint_name(draft, table.name, joined(constraint.columns), "fkey", names(table))
    return replace(
        constraint,
        name=name,
        references=references,
        referenced_columns=columns,
        at=-1,
        validated=constraint.validated and constraint.enforced,
    )


def inherit_foreign_key(draft: Draft, partition_name: Name, foreign_key: Constraint) -> None:
    """Give a partitioned table's foreign key to a partition: an equal one is taken over, else it is copied."""
    partition = draft.known_table(partition_name)
    if partition is None:
        return
    for old in partition.constraints:
        if old.kind == "foreign_key" and not old.inherited and _same_foreign_key(old, foreign_key):
            draft.put(replaced(partition, old, replace(old, local=False, inherited=1)))
            break
    else:
        name = foreign_key.name
        if any(old.name == name for old in partition.constraints):
            name = constraint_name(draft, partition_name, joined(foreign_key.columns), "fkey")
        copy = replace(foreign_key, name=name, local=False, inherited=1)
        draft.put(with_constraint(partition, copy))
    for child in draft.children_of.get(partition_name, ()):
        inherit_foreign_key(draft, child, foreign_key)


def _same_foreign_key(one: Constraint, other: Constraint) -> bool:
    return replace(one, name=None, local=True, inherited=0) == replace(other, name=None, local=True, inherited=0)


# --- keys and exclusion constraints: constraints with an index --------------------------------------------------------


def key_elements(constraint: Constraint) -> tuple[IndexElement, ...]:
    """The keys of the index behind a key or exclusion constraint."""
    if constraint.kind == "exclusion":
        return constraint.elements
    return tuple([IndexElement(column=column) for column in constraint.columns])


def _add_key(draft: Draft, table: Table, constraint: Constraint, only: bool) -> Table:
    if constraint.kind == "primary_key" and any(c.kind == "primary_key" for c in table.constraints):
        raise Refused
    if constraint.using_index is not None:
        return _add_key_using_index(draft, table, constraint)
    require_columns(table, (*constraint.columns, *constraint.include))
    if constraint.kind != "exclusion":
        require_partition_key(table, constraint.columns)
    schema = table.name.schema or ""
    elements = key_elements(constraint)
    name = constraint.name or _key_name(draft, table, constraint)
    index = Index(
        Name(schema, name),
        table.name,
        elements=elements,
        include=constraint.include,
        unique=constraint.kind != "exclusion",
        method=constraint.method or "btree",
        where=constraint.where,
        nulls_not_distinct=constraint.nulls_not_distinct,
        constraint=name,
        options=constraint.options,
        tablespace=constraint.tablespace,
    )
    create_stored_index(draft, index)
    table = _with_key(draft, table, _stored_key(constraint, name, index.name))
    if table.partition_by is not None and table.name in draft.children_of:
        if only:
            draft.put(replace(index, valid=False))
        else:
            # The partitions' indexes are made after the table's constraint.
            draft.put(table)
            add_partition_indexes(draft, index)
    return table


def _key_name(draft: Draft, table: Table, constraint: Constraint) -> str:
    """The name PostgreSQL gives a key or exclusion constraint and its index."""
    if constraint.kind == "primary_key":
        return index_name(draft, table.name, None, "pkey", names(table))
    middle = joined(index_columns(key_elements(constraint), constraint.include))
    return index_name(draft, table.name, middle, "excl" if constraint.kind == "exclusion" else "key", names(table))


def _stored_key(constraint: Constraint, name: str, index: Name) -> Constraint:
    columns = constraint.columns
    if constraint.kind == "exclusion":
        columns = tuple([e.column for e in constraint.elements if e.column is not None])
    return replace(
        constraint,
        name=name,
        columns=columns,
        using_index=None,
        index=index,
        options=(),
        tablespace=None,
        at=-1,
    )


def _with_key(draft: Draft, table: Table, stored: Constraint) -> Table:
    """``table`` with the key; a primary key's columns become NOT NULL, and those of its descendants."""
    if stored.kind == "primary_key":
        for column in stored.columns:
            table = require_not_null(draft, table, column)
    return with_constraint(table, stored)


def _add_key_using_index(draft: Draft, table: Table, constraint: Constraint) -> Table:
    """UNIQUE or PRIMARY KEY USING INDEX: the index takes the constraint's name, or gives it."""
    written = Name(table.name.schema, constraint.using_index or "")
    name = constraint.name or written.name
    index = draft.get(written)
    final = Name(table.name.schema, name)
    if index is None or (final != written and draft.known(final) is not None):
        raise Refused
    if isinstance(index, Index):
        if index.table != table.name or index.constraint is not None or not index.unique:
            raise Refused
        constraint = replace(constraint, columns=key_columns(index), include=index.include)
        if final != written:
            draft.remove(written)
        draft.put(replace(index, name=final, constraint=name))
        if final != written and table.replica_index == written.name:
            table = replace(table, replica_index=name)
        if final != written and table.clustered_on == written.name:
            table = replace(table, clustered_on=name)
    elif final != written:
        draft.remove(written)
    return _with_key(draft, table, _stored_key(constraint, name, final))
