"""ALTER TABLE and its kin for views, indexes, sequences, foreign tables and composite types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from dflint.model.operations.base import Operation
from dflint.model.operations.objects import AddAttribute, AlterAttributeType, ChangeOwner, DropAttribute
from dflint.model.operations.tables import (
    AddCheck,
    AddColumn,
    AddConstraintOperation,
    AddExclusion,
    AddForeignKey,
    AddIdentity,
    AddInherit,
    AddNotNull,
    AddPrimaryKey,
    AddUnique,
    AlterColumnType,
    AlterConstraint,
    AlterTableOperation,
    AttachPartition,
    ClusterOn,
    DetachPartition,
    DropColumn,
    DropColumnDefault,
    DropConstraint,
    DropGenerationExpression,
    DropIdentity,
    DropInherit,
    DropNotNull,
    MoveAllInTablespace,
    SetAccessMethod,
    SetColumnCompression,
    SetColumnDefault,
    SetColumnOptions,
    SetColumnStatistics,
    SetColumnStorage,
    SetGenerationExpression,
    SetIdentity,
    SetLogged,
    SetNotNull,
    SetOfType,
    SetReplicaIdentity,
    SetRowSecurity,
    SetRuleState,
    SetTableOptions,
    SetTablespace,
    SetTriggerState,
    SetUnlogged,
    SetWithoutCluster,
    SetWithoutOids,
    ValidateConstraint,
)
from dflint.model.schema import SequenceOptions
from dflint.sql.build.columns import collation, column, identity, sequence_options
from dflint.sql.build.constraints import constraint
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, options, qualified, relation, role, type_name
from dflint.sql.build.partitions import partition_bound
from dflint.sql.libpg_query import LibPgQuery

ALTER_TABLE_STMT: Final = frozenset({"relation", "cmds", "objtype", "missing_ok"})
#: `behavior` is RESTRICT wherever the sub-command does not read it.
_PLAIN: Final = frozenset({"subtype", "behavior"})
_NAME: Final = _PLAIN | {"name"}
_DEF: Final = _PLAIN | {"def"}
_NAME_DEF: Final = _NAME | {"def"}

_OBJECT_KINDS: Final = {
    "OBJECT_TABLE": "table",
    "OBJECT_VIEW": "view",
    "OBJECT_MATVIEW": "materialized_view",
    "OBJECT_INDEX": "index",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_FOREIGN_TABLE": "foreign_table",
    "OBJECT_TYPE": "type",
}

#: What every operation of one statement has in common, as keyword arguments.
_Where = dict[str, Any]


def alter_table(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TABLE: one operation for each sub-command, in the order of the text."""
    if not node.keys() <= ALTER_TABLE_STMT:
        claim(node, ALTER_TABLE_STMT)
    kind = _object_kind(node["objtype"])
    written = node["relation"]
    where: _Where = {"target": relation(written), "object_kind": kind}
    if "inh" not in written and kind != "type":
        where["only"] = True
    if "missing_ok" in node:
        where["if_exists"] = True
    operations: list[Operation] = []
    for clause, wrapped in enumerate(node["cmds"]):
        command = wrapped["AlterTableCmd"]
        found = _COMMANDS.get(command["subtype"])
        if found is None:
            raise Unread(f"ALTER TABLE sub-command {command['subtype']}")
        keys, build = found
        if not command.keys() <= keys:
            claim(command, keys)
        where["clause"] = clause
        operations.append(build(command, where))
    return operations


def _object_kind(objtype: str) -> str:
    kind = _OBJECT_KINDS.get(objtype)
    if kind is None:
        raise Unread(f"ALTER of {objtype}")
    return kind


ALTER_TABLE_MOVE_ALL_STMT: Final = frozenset("orig_tablespacename objtype roles new_tablespacename nowait".split())


def move_all(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER … ALL IN TABLESPACE."""
    claim(node, ALTER_TABLE_MOVE_ALL_STMT)
    return (
        MoveAllInTablespace(
            object_kind=_object_kind(node["objtype"]),
            source=node["orig_tablespacename"],
            destination=node["new_tablespacename"],
            owned_by=tuple([role(item) for item in node.get("roles", ())]),
            nowait="nowait" in node,
        ),
    )


# --- columns ------------------------------------------------------------------------------------------------------


def _cascade(command: Node) -> bool:
    return bool(command["behavior"] == "DROP_CASCADE")


def _attribute(where: _Where) -> _Where:
    """What operations on a composite type's attributes have in common: there is no ONLY and no IF EXISTS."""
    return {"target": where["target"], "clause": where["clause"]}


def _add_column(command: Node, where: _Where) -> Operation:
    node = command["def"]["ColumnDef"]
    if where["object_kind"] == "type":
        cascade = _cascade(command)
        return AddAttribute(attribute=column(node), cascade=cascade, at=node.get("location", 0), **_attribute(where))
    return AddColumn(column=column(node), missing_ok="missing_ok" in command, at=node.get("location", 0), **where)


def _drop_column(command: Node, where: _Where) -> Operation:
    cascade, missing_ok = _cascade(command), "missing_ok" in command
    if where["object_kind"] == "type":
        return DropAttribute(attribute=command["name"], cascade=cascade, missing_ok=missing_ok, **_attribute(where))
    return DropColumn(column=command["name"], cascade=cascade, missing_ok=missing_ok, **where)


#: The ColumnDef of ALTER COLUMN … TYPE: `raw_default` holds the USING expression.
COLUMN_TYPE: Final = frozenset({"typeName", "raw_default", "collClause", "location"})


def _alter_type(command: Node, where: _Where) -> Operation:
    node = command["def"]["ColumnDef"]
    claim(node, COLUMN_TYPE)
    new_type = type_name(node["typeName"])
    collated = collation(node["collClause"]) if "collClause" in node else None
    at = node.get("location", 0)
    if where["object_kind"] == "type":
        return AlterAttributeType(
            attribute=command["name"],
            type=new_type,
            collation=collated,
            cascade=_cascade(command),
            at=at,
            **_attribute(where),
        )
    using = expression(node["raw_default"]) if "raw_default" in node else None
    return AlterColumnType(column=command["name"], type=new_type, using=using, collation=collated, at=at, **where)


def _default(command: Node, where: _Where) -> Operation:
    if "def" in command:
        return SetColumnDefault(column=command["name"], default=expression(command["def"]), **where)
    return DropColumnDefault(column=command["name"], **where)


def _set_expression(command: Node, where: _Where) -> Operation:
    return SetGenerationExpression(column=command["name"], expression=expression(command["def"]), **where)


def _add_identity(command: Node, where: _Where) -> Operation:
    node = command["def"]["Constraint"]
    kind, found = identity(node)
    return AddIdentity(
        column=command["name"],
        identity=kind,  # type: ignore[arg-type]  # one of the two words
        options=found,
        at=node.get("location", 0),
        **where,
    )


def _set_identity(command: Node, where: _Where) -> Operation:
    kind: Literal["", "always", "default"] = ""
    rest: list[Node] = []
    for item in command["def"]["List"]["items"]:
        if item["DefElem"]["defname"] == "generated":
            # The letter of the kind, as a number.
            kind = "always" if chr(item["DefElem"]["arg"]["Integer"]["ival"]) == "a" else "default"
        else:
            rest.append(item)
    found: SequenceOptions | None = sequence_options(rest) if rest else None
    return SetIdentity(column=command["name"], identity=kind, options=found, **where)


def _set_statistics(command: Node, where: _Where) -> Operation:
    # ALTER INDEX names the column by its number.
    name = command["name"] if "name" in command else str(command["num"])
    value = command["def"]["Integer"].get("ival", 0) if "def" in command else None
    return SetColumnStatistics(column=name, value=value, **where)


def _set_storage(command: Node, where: _Where) -> Operation:
    return SetColumnStorage(column=command["name"], storage=command["def"]["String"]["sval"], **where)


def _set_compression(command: Node, where: _Where) -> Operation:
    return SetColumnCompression(column=command["name"], compression=command["def"]["String"]["sval"], **where)


def _column_options(command: Node, where: _Where) -> Operation:
    return SetColumnOptions(
        column=command["name"],
        options=options(command["def"]["List"]["items"]),
        reset=command["subtype"] == "AT_ResetOptions",
        foreign=command["subtype"] == "AT_AlterColumnGenericOptions",
        **where,
    )


# --- constraints --------------------------------------------------------------------------------------------------

_ADD: Final[dict[str, type[AddConstraintOperation]]] = {
    "foreign_key": AddForeignKey,
    "check": AddCheck,
    "unique": AddUnique,
    "primary_key": AddPrimaryKey,
    "exclusion": AddExclusion,
    "not_null": AddNotNull,
}


def _add_constraint(command: Node, where: _Where) -> Operation:
    found = constraint(command["def"]["Constraint"])
    return _ADD[found.kind](constraint=found, at=found.at, **where)


AT_ALTER_CONSTRAINT: Final = frozenset(
    """conname alterEnforceability is_enforced alterDeferrability deferrable initdeferred alterInheritability
    noinherit""".split()
)


def _alter_constraint(command: Node, where: _Where) -> Operation:
    node = command["def"]["ATAlterConstraint"]
    claim(node, AT_ALTER_CONSTRAINT)
    values: dict[str, Any] = {}
    if "alterDeferrability" in node:
        values["deferrable"] = "deferrable" in node
        values["initially_deferred"] = "initdeferred" in node
    if "alterEnforceability" in node:
        values["enforced"] = "is_enforced" in node
    if "alterInheritability" in node:
        values["no_inherit"] = "noinherit" in node
    return AlterConstraint(name=node["conname"], **values, **where)


def _validate_constraint(command: Node, where: _Where) -> Operation:
    return ValidateConstraint(name=command["name"], **where)


def _drop_constraint(command: Node, where: _Where) -> Operation:
    return DropConstraint(name=command["name"], cascade=_cascade(command), missing_ok="missing_ok" in command, **where)


# --- the relation itself ------------------------------------------------------------------------------------------


def _table_options(command: Node, where: _Where) -> Operation:
    return SetTableOptions(
        options=options(command["def"]["List"]["items"]),
        reset=command["subtype"] == "AT_ResetRelOptions",
        foreign=command["subtype"] == "AT_GenericOptions",
        **where,
    )


def _change_owner(command: Node, where: _Where) -> Operation:
    return ChangeOwner(
        target=where["target"],
        object_kind=where["object_kind"],
        owner=role(command["newowner"]),
        if_exists="if_exists" in where,
        clause=where["clause"],
    )


REPLICA_IDENTITY_STMT: Final = frozenset({"identity_type", "name"})
_REPLICA_IDENTITIES: Final[dict[str, Literal["default", "full", "nothing", "index"]]] = {
    "d": "default",
    "f": "full",
    "n": "nothing",
    "i": "index",
}


def _replica_identity(command: Node, where: _Where) -> Operation:
    node = command["def"]["ReplicaIdentityStmt"]
    claim(node, REPLICA_IDENTITY_STMT)
    return SetReplicaIdentity(identity=_REPLICA_IDENTITIES[node["identity_type"]], index=node.get("name"), **where)


def _set_of_type(command: Node, where: _Where) -> Operation:
    return SetOfType(type=qualified(command["def"]["TypeName"]["names"]) if "def" in command else None, **where)


PARTITION_CMD: Final = frozenset({"name", "bound", "concurrent"})


def _attach(command: Node, where: _Where) -> Operation:
    node = command["def"]["PartitionCmd"]
    claim(node, PARTITION_CMD)
    bound = partition_bound(node["bound"]) if "bound" in node else None
    return AttachPartition(partition=relation(node["name"]), bound=bound, **where)


def _detach(command: Node, where: _Where) -> Operation:
    node = command["def"]["PartitionCmd"]
    claim(node, PARTITION_CMD)
    return DetachPartition(
        partition=relation(node["name"]),
        concurrently="concurrent" in node,
        finalize=command["subtype"] == "AT_DetachPartitionFinalize",
        **where,
    )


# --- sub-commands that differ in a word only ----------------------------------------------------------------------

_Build = Callable[[Node, _Where], Operation]


def _simple(operation: type[AlterTableOperation], **values: Any) -> tuple[frozenset[str], _Build]:
    """A sub-command without arguments."""
    return _PLAIN, lambda _command, where: operation(**values, **where)


def _named(operation: type[AlterTableOperation], field: str, **values: Any) -> tuple[frozenset[str], _Build]:
    """A sub-command whose only argument is a name."""

    def build(command: Node, where: _Where) -> Operation:
        arguments: dict[str, Any] = {field: command.get("name")}
        return operation(**arguments, **values, **where)

    return _NAME, build


def _if_exists(operation: type[DropGenerationExpression | DropIdentity]) -> tuple[frozenset[str], _Build]:
    """A sub-command about a column that may say IF EXISTS."""
    return _NAME | {"missing_ok"}, lambda command, where: operation(
        column=command["name"], missing_ok="missing_ok" in command, **where
    )


def _parent(operation: type[AddInherit | DropInherit]) -> tuple[frozenset[str], _Build]:
    return _DEF, lambda command, where: operation(parent=relation(command["def"]["RangeVar"]), **where)


_COMMANDS: Final[dict[str, tuple[frozenset[str], _Build]]] = {
    "AT_AddColumn": (_DEF | {"missing_ok"}, _add_column),
    "AT_DropColumn": (_NAME | {"missing_ok"}, _drop_column),
    "AT_AlterColumnType": (_NAME_DEF, _alter_type),
    "AT_ColumnDefault": (_NAME_DEF, _default),
    "AT_SetNotNull": _named(SetNotNull, "column"),
    "AT_DropNotNull": _named(DropNotNull, "column"),
    "AT_SetExpression": (_NAME_DEF, _set_expression),
    "AT_DropExpression": _if_exists(DropGenerationExpression),
    "AT_AddIdentity": (_NAME_DEF, _add_identity),
    "AT_SetIdentity": (_NAME_DEF, _set_identity),
    "AT_DropIdentity": _if_exists(DropIdentity),
    "AT_SetStatistics": (_NAME_DEF | {"num"}, _set_statistics),
    "AT_SetStorage": (_NAME_DEF, _set_storage),
    "AT_SetCompression": (_NAME_DEF, _set_compression),
    "AT_SetOptions": (_NAME_DEF, _column_options),
    "AT_ResetOptions": (_NAME_DEF, _column_options),
    "AT_AlterColumnGenericOptions": (_NAME_DEF, _column_options),
    "AT_AddConstraint": (_DEF, _add_constraint),
    "AT_AlterConstraint": (_DEF, _alter_constraint),
    "AT_ValidateConstraint": (_NAME, _validate_constraint),
    "AT_DropConstraint": (_NAME | {"missing_ok"}, _drop_constraint),
    "AT_ChangeOwner": (_PLAIN | {"newowner"}, _change_owner),
    "AT_ClusterOn": _named(ClusterOn, "index"),
    "AT_DropCluster": _simple(SetWithoutCluster),
    "AT_SetLogged": _simple(SetLogged),
    "AT_SetUnLogged": _simple(SetUnlogged),
    "AT_DropOids": _simple(SetWithoutOids),
    "AT_SetAccessMethod": _named(SetAccessMethod, "method"),
    "AT_SetTableSpace": _named(SetTablespace, "tablespace"),
    "AT_SetRelOptions": (_DEF, _table_options),
    "AT_ResetRelOptions": (_DEF, _table_options),
    "AT_GenericOptions": (_DEF, _table_options),
    "AT_EnableTrig": _named(SetTriggerState, "trigger", state="enable"),
    "AT_EnableAlwaysTrig": _named(SetTriggerState, "trigger", state="always"),
    "AT_EnableReplicaTrig": _named(SetTriggerState, "trigger", state="replica"),
    "AT_DisableTrig": _named(SetTriggerState, "trigger", state="disable"),
    "AT_EnableTrigAll": _simple(SetTriggerState, state="enable", scope="all"),
    "AT_DisableTrigAll": _simple(SetTriggerState, state="disable", scope="all"),
    "AT_EnableTrigUser": _simple(SetTriggerState, state="enable", scope="user"),
    "AT_DisableTrigUser": _simple(SetTriggerState, state="disable", scope="user"),
    "AT_EnableRule": _named(SetRuleState, "rule", state="enable"),
    "AT_EnableAlwaysRule": _named(SetRuleState, "rule", state="always"),
    "AT_EnableReplicaRule": _named(SetRuleState, "rule", state="replica"),
    "AT_DisableRule": _named(SetRuleState, "rule", state="disable"),
    "AT_AddInherit": _parent(AddInherit),
    "AT_DropInherit": _parent(DropInherit),
    "AT_AddOf": (_DEF, _set_of_type),
    "AT_DropOf": (_PLAIN, _set_of_type),
    "AT_ReplicaIdentity": (_DEF, _replica_identity),
    "AT_EnableRowSecurity": _simple(SetRowSecurity, action="enable"),
    "AT_DisableRowSecurity": _simple(SetRowSecurity, action="disable"),
    "AT_ForceRowSecurity": _simple(SetRowSecurity, action="force"),
    "AT_NoForceRowSecurity": _simple(SetRowSecurity, action="no_force"),
    "AT_AttachPartition": (_DEF, _attach),
    "AT_DetachPartition": (_DEF, _detach),
    "AT_DetachPartitionFinalize": (_DEF, _detach),
}
