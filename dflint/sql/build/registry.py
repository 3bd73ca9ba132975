"""Which function builds the operations of which kind of statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from dflint.model.operations.base import Operation
from dflint.sql.build.nodes import Node
from dflint.sql.libpg_query import LibPgQuery

#: Builds the operations of one statement from its unwrapped node. The library is for text inside text: bodies of
#: DO blocks and routines.
Builder = Callable[[Node, LibPgQuery], Sequence[Operation]]

#: Statement node -> module of this package and function in it.
_WHERE: dict[str, tuple[str, str]] = {
    # tables.py, alter_table.py, indexes.py
    "CreateStmt": ("tables", "create_table"),
    "CreateForeignTableStmt": ("tables", "create_foreign_table"),
    "CreateTableAsStmt": ("tables", "create_table_as"),
    "AlterTableStmt": ("alter_table", "alter_table"),
    "AlterTableMoveAllStmt": ("alter_table", "move_all"),
    "IndexStmt": ("indexes", "create_index"),
    "ReindexStmt": ("indexes", "reindex"),
    "ClusterStmt": ("indexes", "cluster"),
    "VacuumStmt": ("indexes", "vacuum"),
    "CheckPointStmt": ("indexes", "checkpoint"),
    # drop_rename.py
    "DropStmt": ("drop_rename", "drop"),
    "DropdbStmt": ("drop_rename", "drop_database"),
    "DropRoleStmt": ("drop_rename", "drop_role"),
    "DropTableSpaceStmt": ("drop_rename", "drop_tablespace"),
    "DropSubscriptionStmt": ("drop_rename", "drop_subscription"),
    "DropUserMappingStmt": ("drop_rename", "drop_user_mapping"),
    "DropOwnedStmt": ("drop_rename", "drop_owned"),
    "ReassignOwnedStmt": ("drop_rename", "reassign_owned"),
    "RenameStmt": ("drop_rename", "rename"),
    "AlterObjectSchemaStmt": ("drop_rename", "set_schema"),
    "AlterOwnerStmt": ("drop_rename", "change_owner"),
    "AlterObjectDependsStmt": ("drop_rename", "depends_on_extension"),
    "CommentStmt": ("drop_rename", "comment"),
    "SecLabelStmt": ("drop_rename", "security_label"),
    # views_types.py
    "ViewStmt": ("views_types", "create_view"),
    "RefreshMatViewStmt": ("views_types", "refresh"),
    "CreateSeqStmt": ("views_types", "create_sequence"),
    "AlterSeqStmt": ("views_types", "alter_sequence"),
    "CreateEnumStmt": ("views_types", "create_enum"),
    "AlterEnumStmt": ("views_types", "alter_enum"),
    "CompositeTypeStmt": ("views_types", "create_composite"),
    "CreateRangeStmt": ("views_types", "create_range"),
    "CreateDomainStmt": ("views_types", "create_domain"),
    "AlterDomainStmt": ("views_types", "alter_domain"),
    "DefineStmt": ("views_types", "define"),
    "AlterTypeStmt": ("views_types", "alter_type"),
    # routines.py
    "CreateFunctionStmt": ("routines", "create_routine"),
    "AlterFunctionStmt": ("routines", "alter_routine"),
    "CallStmt": ("routines", "call"),
    "DoStmt": ("routines", "do_block"),
    "CreateTrigStmt": ("routines", "create_trigger"),
    "CreateEventTrigStmt": ("routines", "create_event_trigger"),
    "AlterEventTrigStmt": ("routines", "alter_event_trigger"),
    "RuleStmt": ("routines", "create_rule"),
    "CreatePolicyStmt": ("routines", "create_policy"),
    "AlterPolicyStmt": ("routines", "alter_policy"),
    # data.py
    "SelectStmt": ("data", "select"),
    "InsertStmt": ("data", "insert"),
    "UpdateStmt": ("data", "update"),
    "DeleteStmt": ("data", "delete"),
    "MergeStmt": ("data", "merge"),
    "TruncateStmt": ("data", "truncate"),
    "CopyStmt": ("data", "copy"),
    "LockStmt": ("data", "lock_table"),
    "ExplainStmt": ("data", "explain"),
    "PrepareStmt": ("data", "prepare"),
    "ExecuteStmt": ("data", "execute"),
    "DeclareCursorStmt": ("data", "declare_cursor"),
    # session.py
    "TransactionStmt": ("session", "transaction"),
    "VariableSetStmt": ("session", "set_variable"),
    "VariableShowStmt": ("session", "show"),
    "ConstraintsSetStmt": ("session", "set_constraints"),
    "DiscardStmt": ("session", "discard"),
    "DeallocateStmt": ("session", "deallocate"),
    "FetchStmt": ("session", "fetch"),
    "ClosePortalStmt": ("session", "close_cursor"),
    "ListenStmt": ("session", "listen"),
    "UnlistenStmt": ("session", "unlisten"),
    "NotifyStmt": ("session", "notify"),
    "LoadStmt": ("session", "load"),
    # security.py: schemas, extensions, roles, privileges, publications
    "CreateSchemaStmt": ("security", "create_schema"),
    "CreateExtensionStmt": ("security", "create_extension"),
    "AlterExtensionStmt": ("security", "alter_extension"),
    "AlterExtensionContentsStmt": ("security", "alter_extension_contents"),
    "GrantStmt": ("security", "grant"),
    "GrantRoleStmt": ("security", "grant_role"),
    "AlterDefaultPrivilegesStmt": ("security", "alter_default_privileges"),
    "CreateRoleStmt": ("security", "create_role"),
    "AlterRoleStmt": ("security", "alter_role"),
    "AlterRoleSetStmt": ("security", "alter_role_set"),
    "CreatePublicationStmt": ("security", "create_publication"),
    "AlterPublicationStmt": ("security", "alter_publication"),
    "CreateSubscriptionStmt": ("security", "create_subscription"),
    "AlterSubscriptionStmt": ("security", "alter_subscription"),
    # other_objects.py: whatever else PostgreSQL can create or alter
    "CreatedbStmt": ("other_objects", "create_database"),
    "AlterDatabaseStmt": ("other_objects", "alter_database"),
    "AlterDatabaseSetStmt": ("other_objects", "alter_database_set"),
    "AlterDatabaseRefreshCollStmt": ("other_objects", "refresh_database_collation"),
    "AlterSystemStmt": ("other_objects", "alter_system"),
    "CreateTableSpaceStmt": ("other_objects", "create_tablespace"),
    "AlterTableSpaceOptionsStmt": ("other_objects", "alter_tablespace"),
    "CreateCastStmt": ("other_objects", "create_cast"),
    "CreateConversionStmt": ("other_objects", "create_conversion"),
    "CreateTransformStmt": ("other_objects", "create_transform"),
    "CreateOpClassStmt": ("other_objects", "create_operator_class"),
    "CreateOpFamilyStmt": ("other_objects", "create_operator_family"),
    "AlterOpFamilyStmt": ("other_objects", "alter_operator_family"),
    "AlterOperatorStmt": ("other_objects", "alter_operator"),
    "CreateFdwStmt": ("other_objects", "create_fdw"),
    "AlterFdwStmt": ("other_objects", "alter_fdw"),
    "CreateForeignServerStmt": ("other_objects", "create_server"),
    "AlterForeignServerStmt": ("other_objects", "alter_server"),
    "CreateUserMappingStmt": ("other_objects", "create_user_mapping"),
    "AlterUserMappingStmt": ("other_objects", "alter_user_mapping"),
    "ImportForeignSchemaStmt": ("other_objects", "import_foreign_schema"),
    "CreateAmStmt": ("other_objects", "create_access_method"),
    "CreatePLangStmt": ("other_objects", "create_language"),
    "CreateStatsStmt": ("other_objects", "create_statistics"),
    "AlterStatsStmt": ("other_objects", "alter_statistics"),
    "AlterTSDictionaryStmt": ("other_objects", "alter_dictionary"),
    "AlterTSConfigurationStmt": ("other_objects", "alter_configuration"),
    "AlterCollationStmt": ("other_objects", "refresh_collation"),
}


def builder(node: str) -> Builder | None:
    """The builder of a statement node, None for a statement dflint does not know."""
    where = _WHERE.get(node)
    if where is None:
        return None
    module, function = where
    found: Builder = getattr(import_module(f"dflint.sql.build.{module}"), function)
    return found
