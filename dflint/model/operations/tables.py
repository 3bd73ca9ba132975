"""CREATE TABLE, and every sub-command of ALTER TABLE as an operation of its own.

PostgreSQL lets ALTER TABLE name views, indexes, sequences and foreign tables too; ``object_kind`` keeps what was
written.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import (
    Column,
    Constraint,
    Like,
    Options,
    PartitionBound,
    PartitionKey,
    Query,
    SequenceOptions,
)

Persistence = Literal["permanent", "temporary", "unlogged"]


class CreateTable(Operation, frozen=True, kw_only=True):
    """CREATE TABLE, in all its forms but AS."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    persistence: Persistence = "permanent"
    if_not_exists: bool = False
    partition_by: PartitionKey | None = None
    partition_of: Name | None = None
    bound: PartitionBound | None = None
    inherits: tuple[Name, ...] = ()
    likes: tuple[Like, ...] = ()
    of_type: Name | None = None
    options: Options = ()
    tablespace: str | None = None
    method: str | None = None
    on_commit: Literal["", "delete", "drop"] = ""
    #: Set for CREATE FOREIGN TABLE.
    server: str | None = None


class CreateTableAs(Operation, frozen=True, kw_only=True):
    """CREATE TABLE … AS and SELECT … INTO."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    query: Query = Query()
    column_names: tuple[str, ...] = ()
    persistence: Persistence = "permanent"
    if_not_exists: bool = False
    with_data: bool = True
    options: Options = ()
    tablespace: str | None = None
    method: str | None = None
    on_commit: Literal["", "delete", "drop"] = ""


class AlterTableOperation(Operation, frozen=True, kw_only=True):
    """What all sub-commands of ALTER TABLE share.

    Attributes:
        object_kind: table, view, materialized_view, index, sequence, foreign_table or type, as the statement says.
        if_exists: ALTER TABLE IF EXISTS.
        only: ALTER TABLE ONLY: descendants are left alone.
    """

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    object_kind: str = "table"
    if_exists: bool = False
    only: bool = False

    @property
    def target_kind(self) -> str:
        return self.object_kind


class ColumnOperation(AlterTableOperation, frozen=True, kw_only=True):
    """A sub-command about one existing column. ``column`` may be a number in ALTER INDEX … ALTER COLUMN n."""

    column: str


class AddColumn(AlterTableOperation, frozen=True, kw_only=True):
    """ADD COLUMN, with its inline constraints."""

    column: Column
    missing_ok: bool = False


class DropColumn(ColumnOperation, frozen=True, kw_only=True):
    """DROP COLUMN."""

    cascade: bool = False
    missing_ok: bool = False


class AlterColumnType(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … TYPE."""

    type: Type
    using: Expr | None = None
    collation: Name | None = None


class SetColumnDefault(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET DEFAULT."""

    default: Expr


class DropColumnDefault(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … DROP DEFAULT."""


class SetNotNull(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET NOT NULL."""


class DropNotNull(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … DROP NOT NULL."""


class SetGenerationExpression(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET EXPRESSION (PostgreSQL 17)."""

    expression: Expr


class DropGenerationExpression(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … DROP EXPRESSION."""

    missing_ok: bool = False


class AddIdentity(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … ADD GENERATED … AS IDENTITY."""

    identity: Literal["always", "default"]
    options: SequenceOptions | None = None


class SetIdentity(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET GENERATED, SET sequence option, RESTART."""

    identity: Literal["", "always", "default"] = ""
    options: SequenceOptions | None = None


class DropIdentity(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … DROP IDENTITY."""

    missing_ok: bool = False


class SetColumnStatistics(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET STATISTICS; value None means DEFAULT."""

    value: int | None


class SetColumnStorage(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET STORAGE."""

    storage: str


class SetColumnCompression(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET COMPRESSION (PostgreSQL 14)."""

    compression: str


class SetColumnOptions(ColumnOperation, frozen=True, kw_only=True):
    """ALTER COLUMN … SET (n_distinct = …), RESET (…), or OPTIONS (…) of a foreign table's column."""

    options: Options
    reset: bool = False
    foreign: bool = False


class AddConstraintOperation(AlterTableOperation, frozen=True, kw_only=True):
    """What all forms of ADD CONSTRAINT share."""

    constraint: Constraint


class AddForeignKey(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD FOREIGN KEY."""


class AddCheck(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD CHECK."""


class AddUnique(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD UNIQUE, with or without USING INDEX."""


class AddPrimaryKey(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD PRIMARY KEY, with or without USING INDEX."""


class AddExclusion(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD EXCLUDE."""


class AddNotNull(AddConstraintOperation, frozen=True, kw_only=True):
    """ADD CONSTRAINT … NOT NULL column (PostgreSQL 18)."""


class AlterConstraint(AlterTableOperation, frozen=True, kw_only=True):
    """ALTER CONSTRAINT; None where an attribute is not mentioned."""

    name: str
    deferrable: bool | None = None
    initially_deferred: bool | None = None
    enforced: bool | None = None
    no_inherit: bool | None = None


class ValidateConstraint(AlterTableOperation, frozen=True, kw_only=True):
    """VALIDATE CONSTRAINT."""

    name: str


class DropConstraint(AlterTableOperation, frozen=True, kw_only=True):
    """DROP CONSTRAINT."""

    name: str
    cascade: bool = False
    missing_ok: bool = False


class SetTableOptions(AlterTableOperation, frozen=True, kw_only=True):
    """SET (…) or RESET (…) storage parameters, or OPTIONS (…) of a foreign table."""

    options: Options
    reset: bool = False
    foreign: bool = False


class ClusterOn(AlterTableOperation, frozen=True, kw_only=True):
    """CLUSTER ON index."""

    index: str


class SetWithoutCluster(AlterTableOperation, frozen=True, kw_only=True):
    """SET WITHOUT CLUSTER."""


class SetLogged(AlterTableOperation, frozen=True, kw_only=True):
    """SET LOGGED."""


class SetUnlogged(AlterTableOperation, frozen=True, kw_only=True):
    """SET UNLOGGED."""


class SetTablespace(AlterTableOperation, frozen=True, kw_only=True):
    """SET TABLESPACE."""

    tablespace: str


class SetAccessMethod(AlterTableOperation, frozen=True, kw_only=True):
    """SET ACCESS METHOD (PostgreSQL 15); None means DEFAULT (17)."""

    method: str | None


class SetReplicaIdentity(AlterTableOperation, frozen=True, kw_only=True):
    """REPLICA IDENTITY."""

    identity: Literal["default", "full", "nothing", "index"]
    index: str | None = None


class SetRowSecurity(AlterTableOperation, frozen=True, kw_only=True):
    """ENABLE, DISABLE, FORCE or NO FORCE ROW LEVEL SECURITY."""

    action: Literal["enable", "disable", "force", "no_force"]


class SetTriggerState(AlterTableOperation, frozen=True, kw_only=True):
    """ENABLE or DISABLE TRIGGER; ``trigger`` is a name, or None with ``scope`` all or user."""

    state: Literal["enable", "disable", "replica", "always"]
    trigger: str | None = None
    scope: Literal["one", "user", "all"] = "one"


class SetRuleState(AlterTableOperation, frozen=True, kw_only=True):
    """ENABLE or DISABLE RULE."""

    state: Literal["enable", "disable", "replica", "always"]
    rule: str


class AddInherit(AlterTableOperation, frozen=True, kw_only=True):
    """INHERIT parent."""

    parent: Name


class DropInherit(AlterTableOperation, frozen=True, kw_only=True):
    """NO INHERIT parent."""

    parent: Name


class SetOfType(AlterTableOperation, frozen=True, kw_only=True):
    """OF type; None for NOT OF."""

    type: Name | None


class AttachPartition(AlterTableOperation, frozen=True, kw_only=True):
    """ATTACH PARTITION of a table (with bound) or of an index (without)."""

    partition: Name
    bound: PartitionBound | None = None


class DetachPartition(AlterTableOperation, frozen=True, kw_only=True):
    """DETACH PARTITION."""

    partition: Name
    concurrently: bool = False
    finalize: bool = False


class SetWithoutOids(AlterTableOperation, frozen=True, kw_only=True):
    """SET WITHOUT OIDS: accepted, does nothing since PostgreSQL 12."""


class MoveAllInTablespace(Operation, frozen=True, kw_only=True):
    """ALTER TABLE|INDEX|MATERIALIZED VIEW ALL IN TABLESPACE … SET TABLESPACE …."""

    object_kind: str
    source: str
    destination: str
    owned_by: tuple[str, ...] = ()
    nowait: bool = False
