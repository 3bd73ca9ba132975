"""Conditions under which PostgreSQL refuses a statement, whatever it would cost otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from dflint.facts import role_steps, subjects
from dflint.facts.condition import BOOL, TEXTS, Condition
from dflint.facts.dependents import users_of_column
from dflint.facts.key_indexes import may_rely_on
from dflint.facts.replica_identities import in_replica_index
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown, View
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.row_types import SEQUENCES_WITHOUT_TYPES
from dflint.model.schema import Column, Constraint, PartitionKey

Answer = bool | Unknown


def new_name_taken(context: Context) -> Answer:
    """A relation of the name that the statement gives (CREATE, RENAME TO, SET SCHEMA) exists already."""
    name = _new_name(context)
    if name is None:
        return False
    catalog = context.catalog
    if catalog.relations.get(name) is not None:
        return True
    return False if catalog.relation(name) is None else UNKNOWN


def new_name_type_taken(context: Context) -> Answer:
    """A type has the name that the statement gives, and the relation's row type would have it too."""
    name, catalog, kind = _new_name(context), context.catalog, context.operation.kind
    # The server looks before it makes a sequence, though sequences have no row type any more.
    without = kind.endswith("_index") or (
        kind in ("rename_sequence", "set_schema_sequence") and context.version >= SEQUENCES_WITHOUT_TYPES
    )
    if name is None or without:
        return False
    if catalog.types.get(name) is not None:
        return True
    return False if catalog.closed or name in catalog.types else UNKNOWN


def _new_name(context: Context) -> Name | None:
    operation, target = context.operation, context.operation.target
    path = context.session.search_path
    first = path[0] if path else "public"
    if target is None:
        return None
    if operation.kind == "create_index":
        name = getattr(operation, "name", None)
        return None if name is None else Name(context.resolve(target).schema, name)
    if operation.kind.startswith("create_"):
        temporary = getattr(operation, "persistence", "") == "temporary" or getattr(operation, "temporary", False)
        return Name("pg_temp" if temporary else target.schema or first, target.name)
    here = context.resolve(target)
    new = Name(getattr(operation, "schema", None) or here.schema, getattr(operation, "new_name", None) or here.name)
    return None if new == here else new


def column_inherited(context: Context) -> Answer:
    """The existing column comes from a parent."""
    return _of_column(context, lambda _table, column: bool(column.inherited))


def column_partition_key(context: Context) -> Answer:
    """The existing column is part of the table's partition key."""

    def answer(table: Table, column: Column) -> bool:
        elements = table.partition_by.elements if table.partition_by is not None else ()
        return any(
            each.column == column.name or (each.expression is not None and column.name in each.expression.columns())
            for each in elements
        )

    return _of_column(context, answer)


def column_replica_identity(context: Context) -> Answer:
    """The existing column is part of the index that is the table's replica identity."""
    return _of_column(context, lambda table, column: in_replica_index(table, column.name, context.catalog))


def _of_column(context: Context, test: Callable[[Table, Column], bool]) -> Answer:
    table, column = subjects.table(context), subjects.column(context)
    if isinstance(table, Table) and isinstance(column, Column):
        return test(table, column)
    return UNKNOWN if UNKNOWN in (table, column) else False


def column_users(context: Context) -> tuple[str, ...]:
    """What uses the existing column, here or in children, beside indexes, constraints, defaults and statistics:
    `view`, `rule`, `policy`, `trigger`, `generated`, `function`.
    """
    name, column = subjects.table_name(context), subjects.column_name(context)
    if not isinstance(name, Name) or column is None:
        return ()
    family = role_steps.tree((name,), context.catalog)
    return tuple(dict.fromkeys(user for table in family for user in users_of_column(context, table, column)))


def target_row_type_used(context: Context) -> Answer:
    """Columns of other tables have the table's row type."""
    name = subjects.table_name(context)
    if not isinstance(name, Name):
        return UNKNOWN if name is UNKNOWN else False
    for user in context.catalog.users_of_type.get(name, ()):
        if isinstance(context.catalog.relations.get(user), Table):
            return True
    return False if context.catalog.closed else UNKNOWN


def column_system(context: Context) -> bool:
    """The column is one that every table has: ctid, xmin, tableoid, …"""
    return subjects.column_name(context) in ("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid")


def target_typed(context: Context) -> Answer:
    """The table was created OF a type."""
    found = subjects.table(context)
    if isinstance(found, Table):
        return found.of_type is not None
    return UNKNOWN if found is UNKNOWN else False


def named_columns_exist(context: Context) -> Answer:
    """All columns that the new index, constraint or generated column names are columns of the table."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else True
    constraint, column = getattr(operation, "constraint", None), getattr(operation, "column", None)
    names = set(_index_columns(operation)) if constraint is None else set(_constraint_columns(constraint))
    if isinstance(column, Column) and column.generated is not None:
        names.update(column.generated.columns())
        names.discard(column.name)
    missing = [name for name in names if table.column(name) is None and name not in _SYSTEM]
    if any(table.column(name) is UNKNOWN for name in names):
        return UNKNOWN
    return not missing


_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def _index_columns(operation: object) -> Iterable[str]:
    for element in getattr(operation, "elements", ()):
        if element.column is not None:
            yield element.column
    yield from getattr(operation, "include", ())


def _constraint_columns(constraint: Constraint) -> Iterable[str]:
    yield from constraint.columns
    yield from constraint.include
    if constraint.kind == "check" and constraint.expression is not None:
        yield from constraint.expression.columns()


def constraint_exists(context: Context) -> Answer:
    """The table has the constraint that VALIDATE, ALTER, RENAME or DROP CONSTRAINT names."""
    found = subjects.named_constraint(context)
    return UNKNOWN if found is UNKNOWN else found is not None


def constraint_name_taken(context: Context) -> Answer:
    """The table has a constraint of the new constraint's name already."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    name = constraint.name if isinstance(constraint, Constraint) else getattr(context.operation, "new_name", None)
    if name is None or table is None:
        return False
    if not isinstance(table, Table):
        return UNKNOWN
    found = table.constraint(name)
    return UNKNOWN if found is UNKNOWN else found is not None


def constraint_inherited(context: Context) -> Answer:
    """The existing constraint that the operation names comes from a parent."""
    found = subjects.named_constraint(context)
    if isinstance(found, Constraint):
        return bool(found.inherited)
    return UNKNOWN if found is UNKNOWN else False


def primary_key_exists(context: Context) -> Answer:
    """The table has a primary key already."""
    found = subjects.table(context)
    if isinstance(found, Table):
        known = any(constraint.kind == "primary_key" for constraint in found.constraints)
        return known or (False if found.complete else UNKNOWN)
    return UNKNOWN if found is UNKNOWN else False


def referenced_exists(context: Context) -> Answer:
    """Every table that the operation's own foreign keys refer to exists."""
    answers = [context.catalog.relation(name) for name in subjects.referenced_names(context)]
    own = subjects.relation_name(context)
    missing = [
        name
        for name, found in zip(subjects.referenced_names(context), answers, strict=True)
        if found is None and name != own
    ]
    if missing:
        return False
    return UNKNOWN if UNKNOWN in answers else True


def parent_exists(context: Context) -> Answer:
    """The parent (PARTITION OF, INHERITS, INHERIT) exists."""
    parent = getattr(context.operation, "partition_of", None) or getattr(context.operation, "parent", None)
    found = True if parent is None else context.relation(parent)
    return UNKNOWN if found is UNKNOWN else found is not None


def parent_partitioned(context: Context) -> Answer:
    """The parent that PARTITION OF names is a partitioned table."""
    parent = getattr(context.operation, "partition_of", None)
    found = None if parent is None else context.table(parent)
    if isinstance(found, Table):
        return found.partition_by is not None
    return UNKNOWN if found is UNKNOWN else False


def key_lacks_partition_column(context: Context) -> Answer:
    """A unique index or key on a partitioned table lacks a column of its partition key, or of that of a partition."""
    table, columns = subjects.table(context), _key_columns(context.operation)
    if not isinstance(table, Table) or columns is None:
        return UNKNOWN if table is UNKNOWN else False
    below = () if getattr(context.operation, "only", False) else role_steps.partitions((table.name,), context.catalog)
    found = (table, *(context.catalog.relations.get(name) for name in below))
    return any(lacks_partition_column(columns, each.partition_by) for each in found if isinstance(each, Table))


def lacks_partition_column(columns: Collection[str], key: PartitionKey | None) -> bool:
    """Whether a unique key of these columns cannot be one of a table with that partition key."""
    return key is not None and any(element.column is None or element.column not in columns for element in key.elements)


def _key_columns(operation: object) -> Collection[str] | None:
    """The columns of the new unique index or key; None where there is none."""
    constraint, column = getattr(operation, "constraint", None), getattr(operation, "column", None)
    if isinstance(column, Column):
        unique = any(each.kind in ("unique", "primary_key") for each in column.constraints)
        return {column.name} if unique else None
    if isinstance(constraint, Constraint):
        return constraint.columns
    return [element.column for element in getattr(operation, "elements", ()) if element.column is not None]


def schema_exists(context: Context) -> Answer:
    """The schema that SET SCHEMA, CREATE or REINDEX SCHEMA names exists."""
    name = getattr(context.operation, "schema", None)
    if name is None and context.operation.target is not None:
        name = context.operation.target.schema
    if name is None or name in ("public", "pg_catalog", "pg_temp", "pg_toast"):
        return True
    found = context.catalog.schemas.get(name, None if context.catalog.closed else UNKNOWN)
    return UNKNOWN if found is UNKNOWN else found is not None


def new_column_taken(context: Context) -> Answer:
    """RENAME COLUMN: there is a column of the new name."""
    table, name = subjects.table(context), getattr(context.operation, "new_name", None)
    if not isinstance(table, Table) or name is None:
        return UNKNOWN if table is UNKNOWN else False
    found = table.column(name)
    return UNKNOWN if found is UNKNOWN else found is not None


def index_attached(context: Context) -> Answer:
    """The index (DROP INDEX, …) is attached to one of the partitioned table."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    if isinstance(found, Index):
        return bool(found.parents)
    return UNKNOWN if found is UNKNOWN else False


def index_referenced(context: Context) -> Answer:
    """The index (DROP INDEX) is the one that a foreign key relies on."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    if not isinstance(found, Index):
        return UNKNOWN if found is UNKNOWN else False
    return _needed_with_parts(context, found.table, found.name) if found.unique else False


def constraint_in_use(context: Context) -> Answer:
    """Foreign keys rely on the key constraint that the operation names."""
    found, name = subjects.named_constraint(context), subjects.table_name(context)
    if not isinstance(found, Constraint) or not isinstance(name, Name):
        return UNKNOWN if found is UNKNOWN else False
    if found.kind not in ("primary_key", "unique") or found.index is None:
        return False
    return _needed_with_parts(context, name, found.index)


def _needed_with_parts(context: Context, table: Name, index: Name) -> Answer:
    """Whether a foreign key relies on the index, or on one of a partition that is attached to it and goes with it."""
    answers = [_needed(context, table, index)]
    for name in role_steps.children((index,), context.catalog):
        part = context.catalog.relations.get(name)
        if isinstance(part, Index):
            answers.append(_needed(context, part.table, name))
    return True if True in answers else UNKNOWN if UNKNOWN in answers else False


def _needed(context: Context, table: Name, index: Name) -> Answer:
    """Whether a foreign key to the table relies on this index of it."""
    catalog, unknown = context.catalog, False
    for other in catalog.dependents_of.get(table, ()):
        relation = catalog.relations.get(other)
        for key in relation.constraints if isinstance(relation, Table) else ():
            possible = may_rely_on(other, key, catalog) if key.references == table else ()
            if possible == (index,):
                return True
            unknown = unknown or index in possible
    return UNKNOWN if unknown else False


def truncate_referenced_beside(context: Context) -> Answer:
    """TRUNCATE: foreign keys of tables that the statement does not empty refer to the table."""
    target = subjects.relation_name(context)
    if target is None:
        return False
    emptied = set[Name]()
    for operation in context.statement.operations:
        if operation.kind == "truncate" and operation.target is not None:
            emptied.update(role_steps.tree((context.resolve(operation.target),), context.catalog))
    own = tuple(role_steps.tree((target,), context.catalog))
    if any(other not in emptied for other in role_steps.referencing(own, context.catalog)):
        return True
    return False if context.catalog.closed else UNKNOWN


def refresh_possible(context: Context) -> Answer:
    """REFRESH … CONCURRENTLY: the materialized view has a unique index without predicate on plain columns."""
    target = subjects.relation_name(context)
    if target is None or context.catalog.relation(target) is UNKNOWN:
        return UNKNOWN
    return any(
        index.unique and index.valid and index.where is None and all(each.column is not None for each in index.elements)
        for index in subjects.indexes(context, target)
    )


def refresh_populated(context: Context) -> Answer:
    """The materialized view has been filled."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    return found.populated if isinstance(found, View) else UNKNOWN if found is UNKNOWN else True


def cluster_marked(context: Context) -> Answer:
    """CLUSTER without an index: one is marked."""
    found = subjects.table(context)
    if isinstance(found, Table):
        return found.clustered_on is not None
    return UNKNOWN


def cluster_index_fits(context: Context) -> Answer:
    """CLUSTER: the index is complete and of an ordered kind."""
    table, name = subjects.table_name(context), getattr(context.operation, "index", None)
    if not isinstance(table, Name) or name is None:
        return True
    found = context.catalog.relation(Name(table.schema, name))
    if not isinstance(found, Index):
        return UNKNOWN
    return found.where is None and found.valid and found.method in ("btree", "gist")


def persistence_mixed_keys(context: Context) -> Answer:
    """SET LOGGED or UNLOGGED: a foreign key would connect a permanent table with an unlogged one the wrong way."""
    table, logged = subjects.table(context), context.operation.kind == "set_logged"
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    beside = role_steps.referenced if logged else role_steps.referencing
    others = [name for name in beside((table.name,), context.catalog) if name != table.name]
    if (table.persistence == "permanent") is logged:
        return False
    wanted = "unlogged" if logged else "permanent"
    return any(isinstance(each := context.catalog.table(name), Table) and each.persistence == wanted for name in others)


def persistence_set_before(context: Context) -> Answer:
    """SET LOGGED or UNLOGGED: an earlier part of the same statement changes the table's persistence."""
    own, table = context.operation.clause, subjects.table(context)
    earlier = {each.kind for each in context.statement.operations if each.clause < own}.intersection(_PERSISTENCE)
    if not isinstance(table, Table) or not earlier:
        return UNKNOWN if table is UNKNOWN and earlier else False
    return any(_PERSISTENCE[kind] != table.persistence for kind in earlier)


def tablespace_set_before(context: Context) -> bool:
    """SET TABLESPACE: an earlier part of the same statement says it too."""
    own = context.operation
    return any(each.kind == own.kind and each.clause < own.clause for each in context.statement.operations)


_PERSISTENCE = {"set_logged": "permanent", "set_unlogged": "unlogged"}


CONDITIONS: tuple[Condition, ...] = (
    Condition("new_name.taken", BOOL, new_name_taken, "whether the new name is free"),
    Condition("schema.exists", BOOL, schema_exists, "whether the schema exists"),
    Condition("target.typed", BOOL, target_typed, "whether {table} was created OF a type"),
    Condition("parent.exists", BOOL, parent_exists, "whether {parent} exists"),
    Condition("parent.partitioned", BOOL, parent_partitioned, "whether {parent} is partitioned"),
    Condition("referenced.exists", BOOL, referenced_exists, "whether {referenced} exists"),
    Condition("primary_key.exists", BOOL, primary_key_exists, "whether {table} has a primary key"),
    Condition("key.lacks_partition_column", BOOL, key_lacks_partition_column, "the partition key of {table}"),
    Condition("columns.exist", BOOL, named_columns_exist, "the columns of {table}"),
    Condition("column.users", TEXTS, column_users, "what uses {table}.{column}"),
    Condition("new_name.type_taken", BOOL, new_name_type_taken, "whether there is a type of that name"),
    Condition("target.row_type_used", BOOL, target_row_type_used, "what uses the row type of {table}"),
    Condition("column.system", BOOL, column_system, catalog=False),
    Condition("column.comes_from_parent", BOOL, column_inherited, "whether {table}.{column} comes from a parent"),
    Condition("column.partition_key", BOOL, column_partition_key, "the partition key of {table}"),
    Condition("column.replica_identity", BOOL, column_replica_identity, "the replica identity of {table}"),
    Condition("constraint.exists", BOOL, constraint_exists, "whether {table} has a constraint {name}"),
    Condition("constraint.name_taken", BOOL, constraint_name_taken, "the constraints of {table}"),
    Condition("constraint.in_use", BOOL, constraint_in_use, "which foreign keys refer to {table}"),
    Condition("new_column.taken", BOOL, new_column_taken, "the columns of {table}"),
    Condition("index.attached", BOOL, index_attached, "whether {target} belongs to an index of a partitioned table"),
    Condition("index.referenced", BOOL, index_referenced, "whether a foreign key relies on {target}"),
    Condition("truncate.referenced_beside", BOOL, truncate_referenced_beside, "which foreign keys refer to {target}"),
    Condition("refresh.possible", BOOL, refresh_possible, "the indexes of {target}"),
    Condition("refresh.populated", BOOL, refresh_populated, "whether {target} is populated"),
    Condition("cluster.marked", BOOL, cluster_marked, "whether an index of {table} is marked"),
    Condition("cluster.index_fits", BOOL, cluster_index_fits, "what the index {index} is"),
    Condition("persistence.mixed_keys", BOOL, persistence_mixed_keys, "the foreign keys of {table}"),
    Condition("persistence.set_before", BOOL, persistence_set_before, "the persistence of {table}"),
    Condition("tablespace.set_before", BOOL, tablespace_set_before, catalog=False),
    Condition("constraint.comes_from_parent", BOOL, constraint_inherited, "whether constraint {name} is inherited"),
)
