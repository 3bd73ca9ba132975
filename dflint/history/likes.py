"""CREATE TABLE … (LIKE source INCLUDING …)."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.columns import own_sequence
from dflint.history.constraint_lists import with_constraint
from dflint.history.constraints import add_constraint
from dflint.history.draft import Draft
from dflint.history.indexes import create_stored_index
from dflint.history.naming import index_columns, index_name, joined
from dflint.model.catalog import CompositeType, Index, Sequence, Table, View
from dflint.model.names import Name
from dflint.model.schema import Column, Like, SequenceOptions


def like_columns(draft: Draft, table: Table, like: Like) -> tuple[Column, ...] | None:
    """The columns that LIKE copies; None when the source is not completely known."""
    name = draft.resolve(like.source)
    source = draft.known(name)
    if isinstance(source, Table):
        columns = source.columns if source.complete else None
    elif isinstance(source, View):
        columns = source.columns
    else:
        columns = source.attributes if isinstance(source, CompositeType) else None
    if columns is None:
        return None
    return tuple([_copied(draft, table, column, like.including, name) for column in columns])


def _copied(draft: Draft, table: Table, column: Column, including: frozenset[str], source: Name) -> Column:
    generated = column.generated if "generated" in including else None
    copy = Column(
        column.name,
        type=column.type,
        not_null=column.not_null,
        default=column.default if "defaults" in including else None,
        generated=generated,
        generation=column.generation if generated is not None else "",
        identity=column.identity if "identity" in including else "",
        collation=column.collation,
        storage=column.storage if "storage" in including else None,
        compression=column.compression if "compression" in including else None,
    )
    if copy.identity:
        own_sequence(draft, table, replace(copy, identity_options=_identity_options(draft, source, column.name)))
    return copy


def _identity_options(draft: Draft, source: Name, column: str) -> SequenceOptions | None:
    """The options of the sequence of an identity column."""
    for name in draft.dependents_of.get(source, ()):
        sequence = draft.known(name)
        if isinstance(sequence, Sequence) and sequence.internal and sequence.owner_column == column:
            return sequence.options
    return None


def like_not_nulls(draft: Draft, table: Table, like: Like) -> Table:
    """``table`` with the names of the source's NOT NULL constraints (PostgreSQL 18), which come with its columns."""
    source = draft.known_table(draft.resolve(like.source))
    taken = {constraint.name for constraint in table.constraints}
    own = {constraint.columns for constraint in table.constraints if constraint.kind == "not_null"}
    for constraint in source.constraints if source is not None else ():
        if constraint.kind == "not_null" and constraint.columns not in own and constraint.name not in taken:
            table = with_constraint(table, replace(constraint, local=True, inherited=0))
    return table


def copy_like(draft: Draft, table: Table, like: Like) -> Table:
    """``table`` with the source's checks and indexes, where LIKE includes them."""
    source = draft.known_table(draft.resolve(like.source))
    if source is None:
        return table
    if "constraints" in like.including:
        taken = {constraint.name for constraint in table.constraints}
        for constraint in source.constraints:
            if constraint.kind == "check" and constraint.name not in taken:
                copy = replace(constraint, local=True, inherited=0, validated=constraint.enforced)
                table = with_constraint(table, copy)
    if "indexes" in like.including:
        # The server takes the others in the order they were made, which is not kept.
        keys = [constraint for constraint in source.constraints if constraint.index is not None]
        for key in sorted(keys, key=lambda constraint: constraint.kind != "primary_key"):
            table = add_constraint(draft, table, replace(key, name=None, index=None, local=True, inherited=0))
        for source_index in draft.indexes_of.get(source.name, ()):
            index = draft.known(source_index)
            if isinstance(index, Index) and index.constraint is None:
                _copy_index(draft, table.name, index)
    return table


def _copy_index(draft: Draft, table: Name, index: Index) -> None:
    name = index_name(draft, table, joined(index_columns(index.elements, index.include)), "idx")
    create_stored_index(draft, replace(index, name=Name(table.schema, name), table=table, parents=(), valid=True))
