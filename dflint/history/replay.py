"""Replay: what a migration's operations make of the catalog.

`apply` is a pure function, so a ROLLBACK needs nothing but the catalog from before. An operation that PostgreSQL would
refuse leaves the catalog as it is.

The world is open: what no operation named is unknown. An ALTER of an unknown table leaves a stub
(``Table(complete=False)``) with the facts it shows; columns it only altered have ``complete=False`` too. A DROP leaves
None: known not to exist. CREATE TABLE IF NOT EXISTS of an unknown table states the columns as given, but the table not
as complete.

Each application costs as much as the objects it touches are large, however large the catalog is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from dflint.history import (
    columns,
    constraint_changes,
    constraints,
    indexes,
    inheritance,
    objects,
    renames,
    routines,
    schemas,
    sequences,
    tables,
    triggers,
    types,
    views,
)
from dflint.history.conditional import keep_common
from dflint.history.draft import Draft, Refused
from dflint.history.drops import drop_relations
from dflint.model.catalog import Catalog
from dflint.model.operations import data
from dflint.model.operations import indexes as index_operations
from dflint.model.operations import objects as object_operations
from dflint.model.operations import tables as table_operations
from dflint.model.operations.base import Opaque, Operation
from dflint.model.session import Session

#: Reasons in `Catalog.incomplete`.
DYNAMIC_SQL: Final = "dynamic SQL ran, and what it did is not known"
NOT_UNDERSTOOD: Final = "a statement was not understood, and what it did is not known"
DROP_OWNED: Final = "DROP OWNED ran, and which objects it dropped is not known"


def apply(
    operation: Operation,
    catalog: Catalog,
    session: Session,
    version: int,
    together: Sequence[Operation] = (),
) -> Catalog:
    """The catalog after ``operation``; the same value when it changes no schema or PostgreSQL would refuse it.

    Args:
        operation: what runs.
        catalog: what exists before.
        session: settings in force before; its search_path resolves names.
        version: server major version, for what differs between versions (names of NOT NULL constraints, …).
        together: all operations of the statement, this one included. PostgreSQL lets the objects of one DROP list
            depend on each other; where this is left out, a DROP that is a clause is taken to be one of a list.
    """
    return advance(Draft(catalog, version), operation, session, together)


def advance(
    draft: Draft, operation: Operation, session: Session, together: Sequence[Operation] = (), *, watch: bool = False
) -> Catalog:
    """As `apply`, for who goes through a history: the draft, which has nothing unfinished, goes along.

    With ``watch``, `Draft.touched` tells afterwards what was written.
    """
    function = _FUNCTIONS.get(type(operation))
    if function is None:
        return draft.catalog
    draft.path = session.search_path
    draft.together = together
    draft.touched = set() if operation.conditional or watch else None
    try:
        function(draft, operation)
    except Refused:
        draft.undo()
        return draft.catalog
    if operation.conditional:
        keep_common(draft.catalog, draft)
    return draft.finish()


def replay(operations: Iterable[Operation], catalog: Catalog, session: Session, version: int) -> Catalog:
    """The catalog after all ``operations``, under one session state."""
    draft = Draft(catalog, version)
    for operation in operations:
        advance(draft, operation, session)
    return draft.catalog


def end_session(catalog: Catalog, session: Session, version: int) -> Catalog:
    """The catalog after the session has ended: its temporary relations are gone."""
    draft = Draft(catalog, version)
    draft.path = session.search_path
    names = [name for where, name in draft.members("pg_temp") if where == "relations"]
    drop_relations(draft, names, cascade=True)
    return draft.finish()


def _doubt_opaque(draft: Draft, operation: Opaque) -> None:
    if not operation.rejected:
        draft.doubt(NOT_UNDERSTOOD)


def _doubt_block(draft: Draft, operation: data.DoBlock) -> None:
    if not operation.understood:
        draft.doubt(DYNAMIC_SQL)


def _doubt_dynamic(draft: Draft, _operation: data.DynamicSql) -> None:
    draft.doubt(DYNAMIC_SQL)


def _doubt_owned(draft: Draft, operation: object_operations.OwnedObjects) -> None:
    if operation.action == "drop":
        draft.doubt(DROP_OWNED)


#: Operation type -> its effect. Whatever is missing here changes no schema.
_FUNCTIONS: Final[dict[type[Operation], Callable[[Draft, Any], None]]] = {
    Opaque: _doubt_opaque,
    data.DoBlock: _doubt_block,
    data.DynamicSql: _doubt_dynamic,
    # tables
    table_operations.CreateTable: tables.create_table,
    table_operations.CreateTableAs: tables.create_table_as,
    table_operations.SetTableOptions: tables.set_table_options,
    table_operations.ClusterOn: tables.cluster_on,
    table_operations.SetWithoutCluster: tables.set_without_cluster,
    table_operations.SetLogged: tables.set_persistence,
    table_operations.SetUnlogged: tables.set_persistence,
    table_operations.SetTablespace: tables.set_tablespace,
    table_operations.MoveAllInTablespace: tables.move_all_in_tablespace,
    table_operations.SetAccessMethod: tables.set_access_method,
    table_operations.SetReplicaIdentity: tables.set_replica_identity,
    table_operations.SetRowSecurity: tables.set_row_security,
    table_operations.SetOfType: tables.set_of_type,
    # columns
    table_operations.AddColumn: columns.add_column,
    table_operations.DropColumn: columns.drop_column,
    table_operations.AlterColumnType: columns.alter_column_type,
    table_operations.SetColumnDefault: columns.set_column_default,
    table_operations.DropColumnDefault: columns.drop_column_default,
    table_operations.SetNotNull: columns.set_not_null,
    table_operations.DropNotNull: columns.drop_not_null,
    table_operations.SetGenerationExpression: columns.set_generation_expression,
    table_operations.DropGenerationExpression: columns.drop_generation_expression,
    table_operations.AddIdentity: columns.add_identity,
    table_operations.SetIdentity: columns.set_identity,
    table_operations.DropIdentity: columns.drop_identity,
    table_operations.SetColumnStatistics: columns.set_column_statistics,
    table_operations.SetColumnStorage: columns.set_column_storage,
    table_operations.SetColumnCompression: columns.set_column_compression,
    table_operations.SetColumnOptions: columns.set_column_options,
    # constraints
    table_operations.AddForeignKey: constraints.add_constraint_operation,
    table_operations.AddCheck: constraints.add_constraint_operation,
    table_operations.AddUnique: constraints.add_constraint_operation,
    table_operations.AddPrimaryKey: constraints.add_constraint_operation,
    table_operations.AddExclusion: constraints.add_constraint_operation,
    table_operations.AddNotNull: constraints.add_constraint_operation,
    table_operations.AlterConstraint: constraint_changes.alter_constraint,
    table_operations.ValidateConstraint: constraint_changes.validate_constraint,
    table_operations.DropConstraint: constraint_changes.drop_constraint,
    # triggers, rules, policies
    table_operations.SetTriggerState: triggers.set_trigger_state,
    table_operations.SetRuleState: triggers.set_rule_state,
    object_operations.CreateTrigger: triggers.create_trigger,
    object_operations.CreateRule: triggers.create_rule,
    object_operations.CreatePolicy: triggers.create_policy,
    object_operations.AlterPolicy: triggers.alter_policy,
    # inheritance
    table_operations.AddInherit: inheritance.add_inherit,
    table_operations.DropInherit: inheritance.drop_inherit,
    table_operations.AttachPartition: inheritance.attach_partition,
    table_operations.DetachPartition: inheritance.detach_partition,
    # indexes, views, sequences
    index_operations.CreateIndex: indexes.create_index,
    object_operations.CreateView: views.create_view,
    object_operations.CreateMaterializedView: views.create_materialized_view,
    object_operations.RefreshMaterializedView: views.refresh_materialized_view,
    object_operations.CreateSequence: sequences.create_sequence,
    object_operations.AlterSequence: sequences.alter_sequence,
    # types
    object_operations.CreateEnum: types.create_enum,
    object_operations.AddEnumValue: types.add_enum_value,
    object_operations.RenameEnumValue: types.rename_enum_value,
    object_operations.CreateCompositeType: types.create_composite_type,
    object_operations.AddAttribute: types.add_attribute,
    object_operations.DropAttribute: types.drop_attribute,
    object_operations.AlterAttributeType: types.alter_attribute_type,
    object_operations.CreateRange: types.create_range,
    object_operations.CreateDomain: types.create_domain,
    object_operations.AlterDomain: types.alter_domain,
    # routines
    object_operations.CreateRoutine: routines.create_routine,
    object_operations.AlterRoutine: routines.alter_routine,
    # objects of every kind
    object_operations.DropObject: objects.drop_object,
    object_operations.RenameObject: objects.rename_object,
    object_operations.RenameColumn: renames.rename_column_operation,
    object_operations.RenameConstraint: renames.rename_constraint,
    object_operations.SetObjectSchema: objects.set_object_schema,
    object_operations.ChangeOwner: objects.change_owner,
    # schemas, extensions, publications, others
    object_operations.CreateSchema: schemas.create_schema,
    object_operations.CreateExtension: schemas.create_extension,
    object_operations.CreatePublication: schemas.create_publication,
    object_operations.AlterPublication: schemas.alter_publication,
    object_operations.CreateOther: schemas.create_other,
    object_operations.OwnedObjects: _doubt_owned,
}
