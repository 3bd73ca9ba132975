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
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dflint.history.conditional import keep_common
from dflint.history.draft import Draft, Refused
from dflint.model.catalog import Catalog
from dflint.model.operations.base import Opaque, Operation
from dflint.model.session import Session

if TYPE_CHECKING:
    from dflint.model.operations.data import DoBlock, DynamicSql
    from dflint.model.operations.objects import OwnedObjects

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
    function = _function(type(operation))
    draft.refused = False
    if function is None:
        return draft.catalog
    draft.path = session.search_path
    draft.together = together
    conditional = operation.conditional
    if conditional and operation.guards:
        from dflint.history.guards import runs

        happens = runs(operation, draft) if session.path_known else None
        if happens is False:
            return draft.catalog
        conditional = happens is None
    draft.touched = set() if conditional or watch else None
    try:
        function(draft, operation)
    except Refused:
        draft.refused = True
        draft.undo()
        return draft.catalog
    if conditional:
        keep_common(draft.catalog, draft)
    return draft.finish()


def changes_schema(operation: Operation) -> bool:
    """Whether an operation is of a kind that may change the schema."""
    return _function(type(operation)) is not None


def replay(operations: Iterable[Operation], catalog: Catalog, session: Session, version: int) -> Catalog:
    """The catalog after all ``operations``, under one session state."""
    draft = Draft(catalog, version)
    for operation in operations:
        advance(draft, operation, session)
    return draft.catalog


def end_session(catalog: Catalog, session: Session, version: int) -> Catalog:
    """The catalog after the session has ended: its temporary relations are gone."""
    from dflint.history.drops import drop_relations

    draft = Draft(catalog, version)
    draft.path = session.search_path
    names = [name for where, name in draft.members("pg_temp") if where == "relations"]
    drop_relations(draft, names, cascade=True)
    return draft.finish()


def _doubt_opaque(draft: Draft, operation: Opaque) -> None:
    if not operation.rejected:
        draft.doubt(NOT_UNDERSTOOD)


def _begin_block(draft: Draft, operation: DoBlock) -> None:
    draft.decided = {}
    if not operation.understood:
        draft.doubt(DYNAMIC_SQL)


def _doubt_dynamic(draft: Draft, _operation: DynamicSql) -> None:
    draft.doubt(DYNAMIC_SQL)


def _doubt_owned(draft: Draft, operation: OwnedObjects) -> None:
    if operation.action == "drop":
        draft.doubt(DROP_OWNED)


#: Operation type -> module of this package and function in it, imported when it is first needed. Whatever is missing
#: here changes no schema.
_WHERE: Final[dict[str, tuple[str, str]]] = {
    "Opaque": ("replay", "_doubt_opaque"),
    "DoBlock": ("replay", "_begin_block"),
    "DynamicSql": ("replay", "_doubt_dynamic"),
    # tables
    "CreateTable": ("tables", "create_table"),
    "CreateTableAs": ("tables", "create_table_as"),
    "SetTableOptions": ("tables", "set_table_options"),
    "ClusterOn": ("tables", "cluster_on"),
    "SetWithoutCluster": ("tables", "set_without_cluster"),
    "SetLogged": ("tables", "set_persistence"),
    "SetUnlogged": ("tables", "set_persistence"),
    "SetTablespace": ("tables", "set_tablespace"),
    "MoveAllInTablespace": ("tables", "move_all_in_tablespace"),
    "SetAccessMethod": ("tables", "set_access_method"),
    "SetReplicaIdentity": ("tables", "set_replica_identity"),
    "SetRowSecurity": ("tables", "set_row_security"),
    "SetOfType": ("tables", "set_of_type"),
    # columns
    "AddColumn": ("columns", "add_column"),
    "DropColumn": ("columns", "drop_column"),
    "AlterColumnType": ("columns", "alter_column_type"),
    "SetColumnDefault": ("columns", "set_column_default"),
    "DropColumnDefault": ("columns", "drop_column_default"),
    "SetNotNull": ("columns", "set_not_null"),
    "DropNotNull": ("columns", "drop_not_null"),
    "SetGenerationExpression": ("columns", "set_generation_expression"),
    "DropGenerationExpression": ("columns", "drop_generation_expression"),
    "AddIdentity": ("columns", "add_identity"),
    "SetIdentity": ("columns", "set_identity"),
    "DropIdentity": ("columns", "drop_identity"),
    "SetColumnStatistics": ("columns", "set_column_statistics"),
    "SetColumnStorage": ("columns", "set_column_storage"),
    "SetColumnCompression": ("columns", "set_column_compression"),
    "SetColumnOptions": ("columns", "set_column_options"),
    # constraints
    "AddForeignKey": ("constraints", "add_constraint_operation"),
    "AddCheck": ("constraints", "add_constraint_operation"),
    "AddUnique": ("constraints", "add_constraint_operation"),
    "AddPrimaryKey": ("constraints", "add_constraint_operation"),
    "AddExclusion": ("constraints", "add_constraint_operation"),
    "AddNotNull": ("constraints", "add_constraint_operation"),
    "AlterConstraint": ("constraint_changes", "alter_constraint"),
    "ValidateConstraint": ("constraint_changes", "validate_constraint"),
    "DropConstraint": ("constraint_changes", "drop_constraint"),
    # triggers, rules, policies
    "SetTriggerState": ("triggers", "set_trigger_state"),
    "SetRuleState": ("triggers", "set_rule_state"),
    "CreateTrigger": ("triggers", "create_trigger"),
    "CreateRule": ("triggers", "create_rule"),
    "CreatePolicy": ("triggers", "create_policy"),
    "AlterPolicy": ("triggers", "alter_policy"),
    # inheritance
    "AddInherit": ("inheritance", "add_inherit"),
    "DropInherit": ("inheritance", "drop_inherit"),
    "AttachPartition": ("inheritance", "attach_partition"),
    "DetachPartition": ("inheritance", "detach_partition"),
    # indexes, views, sequences
    "CreateIndex": ("indexes", "create_index"),
    "CreateView": ("views", "create_view"),
    "CreateMaterializedView": ("views", "create_materialized_view"),
    "RefreshMaterializedView": ("views", "refresh_materialized_view"),
    "CreateSequence": ("sequences", "create_sequence"),
    "AlterSequence": ("sequences", "alter_sequence"),
    # types
    "CreateEnum": ("types", "create_enum"),
    "AddEnumValue": ("types", "add_enum_value"),
    "RenameEnumValue": ("types", "rename_enum_value"),
    "CreateCompositeType": ("types", "create_composite_type"),
    "AddAttribute": ("types", "add_attribute"),
    "DropAttribute": ("types", "drop_attribute"),
    "AlterAttributeType": ("types", "alter_attribute_type"),
    "CreateRange": ("types", "create_range"),
    "CreateDomain": ("types", "create_domain"),
    "AlterDomain": ("types", "alter_domain"),
    # routines
    "CreateRoutine": ("routines", "create_routine"),
    "AlterRoutine": ("routines", "alter_routine"),
    # objects of every kind
    "DropObject": ("objects", "drop_object"),
    "RenameObject": ("objects", "rename_object"),
    "RenameColumn": ("renames", "rename_column_operation"),
    "RenameConstraint": ("renames", "rename_constraint"),
    "SetObjectSchema": ("objects", "set_object_schema"),
    "ChangeOwner": ("objects", "change_owner"),
    # schemas, extensions, publications, others
    "CreateSchema": ("schemas", "create_schema"),
    "CreateExtension": ("schemas", "create_extension"),
    "CreatePublication": ("schemas", "create_publication"),
    "AlterPublication": ("schemas", "alter_publication"),
    "CreateOther": ("schemas", "create_other"),
    "AlterOther": ("schemas", "alter_other"),
    "OwnedObjects": ("replay", "_doubt_owned"),
}

_Function = Callable[[Draft, Any], None]
_FOUND: dict[type[Operation], _Function | None] = {}


def _function(kind: type[Operation]) -> _Function | None:
    if kind not in _FOUND:
        where = _WHERE.get(kind.__name__)
        found: _Function | None = None
        if where is not None:
            module, name = where
            found = getattr(import_module(f"dflint.history.{module}"), name)
        _FOUND[kind] = found
    return _FOUND[kind]
