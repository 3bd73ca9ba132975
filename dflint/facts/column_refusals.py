"""Conditions of refusals that are about columns."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from dflint.facts import base_roles, subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.foreign_key_checks import query_width
from dflint.facts.foreign_key_refusals import base_type
from dflint.facts.type_change import conversion_cost
from dflint.model.catalog import UNKNOWN, Catalog, EnumType, Index, Sequence, Table, Unknown
from dflint.model.context import Context
from dflint.model.dependencies import sequences_named
from dflint.model.expressions import Expr, Type
from dflint.model.inheritance import losing_column
from dflint.model.names import Name
from dflint.model.schema import Column, Query

Answer = bool | Unknown

_BOOLEAN = Type(Name("pg_catalog", "bool"))

#: Built-in types of fixed length: their values are never compressed or moved out of the row.
_FIXED = frozenset(
    """
    bool char int2 int4 int8 float4 float8 oid regclass regproc regtype date time timetz timestamp timestamptz interval
    uuid money name point line lseg box circle macaddr macaddr8 tid xid cid pg_lsn
    """.split()
)


def _table_and_column(context: Context) -> tuple[Table, Column] | Unknown | None:
    table, column = subjects.table(context), subjects.column(context)
    if isinstance(table, Table) and isinstance(column, Column):
        return table, column
    return UNKNOWN if UNKNOWN in (table, column) else None


def column_fixed_length(context: Context) -> Answer:
    """The existing column's type is an enum or a built-in one of fixed length, which is always stored PLAIN."""
    found = _table_and_column(context)
    if found is UNKNOWN or found is None:
        return UNKNOWN if found is UNKNOWN else False
    kind = None if found[1].type is None else base_type(found[1].type, context)
    if kind is None or kind.dimensions:
        return False
    if kind.name.schema == "pg_catalog":
        return kind.name.name in _FIXED
    return isinstance(context.catalog.types.get(kind.name), EnumType)


def column_parent_not_null(context: Context) -> Answer:
    """A parent's column of that name is NOT NULL."""
    found = _table_and_column(context)
    if found is UNKNOWN or found is None:
        return UNKNOWN if found is UNKNOWN else False
    table, column = found
    for name in table.parents:
        parent = context.catalog.table(name)
        above = parent.column(column.name) if isinstance(parent, Table) else None
        if isinstance(above, Column) and above.not_null:
            return True
    return False


def table_checked(context: Context) -> Answer:
    """The table, or a child that the statement goes on to, has a CHECK constraint."""
    table = subjects.table(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    found = [context.catalog.relations.get(name) for name in base_roles.family(context)]
    checked = any(each.kind == "check" for one in found if isinstance(one, Table) for each in one.constraints)
    return checked or (False if table.complete else UNKNOWN)


def column_differs_in_child(context: Context) -> Answer:
    """ADD COLUMN: a child has a column of that name, but of another type."""
    name, new = subjects.table_name(context), getattr(context.operation, "column", None)
    if not isinstance(name, Name) or not isinstance(new, Column):
        return False
    for child in context.catalog.children_of.get(name, ()):
        table = context.catalog.table(child)
        existing = table.column(new.name) if isinstance(table, Table) else None
        types = (existing.type if isinstance(existing, Column) else None, new.type)
        if None not in types and len({_named(each, context) for each in types if each is not None}) > 1:
            return True
    return False


def _named(type_: Type, context: Context) -> tuple[Name, bool]:
    return context.catalog.resolve_type(type_.name, context.session.search_path), bool(type_.dimensions)


def index_column_plain(context: Context) -> Answer:
    """ALTER INDEX … ALTER COLUMN n: the numbered key is a plain column."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    number = getattr(context.operation, "column", None)
    if not isinstance(found, Index) or not isinstance(number, str) or not number.isdecimal():
        return False
    position = int(number) - 1
    return 0 <= position < len(found.elements) and found.elements[position].column is not None


def default_fits(context: Context) -> Answer:
    """SET DEFAULT: true or false is no value of a column of another type; other defaults are taken to fit."""
    default, column = getattr(context.operation, "default", None), subjects.column(context)
    if not isinstance(column, Column) or column.type is None:
        return UNKNOWN if column is UNKNOWN else True
    if not isinstance(default, Expr) or default.kind != "constant" or not isinstance(default.value, bool):
        return True
    return conversion_cost(_BOOLEAN, column.type, context) != "refused"


def column_default_fits(context: Context) -> Answer:
    """ALTER TYPE: an assignment converts the column's default, if it has one, to the new type."""
    column, new = subjects.column(context), getattr(context.operation, "type", None)
    if not isinstance(column, Column) or column.type is None or not isinstance(new, Type):
        return UNKNOWN if column is UNKNOWN else True
    if column.default is None or column.default.kind == "null":
        return True
    return conversion_cost(column.type, new, context) != "refused"


def type_exists(context: Context) -> Answer:
    """ALTER TYPE: there is such a type."""
    new, catalog = getattr(context.operation, "type", None), context.catalog
    if not isinstance(new, Type) or new.reference or new.name.schema == "pg_catalog" or not catalog.closed:
        return UNKNOWN
    name = catalog.resolve_type(new.name, context.session.search_path)
    return catalog.types.get(name) is not None or catalog.relations.get(name) is not None


def type_of_sequence(context: Context) -> Answer:
    """The column's type, after ALTER TYPE, is one that a sequence can have."""
    column, new = subjects.column(context), getattr(context.operation, "type", None)
    if new is None and isinstance(column, Column):
        new = column.type
    if not isinstance(new, Type) or new.reference:
        return UNKNOWN
    return not new.dimensions and new.name in {Name("pg_catalog", each) for each in ("int2", "int4", "int8")}


def column_type_twice(context: Context) -> Answer:
    """ALTER TYPE: it changes the type, and a later part of the same statement says ALTER TYPE of the column again."""
    operation, column, new = context.operation, subjects.column(context), getattr(context.operation, "type", None)
    again = any(
        other.clause > operation.clause and other.kind == operation.kind and getattr(other, "column", None) == name
        for other in context.statement.operations
        if (name := subjects.column_name(context)) is not None
    )
    if not again or not isinstance(new, Type):
        return False
    if not isinstance(column, Column) or column.type is None:
        return UNKNOWN
    resolved = context.catalog.resolve_type(new.name, context.session.search_path)
    return replace(new, name=resolved) != column.type


def column_checks_exist(context: Context) -> Answer:
    """ADD COLUMN: all columns that its CHECKs name are columns of the table, or the new one."""
    new, table = getattr(context.operation, "column", None), subjects.table(context)
    if not isinstance(new, Column) or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else True
    checks = [each.expression for each in new.constraints if each.kind == "check" and each.expression is not None]
    found = [table.column(name) for check in checks for name in check.columns() if name != new.name]
    return False if None in found else UNKNOWN if UNKNOWN in found else True


def column_published(context: Context) -> Answer:
    """A publication's column list or row filter uses the column."""
    name, column = subjects.table_name(context), subjects.column_name(context)
    if isinstance(name, Name) and column is not None and is_published(context.catalog, name, column):
        return True
    return False if context.catalog.closed else UNKNOWN


def is_published(catalog: Catalog, name: Name, column: str) -> bool:
    """Whether a publication's column list or row filter uses a column."""
    return any(
        any(table == name and column in columns for table, columns in publication.columns)
        or any(table == name and column in filter_.columns() for table, filter_ in publication.filters)
        for publication in catalog.publications.values()
        if publication is not None
    )


def column_sequence_used(context: Context) -> Answer:
    """The default of a column that stays takes values from a sequence that goes with the column."""
    name, column = subjects.table_name(context), subjects.column_name(context)
    if not isinstance(name, Name) or column is None:
        return UNKNOWN if name is UNKNOWN else False
    catalog = context.catalog
    only = getattr(context.operation, "only", False)
    going = [name] if only else losing_column(catalog.relations, catalog.children_of, name, column)
    for owner in going:
        for sequence in catalog.dependents_of.get(owner, ()):
            owned = catalog.relations.get(sequence)
            if not isinstance(owned, Sequence) or owned.owner_table != owner or owned.owner_column != column:
                continue
            for user in catalog.dependents_of.get(sequence, ()):
                if any(each.name != column or user not in going for each in _with_default(sequence, user, catalog)):
                    return True
    return False if catalog.closed else UNKNOWN


def _with_default(sequence: Name, table: Name, catalog: Catalog) -> list[Column]:
    """The columns of a table whose defaults take values from a sequence."""
    found = catalog.relations.get(table)
    columns = found.columns if isinstance(found, Table) else ()
    return [each for each in columns if each.default is not None and sequence in sequences_named(each.default)]


def insert_gives_generated(context: Context) -> Answer:
    """INSERT … SELECT gives a value for a generated column."""
    table, query = subjects.table(context), getattr(context.operation, "query", None)
    if (
        not isinstance(table, Table)
        or not isinstance(query, Query)
        or getattr(context.operation, "source", "") != "query"
    ):
        return UNKNOWN if table is UNKNOWN else False
    given: Iterable[str] = getattr(context.operation, "columns", ())
    if not given:
        width = query_width(query, context)
        if width is None:
            return UNKNOWN
        given = [column.name for column in table.columns[:width]]
    generated = {column.name for column in table.columns if column.generated is not None}
    return not generated.isdisjoint(given)


_CONSTRAINTS = "the constraints of {table}"

CONDITIONS: tuple[Condition, ...] = (
    Condition("column.fixed_length", BOOL, column_fixed_length, "the type of {table}.{column}"),
    Condition("column.parent_not_null", BOOL, column_parent_not_null, "the parents of {table}"),
    Condition("column.differs_in_child", BOOL, column_differs_in_child, "the children of {table}"),
    Condition("column.default_fits", BOOL, column_default_fits, "the default of {table}.{column}"),
    Condition("type.exists", BOOL, type_exists, "what the type {type} is"),
    Condition("type.of_sequence", BOOL, type_of_sequence, "the type of {table}.{column}"),
    Condition("column.type_twice", BOOL, column_type_twice, "the type of {table}.{column}"),
    Condition("column.sequence_used_beside", BOOL, column_sequence_used, "what uses the sequence of {table}.{column}"),
    Condition("column.checks_exist", BOOL, column_checks_exist, "the columns of {table}"),
    Condition("insert.gives_generated", BOOL, insert_gives_generated, "the columns of {target}"),
    Condition("column.published", BOOL, column_published, "the publications of {table}"),
    Condition("default.fits", BOOL, default_fits, "the type of {table}.{column}"),
    Condition("index.column_plain", BOOL, index_column_plain, "the columns of {target}"),
    Condition("table.checked", BOOL, table_checked, _CONSTRAINTS),
)
