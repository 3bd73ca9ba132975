"""Parts of schema objects, shared by operations (as intended) and by the catalog (as they are)."""

from __future__ import annotations

from typing import Literal

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.values import Part

ConstraintKind = Literal["check", "foreign_key", "primary_key", "unique", "exclusion", "not_null"]
Action = Literal["no_action", "restrict", "cascade", "set_null", "set_default"]
Options = tuple[tuple[str, str | None], ...]


class IndexElement(Part, frozen=True):
    """One key of an index or of an exclusion constraint: a column or an expression.

    ``nulls_first`` is None where not written; ``operator`` is set for exclusion constraints only.
    """

    column: str | None = None
    expression: Expr | None = None
    collation: Name | None = None
    operator_class: Name | None = None
    operator_class_options: Options = ()
    descending: bool = False
    nulls_first: bool | None = None
    operator: str | None = None


class Constraint(Part, frozen=True):
    """A table, column or domain constraint.

    Attributes:
        name: None where the text gives none; the catalog then holds the name PostgreSQL chose.
        validated: False after NOT VALID.
        enforced: False after NOT ENFORCED (PostgreSQL 18).
        using_index: the index of UNIQUE or PRIMARY KEY USING INDEX.
        index: in the catalog, the index behind a key or exclusion constraint.
        set_columns: the columns of ON DELETE SET NULL (a, b), where written (PostgreSQL 15).
        without_overlaps: the last key column is a temporal range; for foreign keys, PERIOD (PostgreSQL 18).
        local: declared on this table, not only inherited.
        inherited: number of parents it comes from.
        at: byte offset in the source where it begins, -1 when unknown; never set in a catalog.
    """

    kind: ConstraintKind
    name: str | None = None
    columns: tuple[str, ...] = ()
    expression: Expr | None = None
    references: Name | None = None
    referenced_columns: tuple[str, ...] = ()
    match: Literal["simple", "full", "partial"] = "simple"
    on_delete: Action = "no_action"
    on_update: Action = "no_action"
    set_columns: tuple[str, ...] = ()
    deferrable: bool = False
    initially_deferred: bool = False
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    using_index: str | None = None
    index: Name | None = None
    include: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    without_overlaps: bool = False
    elements: tuple[IndexElement, ...] = ()
    method: str | None = None
    where: Expr | None = None
    options: Options = ()
    tablespace: str | None = None
    local: bool = True
    inherited: int = 0
    at: int = -1


class SequenceOptions(Part, frozen=True):
    """Options of a sequence or identity column; None where not written.

    ``name`` is the sequence's own name, which pg_dump writes for identity columns (SEQUENCE NAME).
    """

    type: Type | None = None
    increment: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    no_minimum: bool = False
    no_maximum: bool = False
    start: int | None = None
    restart: int | bool | None = None
    cache: int | None = None
    cycle: bool | None = None
    owned_by: Name | None = None
    owned_by_column: str | None = None
    owned_by_none: bool = False
    logged: bool | None = None
    name: Name | None = None


class Column(Part, frozen=True):
    """A column as defined, or as it is.

    Attributes:
        type: None where the text gives none (CREATE TABLE … OF, PARTITION OF with column options) or it is unknown.
        serial: written as serial, bigserial or smallserial; ``type`` is then the integer type and ``default``
            stays None in the operation (the catalog holds the nextval call).
        generated: the expression of a generated column; ``generation`` says how it is kept.
        identity: "always" or "default" for identity columns.
        constraints: the inline constraints, NOT NULL and DEFAULT and GENERATED excepted; empty in a catalog.
        at: byte offset in the source, -1 when unknown; never set in a catalog.
        complete: False for a column the history only altered, never created: an attribute that is not set is unknown.
    """

    name: str
    type: Type | None = None
    not_null: bool = False
    default: Expr | None = None
    serial: bool = False
    generated: Expr | None = None
    generation: Literal["", "stored", "virtual"] = ""
    identity: Literal["", "always", "default"] = ""
    identity_options: SequenceOptions | None = None
    collation: Name | None = None
    storage: str | None = None
    compression: str | None = None
    statistics: int | None = None
    options: Options = ()
    local: bool = True
    inherited: int = 0
    constraints: tuple[Constraint, ...] = ()
    at: int = -1
    complete: bool = True


class PartitionKey(Part, frozen=True):
    """PARTITION BY strategy (elements)."""

    strategy: Literal["range", "list", "hash"]
    elements: tuple[IndexElement, ...]


class PartitionBound(Part, frozen=True):
    """FOR VALUES … or DEFAULT. ``lower`` and ``upper`` use None for MINVALUE and MAXVALUE."""

    kind: Literal["default", "list", "range", "hash"]
    values: tuple[Expr, ...] = ()
    lower: tuple[Expr | None, ...] = ()
    upper: tuple[Expr | None, ...] = ()
    modulus: int = 0
    remainder: int = 0


class Like(Part, frozen=True):
    """LIKE source INCLUDING …: which kinds of thing are copied.

    ``position`` is the number of the table's own columns written before it: the copied ones stand there.
    """

    source: Name
    including: frozenset[str] = frozenset()
    position: int = 0


class Query(Part, frozen=True):
    """A query inside another object, as far as judging needs it.

    Attributes:
        reads: relations it reads, as written, without its own WITH names.
        columns: its output columns: (name, column it comes from or None); name None where PostgreSQL invents or
            cannot know one without a catalog; a name of ``*`` stands for all columns of ``relation`` in the second
            part (None: of every relation in FROM).
        functions: functions it calls.
        writes: relations written by data-modifying WITH.
        locks_rows: FOR UPDATE and its kin.
        locked: the relations that FOR UPDATE OF names; empty where it names none, and so means all.
        only: relations read with ONLY and nowhere without it.
        sequences: those that nextval() and its kin name by a constant.
        sequences: those that it hands to nextval(), setval() or currval() as constants.
        mentions: names of all columns it names anywhere (USING included), without their tables, ``*`` where it says
            so; None when that was not looked for, or NATURAL JOIN hides some.
    """

    reads: tuple[Name, ...] = ()
    columns: tuple[tuple[str | None, Name | None], ...] = ()
    functions: tuple[Name, ...] = ()
    writes: tuple[Name, ...] = ()
    locks_rows: bool = False
    mentions: tuple[str, ...] | None = None
    locked: tuple[Name, ...] = ()
    only: tuple[Name, ...] = ()
    sequences: tuple[Name, ...] = ()


class Parameter(Part, frozen=True):
    """A routine's parameter."""

    name: str | None
    type: Type
    mode: Literal["in", "out", "inout", "variadic", "table"] = "in"
    default: Expr | None = None
