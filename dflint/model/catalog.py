"""The catalog: what exists, as an immutable value.

The same value is made by replaying a migration history, by reading a snapshot file and by reading a live server. All
its maps are persistent (`immutables.Map`), so that changing one object costs about a microsecond however large the
catalog is.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, NamedTuple

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
from dflint.model.values import CatalogObject, Estimate, Part


class Unknown(Enum):
    """The third answer to "does it exist?"; `UNKNOWN` is its only member."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class Trigger(Part, frozen=True):
    """A trigger of a table or view; ``referenced`` is the table that FROM names for a constraint trigger."""

    name: str
    function: Name
    timing: Literal["before", "after", "instead_of"]
    events: tuple[str, ...]
    columns: tuple[str, ...] = ()
    for_each_row: bool = False
    when: Expr | None = None
    constraint: bool = False
    state: Literal["enable", "disable", "replica", "always"] = "enable"
    arguments: tuple[str, ...] = ()
    transition_tables: tuple[str, ...] = ()
    deferrable: bool = False
    initially_deferred: bool = False
    referenced: Name | None = None


class Policy(Part, frozen=True):
    """A row-level security policy."""

    name: str
    command: str = "all"
    permissive: bool = True
    roles: tuple[str, ...] = ()
    using: Expr | None = None
    check: Expr | None = None


class Table(CatalogObject, frozen=True):
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
    rows: Estimate = None
    bytes: Estimate = None

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


class Index(CatalogObject, frozen=True):
    """An index.

    Attributes:
        valid: False for a failed build, and for an index of a partitioned table that lacks some partition's.
        constraint: the constraint it serves, if any.
        parents: the index of the partitioned table that it is attached to.
        bytes: an estimate, None when unknown.
        ready: False while a concurrent build has not come to the point where writers maintain it.
    """

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
    bytes: Estimate = None
    ready: bool = True


class View(CatalogObject, frozen=True):
    """A view or materialized view.

    ``columns`` is None when they are not known, sizes are estimates, and ``definition`` is the query as a server has
    printed it, None where none has.
    """

    name: Name
    query: Query = Query()
    columns: tuple[Column, ...] | None = None
    materialized: bool = False
    populated: bool = True
    options: Options = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()
    owner: str | None = None
    rows: Estimate = None
    bytes: Estimate = None
    definition: str | None = None


class Sequence(CatalogObject, frozen=True):
    """A sequence, with the column that owns it."""

    name: Name
    options: SequenceOptions = SequenceOptions()
    owner_table: Name | None = None
    owner_column: str | None = None
    internal: bool = False
    persistence: Literal["permanent", "temporary", "unlogged"] = "permanent"


class CompositeType(CatalogObject, frozen=True):
    """A stand-alone composite type; it shares the relations' name space."""

    name: Name
    attributes: tuple[Column, ...] = ()


Relation = Table | Index | View | Sequence | CompositeType


class EnumType(CatalogObject, frozen=True):
    """An enum type; values in order."""

    name: Name
    values: tuple[str, ...] = ()


class Domain(CatalogObject, frozen=True):
    """A domain over ``type``."""

    name: Name
    type: Type
    not_null: bool = False
    default: Expr | None = None
    constraints: tuple[Constraint, ...] = ()
    collation: Name | None = None


class RangeType(CatalogObject, frozen=True):
    """A range type."""

    name: Name
    subtype: Type | None = None


class BaseType(CatalogObject, frozen=True):
    """A base or shell type, or one an extension brought."""

    name: Name


UserType = EnumType | Domain | RangeType | BaseType


class Routine(CatalogObject, frozen=True):
    """A function, procedure or aggregate.

    Attributes:
        constant_like: an SQL function whose body PostgreSQL would inline to an expression, given as ``inlined``.
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


class Publication(CatalogObject, frozen=True):
    """A publication.

    Attributes:
        columns: the column lists of tables that have one (PostgreSQL 15).
        filters: the row filters of tables that have one (PostgreSQL 15).
        operations: what it publishes, None for everything.
        via_root: changes of partitions are published as those of the root.
    """

    name: str
    tables: tuple[Name, ...] = ()
    schemas: tuple[str, ...] = ()
    all_tables: bool = False
    columns: tuple[tuple[Name, tuple[str, ...]], ...] = ()
    filters: tuple[tuple[Name, Expr], ...] = ()
    operations: tuple[str, ...] | None = None
    via_root: bool = False


class Extension(CatalogObject, frozen=True):
    """An installed extension."""

    name: str
    schema: str | None = None
    version: str | None = None


class Other(Part, frozen=True):
    """An object without a type of its own: a server, an operator, a collation, statistics, a role, …

    Attributes:
        kind: the kind part of its identity.
        attributes: what it is, as (name, text) pairs sorted by name; what has its default is left out.
    """

    kind: str
    attributes: Options = ()


class Dependency(NamedTuple):
    """One entry of pg_depend: ``dependent`` needs ``referenced``; both are printed identities.

    ``type`` is PostgreSQL's letter: n normal, a auto, i internal, e extension member, x auto extension, P and S for
    partitions.
    """

    dependent: str
    referenced: str
    type: str


class Details(Struct, frozen=True):
    """What only a server (or its snapshot) can tell, by printed identity. Replay carries it along unchanged.

    Attributes:
        owners: the role that owns an object, for all that may have one but tables and views, which know it themselves.
        comments: by the object's identity.
        security_labels: by the object's identity, an entry ``provider: label`` each, sorted.
        privileges: access control lists that are not the default, an entry each as PostgreSQL prints it, sorted.
        extension_members: the extension that brought an object.
        managed: tables about which an extension changes what statements do (distributed tables, hypertables and their
            chunks): its name.
        fast_defaults: columns whose value in old rows is kept in the catalog, since they were added without a rewrite.
        dependencies: what an object needs. What containment in a table or the object's own value says (an index
            needs its table's columns, a foreign key its table, everything its schema) is not repeated here.
    """

    owners: Map[str, str] = Map()
    comments: Map[str, str] = Map()
    security_labels: Map[str, tuple[str, ...]] = Map()
    privileges: Map[str, tuple[str, ...]] = Map()
    extension_members: Map[str, str] = Map()
    managed: Map[str, str] = Map()
    fast_defaults: Map[str, bool] = Map()
    dependencies: Map[str, tuple[Dependency, ...]] = Map()


#: Of a catalog that was made from texts only. Shared, so that a catalog costs no more for it.
NO_DETAILS: Final = Details()


class Catalog(Struct, frozen=True):
    """What exists in one database.

    In the maps a value of None means "known not to exist". A key that is missing means the same when ``closed``,
    and unknown otherwise.

    Attributes:
        basis: where the knowledge comes from.
        closed: everything that exists is listed. False for a replay: the database may hold more than its history.
        incomplete: reasons why answers may be wrong, such as a query that failed; empty is good.
        version: server major version, None when not known.
        minor: the minor release, None when not known.
        others: objects without a type of their own, by printed identity; True where nothing more is known of one.
        details: what only a server can tell.
    """

    basis: Basis = "static"
    closed: bool = False
    incomplete: tuple[str, ...] = ()
    version: int | None = None
    minor: int | None = None
    schemas: Map[str, bool | None] = Map()
    relations: Map[Name, Relation | None] = Map()
    types: Map[Name, UserType | None] = Map()
    routines: Map[Name, tuple[Routine, ...] | None] = Map()
    extensions: Map[str, Extension | None] = Map()
    publications: Map[str, Publication | None] = Map()
    others: Map[str, Other | bool | None] = Map()
    #: Reverse maps, kept beside the objects so that asking is cheap; `dflint.model.dependencies` says what each holds
    #: and makes them from the objects. Names are sorted, and no entry is empty.
    indexes_of: Map[Name, tuple[Name, ...]] = Map()
    children_of: Map[Name, tuple[Name, ...]] = Map()
    dependents_of: Map[Name, tuple[Name, ...]] = Map()
    users_of_type: Map[Name, tuple[Name, ...]] = Map()
    users_of_routine: Map[Name, tuple[Name, ...]] = Map()
    owners_of_constraint: Map[tuple[str | None, str], tuple[Name, ...]] = Map()
    details: Details = NO_DETAILS

    def __repr__(self) -> str:
        # Short: asyncio prints the result of its main task to itself, which took longer than reading a catalog.
        return f"<Catalog, {self.basis}: {len(self.relations)} relations>"

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
