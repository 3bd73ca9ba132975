"""Which function takes back which type of operation. A type that is missing has no inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dflint.model.operations import data, indexes, objects, session, tables
from dflint.model.operations.base import Opaque, Operation
from dflint.planning.undo import columns as column
from dflint.planning.undo import constraints as constraint
from dflint.planning.undo import details, hierarchy, moving, roles, rows
from dflint.planning.undo import objects as object_
from dflint.planning.undo import tables as table
from dflint.planning.undo import types_and_rules as other
from dflint.planning.undo.before import Before

INVERSES: Final[dict[type[Operation], Callable[[Before, Any], list[str]]]] = {
    # Tables
    tables.CreateTable: table.create_table,
    tables.CreateTableAs: table.create_table,
    tables.SetTableOptions: table.set_options,
    tables.ClusterOn: table.clustered,
    tables.SetWithoutCluster: table.clustered,
    indexes.Cluster: table.cluster,
    tables.SetLogged: table.logged,
    tables.SetUnlogged: table.logged,
    tables.SetTablespace: table.tablespace,
    tables.SetAccessMethod: table.access_method,
    tables.SetReplicaIdentity: table.replica_identity,
    tables.SetRowSecurity: table.row_security,
    tables.SetTriggerState: table.trigger_state,
    tables.SetOfType: table.of_type,
    tables.SetWithoutOids: table.nothing,
    tables.AddInherit: hierarchy.add_inherit,
    tables.DropInherit: hierarchy.drop_inherit,
    tables.AttachPartition: hierarchy.attach,
    tables.DetachPartition: hierarchy.detach,
    # Columns
    tables.AddColumn: column.add_column,
    tables.DropColumn: column.drop_column,
    objects.RenameColumn: column.rename_column,
    tables.AlterColumnType: column.alter_type,
    tables.SetColumnDefault: column.change_default,
    tables.DropColumnDefault: column.change_default,
    tables.SetNotNull: column.set_not_null,
    tables.DropNotNull: column.drop_not_null,
    tables.SetGenerationExpression: column.set_expression,
    tables.DropGenerationExpression: column.drop_expression,
    tables.AddIdentity: column.add_identity,
    tables.SetIdentity: column.set_identity,
    tables.DropIdentity: column.drop_identity,
    tables.SetColumnStatistics: column.set_statistics,
    tables.SetColumnStorage: column.set_storage,
    tables.SetColumnCompression: column.set_compression,
    tables.SetColumnOptions: column.set_options,
    # Constraints and indexes
    **dict.fromkeys(
        (
            tables.AddForeignKey,
            tables.AddCheck,
            tables.AddUnique,
            tables.AddPrimaryKey,
            tables.AddExclusion,
            tables.AddNotNull,
        ),
        constraint.add_constraint,
    ),
    tables.DropConstraint: constraint.drop_constraint,
    tables.ValidateConstraint: constraint.validate,
    tables.AlterConstraint: constraint.alter_constraint,
    objects.RenameConstraint: constraint.rename_constraint,
    indexes.CreateIndex: constraint.create_index,
    # Objects of any kind
    objects.DropObject: object_.drop_object,
    objects.RenameObject: moving.rename,
    objects.SetObjectSchema: moving.set_schema,
    objects.ChangeOwner: details.undo_owner,
    objects.Comment: details.undo_comment,
    objects.GrantPrivileges: details.undo_privileges,
    objects.AlterDefaultPrivileges: roles.default_privileges,
    objects.GrantRole: roles.grant_role,
    objects.AlterOther: roles.alter_other,
    objects.CreateOther: object_.create_other,
    objects.CreateView: object_.create_view,
    objects.CreateMaterializedView: object_.create_materialized_view,
    objects.RefreshMaterializedView: object_.refresh,
    objects.CreateSequence: object_.create_sequence,
    objects.AlterSequence: object_.alter_sequence,
    objects.CreateEnum: object_.create_type,
    objects.CreateCompositeType: object_.create_type,
    objects.CreateRange: object_.create_type,
    objects.CreateDomain: object_.create_type,
    objects.AddEnumValue: other.add_enum_value,
    objects.RenameEnumValue: other.rename_enum_value,
    objects.AddAttribute: other.add_attribute,
    objects.AlterDomain: other.alter_domain,
    objects.CreateRoutine: object_.create_routine,
    objects.AlterRoutine: object_.alter_routine,
    objects.CreateTrigger: other.create_trigger,
    objects.CreateRule: other.create_rule,
    objects.CreatePolicy: other.create_policy,
    objects.AlterPolicy: other.alter_policy,
    objects.CreateSchema: object_.create_schema,
    objects.CreateExtension: object_.create_extension,
    objects.CreatePublication: other.create_publication,
    objects.AlterPublication: other.alter_publication,
    # Rows, blocks, calls
    data.Insert: rows.insert,
    data.Merge: rows.insert,
    data.Update: rows.update,
    data.Delete: rows.delete,
    data.Truncate: rows.delete,
    data.Copy: rows.copy,
    data.Select: rows.select,
    data.Call: rows.call,
    data.DoBlock: rows.do_block,
    data.DynamicSql: rows.dynamic,
    Opaque: rows.opaque,
    session.SessionCommand: rows.session,
    # What leaves nothing behind
    **dict.fromkeys(
        (
            data.LockTable,
            indexes.Reindex,
            indexes.Vacuum,
            indexes.Analyze,
            indexes.Checkpoint,
            session.Begin,
            session.Commit,
            session.Rollback,
            session.Savepoint,
            session.ReleaseSavepoint,
            session.RollbackToSavepoint,
            session.SetTransaction,
            session.SetVariable,
            session.ResetVariable,
            session.Discard,
            session.PsqlCommand,
        ),
        table.nothing,
    ),
}
