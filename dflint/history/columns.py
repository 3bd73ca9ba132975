"""Columns: definitions as PostgreSQL stores them, ADD, DROP and ALTER COLUMN."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from dflint.history.constraint_changes import remove_constraint
from dflint.history.constraints import add_constraint, inline_constraints
from dflint.history.draft import Draft, Refused
from dflint.history.drops import remove_column
from dflint.history.naming import sequence_name
from dflint.history.not_nulls import require_not_null, without_not_null
from dflint.history.rewriting import nextval, rename_sequences
from dflint.history.sequences import merged_options
from dflint.model.catalog import Sequence, Table, View
from dflint.model.dependencies import is_user_type
from dflint.model.expressions import Expr, Type
from dflint.model.inheritance import losing_column
from dflint.model.names import Name
from dflint.model.operations.tables import (
    AddColumn,
    AddIdentity,
    AlterColumnType,
    ColumnOperation,
    DropColumn,
    DropColumnDefault,
    DropGenerationExpression,
    DropIdentity,
    DropNotNull,
    SetColumnCompression,
    SetColumnDefault,
    SetColumnOptions,
    SetColumnStatistics,
    SetColumnStorage,
    SetGenerationExpression,
    SetIdentity,
    SetNotNull,
)
from dflint.model.schema import Column, Options, SequenceOptions


def stored_column(draft: Draft, table: Table, column: Column) -> Column:
    """The column as a catalog holds it; makes the sequence of a serial or identity column."""
    kind, default = column.type, column.default
    if kind is not None and kind.name.schema is None:
        kind = draft.resolve_type(kind)
    if column.serial or column.identity:
        sequence = own_sequence(draft, table, column)
        return replace(
            column,
            not_null=True,
            default=nextval(sequence) if column.serial else default,
            serial=False,
            identity_options=None,
            constraints=(),
            at=-1,
        )
    if default is not None and (default.args or default.kind == "null"):
        default = resolved_default(draft, default, kind)
    return replace(column, type=kind, default=default, constraints=(), at=-1)


def resolved_default(draft: Draft, default: Expr | None, kind: Type | None) -> Expr | None:
    """A default as PostgreSQL keeps it: sequences by identity, and a plain NULL not at all."""
    if default is None:
        return None
    if default.kind == "null" or (default.kind == "cast" and default.args[0].kind == "null"):
        # What must first be made to fit the type (a length, a domain, another type) is an expression, which is kept.
        cast = default.type if default.kind == "cast" else kind
        fits = kind is None or (not kind.modifiers and not is_user_type(kind))
        return None if fits and cast == kind else default
    return rename_sequences(default, draft.resolve) if default.args else default


def own_sequence(draft: Draft, table: Table, column: Column) -> Name:
    """Make the sequence of a serial or identity column; gives its name."""
    options = column.identity_options or SequenceOptions()
    if options.name is not None:
        name = Name(options.name.schema or table.name.schema, options.name.name)
    else:
        name = sequence_name(draft, table.name, column.name)
    draft.create(
        Sequence(
            name,
            options=replace(options, type=options.type or column.type, name=None),
            owner_table=table.name,
            owner_column=column.name,
            internal=bool(column.identity),
            # Before PostgreSQL 15 no sequence was unlogged.
            persistence="permanent" if table.persistence == "unlogged" and draft.version < 15 else table.persistence,
        )
    )
    return name


# --- ADD COLUMN -----------------------------------------------------------------------------------------------------


def add_column(draft: Draft, operation: AddColumn) -> None:
    """ALTER TABLE … ADD COLUMN, to the table and its descendants."""
    table = draft.altered_table(operation.target, operation.if_exists)
    given = operation.column
    if isinstance(table.column(given.name), Column) or table.bound is not None:
        raise Refused
    children = draft.children_of.get(table.name, ())
    if operation.only and children:
        raise Refused
    uncertain = operation.missing_ok and not table.complete
    column = stored_column(draft, table, given)
    if uncertain:
        # IF NOT EXISTS on a table that is not completely known: a column of this name exists, maybe another one.
        column = replace(column, complete=False)
    table = replace(table, columns=(*table.columns, column))
    if children:
        _inherit_column(draft, table, column)
    if column.not_null:
        table = require_not_null(draft, table, given.name)
    if given.constraints:
        # A foreign key may reference the table itself.
        draft.put(table)
        for constraint in inline_constraints(given):
            table = add_constraint(draft, table, constraint)
    draft.put(table)


def _inherit_column(draft: Draft, parent: Table, column: Column) -> None:
    copy = replace(column, local=False, inherited=1)
    for child_name in draft.children_of.get(parent.name, ()):
        child = draft.known_table(child_name)
        if child is None:
            continue
        existing = child.column(column.name)
        if isinstance(existing, Column):
            merged = replace(existing, inherited=existing.inherited + 1, not_null=existing.not_null or column.not_null)
            draft.put(with_column(child, merged))
            continue
        draft.put(replace(child, columns=(*child.columns, copy)))
        if child_name in draft.children_of:
            _inherit_column(draft, child, column)


def with_column(table: Table, column: Column) -> Table:
    """``table`` with the column of that name replaced, or added where the table does not show it."""
    columns = tuple([column if old.name == column.name else old for old in table.columns])
    if column not in columns:
        columns = (*columns, column)
    return replace(table, columns=columns)


# --- DROP COLUMN ----------------------------------------------------------------------------------------------------


def drop_column(draft: Draft, operation: DropColumn) -> None:
    """ALTER TABLE … DROP COLUMN: its indexes and constraints go with it, other objects with CASCADE only."""
    table = draft.altered_table(operation.target, operation.if_exists)
    column = table.column(operation.column)
    if column is None or (isinstance(column, Column) and column.inherited):
        raise Refused
    going = [] if operation.only else losing_column(draft.relations, draft.children_of, table.name, operation.column)
    _drop_own_keys(draft, going, operation.column)
    drop_inherited(draft, table.name, operation)
    remove_column(draft, draft.known_table(table.name) or table, operation.column, cascade=operation.cascade)


def _drop_own_keys(draft: Draft, tables: Iterable[Name], column: str) -> None:
    """Foreign keys on the column go first: they may refer to another one that goes with it."""
    for name in tables:
        table = draft.known_table(name)
        for key in table.constraints if table is not None else ():
            if key.kind == "foreign_key" and column in key.columns:
                remove_constraint(draft, name, key, cascade=True)


def drop_inherited(draft: Draft, parent: Name, operation: DropColumn) -> None:
    """The children's copies go too; with ONLY, or where a child has the column on its own, they stay."""
    for child_name in draft.children_of.get(parent, ()):
        child = draft.known_table(child_name)
        column = child.column(operation.column) if child is not None else None
        if child is None or not isinstance(column, Column) or not column.inherited:
            continue
        left = column.inherited - 1
        if operation.only or column.local or left:
            draft.put(with_column(child, replace(column, inherited=left, local=column.local or not left)))
        else:
            drop_inherited(draft, child_name, operation)
            remove_column(draft, draft.known_table(child_name) or child, column.name, cascade=operation.cascade)


# --- ALTER COLUMN ---------------------------------------------------------------------------------------------------


def change_column(
    draft: Draft, operation: ColumnOperation, change: Callable[[Column], Column], *, recurse: bool = True
) -> None:
    """Apply ``change`` to a column of the table and, unless ONLY was written, of its descendants.

    Raises:
        Refused: the column is known not to exist.
    """
    name = draft.resolve(operation.target)
    relation = draft.known(name)
    if isinstance(relation, View):
        if relation.columns is not None:
            columns = tuple([change(c) if c.name == operation.column else c for c in relation.columns])
            draft.put(replace(relation, columns=columns))
        return
    if operation.object_kind not in ("table", "foreign_table"):
        return
    table = draft.altered_table(operation.target, operation.if_exists)
    column = table.column(operation.column)
    if column is None:
        raise Refused
    if not isinstance(column, Column):
        column = Column(operation.column, complete=False)
    draft.put(with_column(table, change(column)))
    if recurse:
        for child in draft.descendants(name, operation.only):
            inherited = child.column(operation.column)
            if isinstance(inherited, Column):
                draft.put(with_column(child, change(inherited)))


def alter_column_type(draft: Draft, operation: AlterColumnType) -> None:
    """ALTER COLUMN … TYPE; the sequence of an identity column changes along."""
    kind = draft.resolve_type(operation.type)

    def change(column: Column) -> Column:
        return replace(column, type=kind, collation=operation.collation)

    change_column(draft, operation, change)
    name = draft.resolve(operation.target)
    for sequence in _column_sequences(draft, name, operation.column):
        if sequence.internal and kind is not None and kind.name.name in ("int2", "int4", "int8"):
            draft.put(replace(sequence, options=replace(sequence.options, type=kind)))


def set_column_default(draft: Draft, operation: SetColumnDefault) -> None:
    """ALTER COLUMN … SET DEFAULT."""

    def change(column: Column) -> Column:
        if column.identity or column.generated is not None:
            raise Refused
        return replace(column, default=resolved_default(draft, operation.default, column.type))

    change_column(draft, operation, change)


def drop_column_default(draft: Draft, operation: DropColumnDefault) -> None:
    """ALTER COLUMN … DROP DEFAULT."""

    def change(column: Column) -> Column:
        if column.identity or column.generated is not None:
            raise Refused
        return replace(column, default=None)

    change_column(draft, operation, change)


def set_not_null(draft: Draft, operation: SetNotNull) -> None:
    """ALTER COLUMN … SET NOT NULL; from PostgreSQL 18 on with a constraint."""
    if operation.only:
        _require_partitions_not_null(draft, draft.resolve(operation.target), operation.column)
    change_column(draft, operation, lambda column: replace(column, not_null=True))
    table = draft.known_table(draft.resolve(operation.target))
    if draft.version >= 18 and table is not None:
        draft.put(require_not_null(draft, table, operation.column, only=operation.only))


def _require_partitions_not_null(draft: Draft, name: Name, column: str) -> None:
    """ONLY on a partitioned table: refused while a partition's column may be null."""
    table = draft.known_table(name)
    for child in draft.descendants(name) if table is not None and table.partition_by is not None else ():
        found = child.column(column)
        if isinstance(found, Column) and not found.not_null:
            raise Refused


def drop_not_null(draft: Draft, operation: DropNotNull) -> None:
    """ALTER COLUMN … DROP NOT NULL."""
    table = draft.known_table(draft.resolve(operation.target))
    if table is not None and any(c.kind == "primary_key" and operation.column in c.columns for c in table.constraints):
        raise Refused

    def change(column: Column) -> Column:
        if column.identity:
            raise Refused
        return replace(column, not_null=False)

    change_column(draft, operation, change)
    if draft.version >= 18:
        for name in draft.family(draft.resolve(operation.target), operation.only):
            member = draft.known_table(name)
            if member is not None:
                draft.put(without_not_null(member, operation.column))


def set_generation_expression(draft: Draft, operation: SetGenerationExpression) -> None:
    """ALTER COLUMN … SET EXPRESSION."""
    change_column(draft, operation, lambda column: replace(column, generated=operation.expression))


def drop_generation_expression(draft: Draft, operation: DropGenerationExpression) -> None:
    """ALTER COLUMN … DROP EXPRESSION."""

    def change(column: Column) -> Column:
        if column.generated is None and column.complete and not operation.missing_ok:
            raise Refused
        return replace(column, generated=None, generation="")

    change_column(draft, operation, change)


def add_identity(draft: Draft, operation: AddIdentity) -> None:
    """ALTER COLUMN … ADD GENERATED … AS IDENTITY."""
    table = draft.altered_table(operation.target, operation.if_exists)
    column = table.column(operation.column)
    if isinstance(column, Column):
        if column.identity or column.default is not None or (column.complete and not column.not_null):
            raise Refused
    elif column is None:
        raise Refused
    else:
        column = Column(operation.column, not_null=True, complete=False)
    column = replace(column, identity=operation.identity, not_null=True)
    draft.put(with_column(table, column))
    own_sequence(draft, table, replace(column, identity_options=operation.options))


def set_identity(draft: Draft, operation: SetIdentity) -> None:
    """ALTER COLUMN … SET GENERATED, SET sequence option, RESTART."""

    def change(column: Column) -> Column:
        if not column.identity and column.complete:
            raise Refused
        return replace(column, identity=operation.identity or column.identity)

    change_column(draft, operation, change, recurse=False)
    if operation.options is not None:
        for sequence in _column_sequences(draft, draft.resolve(operation.target), operation.column):
            if sequence.internal:
                draft.put(replace(sequence, options=merged_options(sequence.options, operation.options)))


def drop_identity(draft: Draft, operation: DropIdentity) -> None:
    """ALTER COLUMN … DROP IDENTITY: the sequence goes, NOT NULL stays."""

    def change(column: Column) -> Column:
        if not column.identity and column.complete and not operation.missing_ok:
            raise Refused
        return replace(column, identity="")

    change_column(draft, operation, change, recurse=False)
    for sequence in _column_sequences(draft, draft.resolve(operation.target), operation.column):
        if sequence.internal:
            draft.remove(sequence.name)


def _column_sequences(draft: Draft, table: Name, column: str) -> list[Sequence]:
    found = [draft.known(name) for name in draft.dependents_of.get(table, ())]
    return [
        sequence
        for sequence in found
        if isinstance(sequence, Sequence) and sequence.owner_table == table and sequence.owner_column == column
    ]


def set_column_statistics(draft: Draft, operation: SetColumnStatistics) -> None:
    """ALTER COLUMN … SET STATISTICS."""
    value = None if operation.value == -1 else operation.value
    change_column(draft, operation, lambda column: replace(column, statistics=value))


def set_column_storage(draft: Draft, operation: SetColumnStorage) -> None:
    """ALTER COLUMN … SET STORAGE."""
    change_column(draft, operation, lambda column: replace(column, storage=operation.storage))


def set_column_compression(draft: Draft, operation: SetColumnCompression) -> None:
    """ALTER COLUMN … SET COMPRESSION."""
    change_column(draft, operation, lambda column: replace(column, compression=operation.compression), recurse=False)


def set_column_options(draft: Draft, operation: SetColumnOptions) -> None:
    """ALTER COLUMN … SET (…), RESET (…) or OPTIONS (…)."""

    def change(column: Column) -> Column:
        return replace(column, options=changed_options(column.options, operation.options, operation.reset))

    change_column(draft, operation, change, recurse=False)


def changed_options(old: Options, given: Options, reset: bool) -> Options:
    """Options after SET (``given``) or RESET (its names)."""
    names = {name for name, _value in given}
    kept = tuple([option for option in old if option[0] not in names])
    return kept if reset else (*kept, *given)
