"""Which relations play a role in an operation: what a lock on "the referenced table" really is on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.facts import subjects
from dflint.facts.proofs import default_partition
from dflint.model.catalog import Relation, Sequence, Table, View
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import DropColumn
from dflint.model.schema import Constraint, Query


def relations_of(role: str, context: Context) -> Iterable[Name]:
    """The qualified names of the relations that play ``role``; empty where none does, or none is known."""
    return _ROLES[role](context)


def _target(context: Context) -> Iterable[Name]:
    name = subjects.relation_name(context)
    return () if name is None else (name,)


def _table(context: Context) -> Iterable[Name]:
    name = subjects.table_name(context)
    return (name,) if isinstance(name, Name) else ()


def _referenced(context: Context) -> Iterable[Name]:
    """Of new foreign keys by the text, of dropped or validated ones by the catalog."""
    found = subjects.referenced_names(context)
    if found:
        return found
    return tuple(dict.fromkeys(key.references for key in foreign_keys(context) if key.references is not None))


def foreign_keys(context: Context) -> list[Constraint]:
    """The table's existing foreign keys that the operation is about."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return []
    keys = [constraint for constraint in table.constraints if constraint.kind == "foreign_key"]
    if operation.kind in ("drop_table", "drop_foreign_table"):
        return keys
    column = subjects.column_name(context)
    if column is not None:
        return [key for key in keys if column in key.columns] if _ends_keys(operation) else []
    name = getattr(operation, "name", None)
    return [key for key in keys if key.name == name]


def _ends_keys(operation: Operation) -> bool:
    return isinstance(operation, DropColumn) or operation.kind == "alter_column_type"


def _referencing(context: Context) -> Iterable[Name]:
    target = subjects.relation_name(context)
    column = subjects.column_name(context)
    if target is None:
        return ()
    return tuple(
        name
        for name, relation in _dependents(context, target)
        if isinstance(relation, Table)
        and name != target
        and any(
            key.kind == "foreign_key"
            and key.references == target
            and (column is None or not key.referenced_columns or column in key.referenced_columns)
            for key in relation.constraints
        )
    )


def _parent(context: Context) -> Iterable[Name]:
    operation = context.operation
    parent = getattr(operation, "partition_of", None) or getattr(operation, "parent", None)
    if parent is not None:
        return (context.resolve(parent),)
    inherits = getattr(operation, "inherits", ())
    if inherits:
        return tuple(context.resolve(name) for name in inherits)
    table = subjects.table(context)
    return table.parents if isinstance(table, Table) else ()


def _partition(context: Context) -> Iterable[Name]:
    partition = getattr(context.operation, "partition", None)
    return () if partition is None else (context.resolve(partition),)


def _default_partition(context: Context) -> Iterable[Name]:
    outside = hasattr(context.operation, "partition_of") or context.operation.kind == "drop_table"
    parents = _parent(context) if outside else _target(context)
    found = (default_partition(context, parent) for parent in parents)
    return tuple(name for name in found if isinstance(name, Name))


def _children(context: Context) -> Iterable[Name]:
    if getattr(context.operation, "only", False):
        return ()
    pending, seen = list(_table(context)), dict[Name, None]()
    while pending:
        for child in context.catalog.children_of.get(pending.pop(), ()):
            if child not in seen:
                seen[child] = None
                pending.append(child)
    return tuple(seen)


def _partitions(context: Context) -> Iterable[Name]:
    table = subjects.table(context)
    return _children(context) if isinstance(table, Table) and table.partition_by is not None else ()


def _indexes(context: Context) -> Iterable[Name]:
    return tuple(name for table in _table(context) for name in context.catalog.indexes_of.get(table, ()))


def _index(context: Context) -> Iterable[Name]:
    index = getattr(context.operation, "index", None)
    constraint = getattr(context.operation, "constraint", None)
    if index is None and isinstance(constraint, Constraint):
        index = constraint.using_index
    return tuple(Name(table.schema, index) for table in _table(context)) if isinstance(index, str) else ()


def _sequence(context: Context) -> Iterable[Name]:
    table, column = subjects.table_name(context), subjects.column_name(context)
    if not isinstance(table, Name) or column is None:
        return ()
    return tuple(
        name
        for name, relation in _dependents(context, table)
        if isinstance(relation, Sequence) and relation.owner_table == table and relation.owner_column == column
    )


def _view(context: Context) -> Iterable[Name]:
    target = subjects.relation_name(context)
    if target is None or not getattr(context.operation, "cascade", False):
        return ()
    return tuple(name for name, relation in _dependents(context, target) if isinstance(relation, View))


def _using_table(context: Context) -> Iterable[Name]:
    """Tables with a column of the type, also by way of domains over it."""
    tables: dict[Name, None] = {}
    pending, seen = list(_type_name(context)), set[Name]()
    while pending:
        name = pending.pop()
        seen.add(name)
        for user in context.catalog.users_of_type.get(name, ()):
            relation = context.catalog.relations.get(user)
            if isinstance(relation, Table) and relation.of_type != name:
                tables[user] = None
            if user in context.catalog.types and user not in seen:
                pending.append(user)
    return tuple(tables)


def _typed_table(context: Context) -> Iterable[Name]:
    return tuple(
        user
        for name in _type_name(context)
        for user in context.catalog.users_of_type.get(name, ())
        if isinstance(relation := context.catalog.relations.get(user), Table) and relation.of_type == name
    )


def _type_name(context: Context) -> tuple[Name, ...]:
    target = context.operation.target
    return () if target is None else (context.catalog.resolve_type(target, context.session.search_path),)


def _dependents(context: Context, name: Name) -> Iterator[tuple[Name, Relation]]:
    for dependent in context.catalog.dependents_of.get(name, ()):
        relation = context.catalog.relations.get(dependent)
        if relation is not None:
            yield dependent, relation


def _reads(context: Context) -> Iterable[Name]:
    operation = context.operation
    query = getattr(operation, "query", None)
    names = [*getattr(operation, "reads", ()), *(query.reads if isinstance(query, Query) else ())]
    names += [like.source for like in getattr(operation, "likes", ())]
    return tuple(dict.fromkeys(context.resolve(name) for name in names))


def _writes(context: Context) -> Iterable[Name]:
    query = getattr(context.operation, "query", None)
    return tuple(context.resolve(name) for name in query.writes) if isinstance(query, Query) else ()


def _listed(context: Context) -> Iterable[Name]:
    return tuple(context.resolve(name) for name in getattr(context.operation, "tables", ()))


_ROLES: Mapping[str, Callable[[Context], Iterable[Name]]] = {
    "target": _target,
    "table": _table,
    "referenced": _referenced,
    "referencing": _referencing,
    "parent": _parent,
    "partition": _partition,
    "default_partition": _default_partition,
    "children": _children,
    "partitions": _partitions,
    "indexes": _indexes,
    "index": _index,
    "sequence": _sequence,
    "view": _view,
    "using_table": _using_table,
    "typed_table": _typed_table,
    "reads": _reads,
    "writes": _writes,
    "listed": _listed,
}
