"""Everything else a schema is made of: views, sequences, types, routines, triggers, rules, policies, and the rest."""

from __future__ import annotations

from typing import ClassVar, Literal

from dflint.model.deferred import Deferred
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Column, Constraint, Options, Parameter, Query, SequenceOptions


class DropObject(Operation, frozen=True, kw_only=True):
    """DROP of one object; a DROP list gives one operation for each name.

    Attributes:
        object_kind: the kind part of the identity: table, view, materialized_view, index, sequence, foreign_table,
            type, domain, function, procedure, routine, aggregate, trigger, rule, policy, schema, extension, …
        arguments: input types of a routine, aggregate or operator; None where not written.
        on: the relation a trigger, rule or policy belongs to.
        detail: further naming where an object has any (the types of a cast, the method of an operator class).
    """

    object_kind: str
    cascade: bool = False
    if_exists: bool = False
    concurrently: bool = False
    arguments: tuple[Type, ...] | None = None
    on: Name | None = None
    detail: str = ""

    @property
    def kind(self) -> str:
        return f"drop_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class RenameObject(Operation, frozen=True, kw_only=True):
    """ALTER … RENAME TO. Columns, constraints, attributes and enum values have types of their own.

    ``detail`` is the index method of an operator class or family.
    """

    target: Name
    object_kind: str
    new_name: str
    if_exists: bool = False
    arguments: tuple[Type, ...] | None = None
    on: Name | None = None
    detail: str = ""

    @property
    def kind(self) -> str:
        return f"rename_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class RenameColumn(Operation, frozen=True, kw_only=True):
    """ALTER TABLE … RENAME COLUMN, also of views, foreign tables and composite types' attributes."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    column: str
    new_name: str
    object_kind: str = "table"
    if_exists: bool = False
    only: bool = False
    cascade: bool = False

    @property
    def target_kind(self) -> str:
        return self.object_kind


class RenameConstraint(Operation, frozen=True, kw_only=True):
    """RENAME CONSTRAINT of a table or domain."""

    target: Name
    name: str
    new_name: str
    object_kind: Literal["table", "domain"] = "table"
    if_exists: bool = False

    @property
    def target_kind(self) -> str:
        return self.object_kind


class SetObjectSchema(Operation, frozen=True, kw_only=True):
    """ALTER … SET SCHEMA. ``detail`` is the index method of an operator class or family."""

    target: Name
    object_kind: str
    schema: str
    if_exists: bool = False
    arguments: tuple[Type, ...] | None = None
    detail: str = ""

    @property
    def kind(self) -> str:
        return f"set_schema_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class ChangeOwner(Operation, frozen=True, kw_only=True):
    """ALTER … OWNER TO. ``detail`` is the index method of an operator class or family."""

    object_kind: str
    owner: str
    if_exists: bool = False
    arguments: tuple[Type, ...] | None = None
    detail: str = ""

    @property
    def kind(self) -> str:
        return f"change_owner_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class CreateOther(Operation, frozen=True, kw_only=True):
    """CREATE of an object whose inside does not matter to a migration's judge (operators, casts, servers, …).

    ``on`` is the relation that extended statistics are about; ``detail`` is what `DropObject` has there, or else one
    word more about the object (the server of a user mapping, ``user`` for CREATE USER).
    """

    object_kind: str
    or_replace: bool = False
    if_not_exists: bool = False
    arguments: tuple[Type, ...] | None = None
    options: Options = ()
    detail: str = ""
    on: Name | None = None

    @property
    def kind(self) -> str:
        return f"create_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class AlterOther(Operation, frozen=True, kw_only=True):
    """ALTER of such an object; ``action`` is a word for what is changed, ``on`` the relation a trigger belongs to."""

    object_kind: str
    action: str = ""
    if_exists: bool = False
    arguments: tuple[Type, ...] | None = None
    options: Options = ()
    detail: str = ""
    on: Name | None = None

    @property
    def kind(self) -> str:
        return f"alter_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class Comment(Operation, frozen=True, kw_only=True):
    """COMMENT ON; ``text`` None removes it.

    ``column`` is the name of a column, constraint, trigger, rule or policy; ``target`` is then the relation it belongs
    to, or the domain where ``detail`` is "domain". Otherwise ``detail`` is that of `DropObject`.
    """

    object_kind: str
    text: str | None = None
    column: str | None = None
    arguments: tuple[Type, ...] | None = None
    detail: str = ""

    @property
    def target_kind(self) -> str:
        return self.object_kind


class SecurityLabel(Operation, frozen=True, kw_only=True):
    """SECURITY LABEL ON."""

    object_kind: str
    label: str | None = None
    provider: str | None = None
    column: str | None = None
    arguments: tuple[Type, ...] | None = None

    @property
    def target_kind(self) -> str:
        return self.object_kind


# --- views ------------------------------------------------------------------------------------------------------


class CreateView(Operation, frozen=True, kw_only=True):
    """CREATE [OR REPLACE] VIEW."""

    TARGET_KIND: ClassVar[str] = "view"
    target: Name
    query: Query = Query()
    column_names: tuple[str, ...] = ()
    or_replace: bool = False
    temporary: bool = False
    recursive: bool = False
    options: Options = ()
    check_option: Literal["", "local", "cascaded"] = ""


class CreateMaterializedView(Operation, frozen=True, kw_only=True):
    """CREATE MATERIALIZED VIEW."""

    TARGET_KIND: ClassVar[str] = "materialized_view"
    target: Name
    query: Query = Query()
    column_names: tuple[str, ...] = ()
    if_not_exists: bool = False
    with_data: bool = True
    options: Options = ()
    tablespace: str | None = None
    method: str | None = None


class RefreshMaterializedView(Operation, frozen=True, kw_only=True):
    """REFRESH MATERIALIZED VIEW."""

    TARGET_KIND: ClassVar[str] = "materialized_view"
    target: Name
    concurrently: bool = False
    with_data: bool = True


# --- sequences, types ---------------------------------------------------------------------------------------------


class CreateSequence(Operation, frozen=True, kw_only=True):
    """CREATE SEQUENCE."""

    TARGET_KIND: ClassVar[str] = "sequence"
    target: Name
    options: SequenceOptions = SequenceOptions()
    if_not_exists: bool = False
    persistence: Literal["permanent", "temporary", "unlogged"] = "permanent"


class AlterSequence(Operation, frozen=True, kw_only=True):
    """ALTER SEQUENCE options."""

    TARGET_KIND: ClassVar[str] = "sequence"
    target: Name
    options: SequenceOptions
    if_exists: bool = False


class CreateEnum(Operation, frozen=True, kw_only=True):
    """CREATE TYPE … AS ENUM."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    values: tuple[str, ...] = ()


class AddEnumValue(Operation, frozen=True, kw_only=True):
    """ALTER TYPE … ADD VALUE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    value: str
    neighbor: str | None = None
    before: bool = False
    if_not_exists: bool = False


class RenameEnumValue(Operation, frozen=True, kw_only=True):
    """ALTER TYPE … RENAME VALUE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    value: str
    new_value: str


class CreateCompositeType(Operation, frozen=True, kw_only=True):
    """CREATE TYPE … AS (attributes)."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    attributes: tuple[Column, ...] = ()


class AddAttribute(Operation, frozen=True, kw_only=True):
    """ALTER TYPE … ADD ATTRIBUTE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    attribute: Column
    cascade: bool = False


class DropAttribute(Operation, frozen=True, kw_only=True):
    """ALTER TYPE … DROP ATTRIBUTE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    attribute: str
    cascade: bool = False
    missing_ok: bool = False


class AlterAttributeType(Operation, frozen=True, kw_only=True):
    """ALTER TYPE … ALTER ATTRIBUTE … TYPE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    attribute: str
    type: Type
    collation: Name | None = None
    cascade: bool = False


class CreateRange(Operation, frozen=True, kw_only=True):
    """CREATE TYPE … AS RANGE."""

    TARGET_KIND: ClassVar[str] = "type"
    target: Name
    subtype: Type | None = None
    options: Options = ()


class CreateDomain(Operation, frozen=True, kw_only=True):
    """CREATE DOMAIN."""

    TARGET_KIND: ClassVar[str] = "domain"
    target: Name
    type: Type
    not_null: bool = False
    default: Expr | None = None
    constraints: tuple[Constraint, ...] = ()
    collation: Name | None = None


class AlterDomain(Operation, frozen=True, kw_only=True):
    """ALTER DOMAIN: default, NOT NULL and constraints."""

    TARGET_KIND: ClassVar[str] = "domain"
    target: Name
    action: Literal[
        "set_default",
        "drop_default",
        "set_not_null",
        "drop_not_null",
        "add_constraint",
        "drop_constraint",
        "validate_constraint",
    ]
    default: Expr | None = None
    constraint: Constraint | None = None
    name: str | None = None
    cascade: bool = False
    missing_ok: bool = False

    @property
    def kind(self) -> str:
        return f"alter_domain_{self.action}"


# --- routines, triggers, rules, policies --------------------------------------------------------------------------


class CreateRoutine(Operation, frozen=True, kw_only=True):
    """CREATE [OR REPLACE] FUNCTION or PROCEDURE.

    Attributes:
        routine: function or procedure.
        body: source text, None for C functions and SQL-standard bodies.
        content: what the body's statements would do, and why not all of it is known, "" where it is; read when asked
            for, since hardly anybody asks.
        configuration: SET name = value clauses.
        inlined: the expression that PostgreSQL puts in the place of a call, for an SQL function that is nothing else.
    """

    target: Name
    routine: Literal["function", "procedure"] = "function"
    or_replace: bool = False
    parameters: tuple[Parameter, ...] = ()
    returns: Type | None = None
    returns_table: bool = False
    language: str | None = None
    volatility: Literal["volatile", "stable", "immutable"] = "volatile"
    strict: bool = False
    security_definer: bool = False
    leakproof: bool = False
    parallel: str | None = None
    cost: str | None = None
    rows: str | None = None
    support: Name | None = None
    window: bool = False
    configuration: Options = ()
    body: str | None = None
    sql_body: bool = False
    content: Deferred[tuple[tuple[Operation, ...], str]] | None = None
    inlined: Expr | None = None

    @property
    def references(self) -> tuple[Operation, ...]:
        """What the body's statements would do, where it could be parsed; they do not run now."""
        return () if self.content is None else self.content.value[0]

    @property
    def body_understood(self) -> bool:
        """False where the body, or part of it, could not be read (other language, dynamic SQL)."""
        return self.content is None or not self.content.value[1]

    @property
    def kind(self) -> str:
        return f"create_{self.routine}"

    @property
    def target_kind(self) -> str:
        return self.routine


class AlterRoutine(Operation, frozen=True, kw_only=True):
    """ALTER FUNCTION|PROCEDURE|ROUTINE attributes."""

    target: Name
    object_kind: str
    arguments: tuple[Type, ...] | None = None
    options: Options = ()

    @property
    def kind(self) -> str:
        return f"alter_{self.object_kind}"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class CreateTrigger(Operation, frozen=True, kw_only=True):
    """CREATE [OR REPLACE] [CONSTRAINT] TRIGGER; ``target`` is the relation."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    name: str
    function: Name
    timing: Literal["before", "after", "instead_of"] = "after"
    events: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    for_each_row: bool = False
    when: Expr | None = None
    or_replace: bool = False
    constraint: bool = False
    referenced: Name | None = None
    deferrable: bool = False
    initially_deferred: bool = False
    arguments: tuple[str, ...] = ()
    transition_tables: tuple[str, ...] = ()


class CreateRule(Operation, frozen=True, kw_only=True):
    """CREATE [OR REPLACE] RULE; ``target`` is the relation.

    ``reads`` are all relations that its actions name, ``writes`` those that they change.
    """

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    name: str
    event: Literal["select", "insert", "update", "delete"] = "select"
    instead: bool = False
    or_replace: bool = False
    where: Expr | None = None
    actions: int = 0
    reads: tuple[Name, ...] = ()
    writes: tuple[Name, ...] = ()


class CreatePolicy(Operation, frozen=True, kw_only=True):
    """CREATE POLICY; ``target`` is the table."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    name: str
    command: str = "all"
    permissive: bool = True
    roles: tuple[str, ...] = ()
    using: Expr | None = None
    check: Expr | None = None


class AlterPolicy(Operation, frozen=True, kw_only=True):
    """ALTER POLICY; ``target`` is the table."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    name: str
    roles: tuple[str, ...] = ()
    using: Expr | None = None
    check: Expr | None = None


# --- schemas, extensions, publications, privileges, roles ----------------------------------------------------------


class CreateSchema(Operation, frozen=True, kw_only=True):
    """CREATE SCHEMA; objects created inside follow as operations of their own."""

    TARGET_KIND: ClassVar[str] = "schema"
    target: Name
    if_not_exists: bool = False
    owner: str | None = None


class CreateExtension(Operation, frozen=True, kw_only=True):
    """CREATE EXTENSION."""

    TARGET_KIND: ClassVar[str] = "extension"
    target: Name
    schema: str | None = None
    version: str | None = None
    if_not_exists: bool = False
    cascade: bool = False


class CreatePublication(Operation, frozen=True, kw_only=True):
    """CREATE PUBLICATION.

    Attributes:
        only: those of the tables that are named with ONLY.
        columns, filters: the column lists and row filters of tables that have one.
    """

    TARGET_KIND: ClassVar[str] = "publication"
    target: Name
    tables: tuple[Name, ...] = ()
    only: tuple[Name, ...] = ()
    schemas: tuple[str, ...] = ()
    all_tables: bool = False
    options: Options = ()
    columns: tuple[tuple[Name, tuple[str, ...]], ...] = ()
    filters: tuple[tuple[Name, Expr], ...] = ()


class AlterPublication(Operation, frozen=True, kw_only=True):
    """ALTER PUBLICATION ADD, DROP or SET; ``columns`` and ``filters`` as in `CreatePublication`."""

    TARGET_KIND: ClassVar[str] = "publication"
    target: Name
    action: Literal["add", "drop", "set", "options"]
    tables: tuple[Name, ...] = ()
    only: tuple[Name, ...] = ()
    schemas: tuple[str, ...] = ()
    options: Options = ()
    columns: tuple[tuple[Name, tuple[str, ...]], ...] = ()
    filters: tuple[tuple[Name, Expr], ...] = ()


class GrantPrivileges(Operation, frozen=True, kw_only=True):
    """GRANT or REVOKE on one object; ``all_in_schema`` for ON ALL … IN SCHEMA, target None then."""

    object_kind: str
    revoke: bool = False
    privileges: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    grantees: tuple[str, ...] = ()
    grant_option: bool = False
    all_in_schema: str | None = None
    cascade: bool = False
    arguments: tuple[Type, ...] | None = None

    @property
    def kind(self) -> str:
        return "revoke" if self.revoke else "grant"

    @property
    def target_kind(self) -> str:
        return self.object_kind


class GrantRole(Operation, frozen=True, kw_only=True):
    """GRANT role TO role, REVOKE role FROM role.

    ``options`` are those of WITH (admin, inherit, set); with ``revoke`` only the options are taken away, where there
    are any.
    """

    revoke: bool = False
    roles: tuple[str, ...] = ()
    grantees: tuple[str, ...] = ()
    options: Options = ()

    @property
    def kind(self) -> str:
        return "revoke_role" if self.revoke else "grant_role"


class AlterDefaultPrivileges(Operation, frozen=True, kw_only=True):
    """ALTER DEFAULT PRIVILEGES."""

    revoke: bool = False
    object_kind: str = "table"
    privileges: tuple[str, ...] = ()
    grantees: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()


class OwnedObjects(Operation, frozen=True, kw_only=True):
    """DROP OWNED BY and REASSIGN OWNED BY."""

    action: Literal["drop", "reassign"]
    roles: tuple[str, ...] = ()
    new_owner: str | None = None
    cascade: bool = False

    @property
    def kind(self) -> str:
        return f"{self.action}_owned"
