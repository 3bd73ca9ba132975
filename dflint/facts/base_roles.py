"""The roles that others start from: the relation of the statement, its table, its children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dflint.facts import subjects
from dflint.model.catalog import Relation, Table
from dflint.model.context import Context
from dflint.model.names import Name


def target(context: Context) -> Iterable[Name]:
    """The relation named by the statement, or the one that a trigger, rule or policy is on"""
    name = subjects.relation_name(context)
    return () if name is None else (name,)


def table(context: Context) -> Iterable[Name]:
    """The table itself, or the one that the named index or sequence belongs to"""
    name = subjects.table_name(context)
    return (name,) if isinstance(name, Name) else ()


def partition(context: Context) -> Iterable[Name]:
    """The partition that ATTACH or DETACH names"""
    partition = getattr(context.operation, "partition", None)
    return () if partition is None else (context.resolve(partition),)


def children(context: Context) -> Iterable[Name]:
    """Partitions and inheritance children, at every depth; none with ONLY"""
    if getattr(context.operation, "only", False):
        return ()
    pending, seen = list(table(context)), dict[Name, None]()
    while pending:
        for child in context.catalog.children_of.get(pending.pop(), ()):
            if child not in seen:
                seen[child] = None
                pending.append(child)
    return tuple(seen)


def partitions(context: Context) -> Iterable[Name]:
    """Partitions of a partitioned table, at every depth; none with ONLY"""
    table = subjects.table(context)
    return children(context) if isinstance(table, Table) and table.partition_by is not None else ()


def dependents(context: Context, name: Name) -> Iterator[tuple[Name, Relation]]:
    """The relations that name ``name``, as far as they are known"""
    for dependent in context.catalog.dependents_of.get(name, ()):
        relation = context.catalog.relations.get(dependent)
        if relation is not None:
            yield dependent, relation


def family(context: Context) -> Iterable[Name]:
    """The table and, without ONLY, its partitions and children at every depth"""
    return (*table(context), *children(context))


def typed_table(context: Context) -> Iterable[Name]:
    """Tables created OF the type"""
    return tuple(
        user
        for name in type_name(context)
        for user in context.catalog.users_of_type.get(name, ())
        if isinstance(relation := context.catalog.relations.get(user), Table) and relation.of_type == name
    )


def type_name(context: Context) -> tuple[Name, ...]:
    """The type that the statement names, as one name or none."""
    target = context.operation.target
    return () if target is None else (context.catalog.resolve_type(target, context.session.search_path),)
