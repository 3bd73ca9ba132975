"""The catalog: what exists, as an immutable value.

The same value is made by replaying a migration history, by reading a snapshot file and by reading a live server. All
its maps are persistent (`immutables.Map`), so that changing one object costs about a microsecond however large the
catalog is.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from immutables import Map
from msgspec import Struct

from dflint.model.effect import Basis
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.schema import (
    Column,
    Constraint,
    IndexElement,
    Options,
    Parameter,
    PartitionBound,
    PartitionKey,
    Query,
    SequenceOptions,
)


class Unknown(Enum):
    """The third answer to "does it exist?"; `UNKNOWN` is its only member."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class Trigger(Struct, frozen=True):
    """A trigger of a table or view."""

    name: str
    function: Name
    timing: Literal["before", "after", "instead_of"]
    events: tuple[str, ...]
    columns: tuple[str, ...] = ()
    for_each_row: bool = False
    when: Expr | None = None
    constraint: bool = False
    state: Literal["enable", "disable", "replica", "always"] = "enable"


class Policy(Struct, frozen=True):
    """A row-level security policy."""

    name: str
    command: str = "all"
    permissive: bool = True
    roles: tuple[str, ...] = ()
    using: Expr | None = None
    check: Expr | None = None


class Table(Struct, frozen=True):
    """A table: ordinary, partitioned, partition or foreign.

    Attributes:
        complete: every column and constraint is known. False for a table the history only altered, never created.
        columns: in order.
        rules: names of its rewrite rules.
        parents: inheritance parents; for a partition, its partitioned table.
        rows, bytes: estimates, None when unknown.
    """

    name: Name
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    complete: bool = True
    persistence: Literal["permanent", "temporary", "unlogged"] = "permanent"
    partition_by: PartitionKey | None = None
    bound: PartitionBound | None = None
    detach_pending: bool = False
    parents: tuple[Name, ...] = ()
    of_type: Name | None = None
    foreign_server: str | None = None
    options: Options = ()
    tablespace: str | None = None
    method: str | None = None
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    row_security: bool = False
    force_row_security: bool = False
    replica_identity: Literal["default", "full", "nothing", "index"] = "default"
    replica_index: str | None = None
    clustered_on: str | None = None
    owner: str | None = None
    rows: int | None = None
    bytes: int | None = None

    def column(self, name: str) -> Column | Unknown | None:
        """The column of that name; UNKNOWN when the table is not completely known and does not show it."""
        for column in self.columns:
            if column.name == name:
                return column
        return None if self.complete else UNKNOWN

    def constraint(self, name: str) -> Constraint | Unknown | None:
        """The constraint of that name; UNKNOWN when the table is not completely known and does not show it."""
        for constraint in self.constraints:
            if constraint.name == name:
                return constraint
        return None if self.complete else UNKNOWN


class Index(Struct, frozen=True):
    """An index. ``constraint`` is the constraint it serves, if any; ``valid`` is False for a failed build."""

    name: Name
    table: Name
    elements: tuple[IndexElement, ...] = ()
    include: tuple[str, ...] = ()
    unique: bool = False
    method: str = "btree"
    where: Expr | None = None
    nulls_not_distinct: bool = False
    valid: bool = True
    constraint: str | None = None
    parents: tuple[Name, ...] = ()
    options: Options = ()
    tablespace: str | None = None
    bytes: int | None = None


class View(Struct, frozen=True):
    """A view or materialized view; ``columns`` is None when they are not known."""

    name: Name
    query: Query = Query()
    columns: tuple[Column, ...] | None = None
    materialized: bool = False
    populated: bool = True
    options: Options = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()
    owner: str | None = None


class Sequence(Struct, frozen=True):
    """A sequence, with the column that owns it."""

    name: Name
    options: SequenceOptions = SequenceOptions()
    owner_table: Name | None = None
    owner_column: str | None = None
    internal: bool = False
    persistence: Literal["permanent", "temporary", "unlogged"] = "permanent"


class CompositeType(Struct, frozen=True):
    """A stand-alone composite type; it shares the relations' name space."""

    name: Name
    attributes: tuple[Column, ...] = ()


Relation = Table | Index | View | Sequence | CompositeType


class EnumType(Struct, frozen=True):
    """An enum type; values in order."""

    name: Name
    values: tuple[str, ...] = ()


class Domain(Struct, frozen=True):
    """A domain over ``type``."""

    name: Name
    type: Type
    not_null: bool = False
    default: Expr | None = None
    constraints: tuple[Constraint, ...] = ()
    collation: Name | None = None


class RangeType(Struct, frozen=True):
    """A range type."""

    name: Name
    subtype: Type | None = None


class BaseType(Struct, frozen=True):
    """A base or shell type, or one an extension brought."""

    name: Name


UserType = EnumType | Domain | RangeType | BaseType


class Routine(Struct, frozen=True):
    """A function, procedure or aggregate.

    Attributes:
        constant_like: an SQL function whose body PostgreSQL would inline to an expression, given as ``inlined``.
        references: relations its body names, as far as it could be read.
    """

    name: Name
    kind: Literal["function", "procedure", "aggregate"] = "function"
    parameters: tuple[Parameter, ...] = ()
    returns: Type | None = None
    language: str | None = None
    volatility: Literal["volatile", "stable", "immutable"] = "volatile"
    strict: bool = False
    security_definer: bool = False
    configuration: Options = ()
    body: str | None = None
    inlined: Expr | None = None
    references: tuple[Name, ...] = ()
    body_understood: bool = True


class Publication(Struct, frozen=True):
    """A publication."""

    name: str
    tables: tuple[Name, ...] = ()
    schemas: tuple[str, ...] = ()
    all_tables: bool = False


class Extension(Struct, frozen=True):
    """An installed extension."""

    name: str
    schema: str | None = None
    version: str | None = None


class Catalog(Struct, frozen=True):
    """What exists in one database.

    In the maps a value of None means "known not to exist". A key that is missing means the same when ``closed``,
    and unknown otherwise.

    Attributes:
        basis: where the knowledge comes from.
        closed: everything that exists is listed. False for a replay: the database may hold more than its history.
        incomplete: reasons why answers may be wrong, such as a query that failed; empty is good.
        version: server major version, None when not known.
        others: objects without a type of their own, by printed identity.
    """

    basis: Basis = "static"
    closed: bool = False
    incomplete: tuple[str, ...] = ()
    version: int | None = None
    schemas: Map[str, bool | None] = Map()
    relations: Map[Name, Relation | None] = Map()
    types: Map[Name, UserType | None] = Map()
    routines: Map[Name, tuple[Routine, ...] | None] = Map()
    extensions: Map[str, Extension | None] = Map()
    publications: Map[str, Publication | None] = Map()
    others: Map[str, bool | None] = Map()
    #: Reverse maps, kept beside the objects so that asking is cheap; `dflint.model.dependencies` says what each holds
    #: and makes them from the objects. Names are sorted, and no entry is empty.
    indexes_of: Map[Name, tuple[Name, ...]] = Map()
    children_of: Map[Name, tuple[Name, ...]] = Map()
    dependents_of: Map[Name, tuple[Name, ...]] = Map()
    users_of_type: Map[Name, tuple[Name, ...]] = Map()
    users_of_routine: Map[Name, tuple[Name, ...]] = Map()
    owners_of_constraint: Map[tuple[str | None, str], tuple[Name, ...]] = Map()

    @classmethod
    def unknown(cls) -> Catalog:
        """The catalog of which nothing is known."""
        return cls()

    def relation(self, name: Name) -> Relation | Unknown | None:
        """The relation of exactly that schema-qualified name."""
        return self.relations.get(name, None if self.closed else UNKNOWN)

    def table(self, name: Name) -> Table | Unknown | None:
        """The table of exactly that name; None when the name is free or is another kind of relation."""
        found = self.relation(name)
        return found if isinstance(found, Table) or found is UNKNOWN else None

    def resolve(self, name: Name, search_path: tuple[str, ...]) -> Name:
        """The qualified name that ``name`` means for an existing relation under this search_path.

        A known temporary relation wins, then the first schema of the path that is known to hold it; if none is known
        to, the first schema where it may be (the current schema, as a rule).
        """
        if name.schema is not None:
            return name
        candidate = Name("pg_temp", name.name)
        if self.relations.get(candidate) is not None:
            return candidate
        return self._resolve_in_path(name, search_path)

    def _resolve_in_path(self, name: Name, search_path: tuple[str, ...]) -> Name:
        candidate: Name | None = None
        for schema in search_path:
            qualified = Name(schema, name.name)
            found = self.relations.get(qualified, UNKNOWN)
            if found is not None and found is not UNKNOWN:
                return qualified
            if candidate is None and found is UNKNOWN:
                candidate = qualified
        return candidate or Name(search_path[0] if search_path else "public", name.name)

    def resolve_type(self, name: Name, search_path: tuple[str, ...]) -> Name:
        """The qualified name that ``name`` means for an existing type, domain or row type under this search_path."""
        if name.schema is not None:
            return name
        for schema in search_path:
            qualified = Name(schema, name.name)
            if self.types.get(qualified) is not None or self.relations.get(qualified) is not None:
                return qualified
        return Name(search_path[0] if search_path else "public", name.name)
