"""The needs of relations and of their parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.analysis.edges.edge import Edge, Names, recorded, shown
from dflint.facts.key_indexes import may_rely_on
from dflint.model.catalog import Catalog, CompositeType, Index, Sequence, Table, Trigger, View
from dflint.model.dependencies import is_user_type, sequences_named
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

#: From this major on the expression of a generated column needs its columns; before, the column itself did.
_GENERATION_NEEDS: Final = 15

#: From this major on a partition's copies of triggers are listed.
_COPIES_SHOWN: Final = 15


def relation_edges(catalog: Catalog, names: Names) -> Iterator[Edge]:
    """What containment in a table, and the values of tables, indexes, views and sequences say."""
    for relation in catalog.relations.values():
        if isinstance(relation, Index):
            yield from _of_index(relation, names)
        elif isinstance(relation, Table):
            yield from _of_table(relation, catalog, names)
        elif isinstance(relation, View):
            yield from _of_columns(relation.name, relation.columns or (), catalog, names)
            yield from _of_triggers(relation.name, relation.triggers, None, names)
            for rule in relation.rules:
                yield recorded(names.part("rule", relation.name, rule), names.relation(relation.name), "a")
        elif isinstance(relation, Sequence):
            if relation.owner_table is not None and relation.owner_column is not None:
                owner = names.column(relation.owner_table, relation.owner_column)
                yield recorded(names.relation(relation.name), owner, "i" if relation.internal else "a")
        elif isinstance(relation, CompositeType):
            yield from _of_columns(relation.name, relation.attributes, catalog, names)


def _of_table(table: Table, catalog: Catalog, names: Names) -> Iterator[Edge]:
    own = names.relation(table.name)
    for parent in table.parents:
        yield recorded(own, names.relation(parent), "n" if table.bound is None else "a")
    if table.partition_by is not None:
        for element in table.partition_by.elements:
            for column in _columns(element.column, element.expression):
                yield recorded(names.column(table.name, column), own, "i")
    yield from _of_columns(table.name, table.columns, catalog, names)
    for constraint in table.constraints:
        if constraint.name is not None and not is_clone(constraint, table):
            yield from _of_constraint(constraint.name, constraint, table, catalog, names)
    parent_table = catalog.relations.get(table.parents[0]) if table.bound is not None and table.parents else None
    yield from _of_triggers(table.name, own_triggers(table, catalog), parent_table, names)
    for policy in table.policies:
        identity = names.part("policy", table.name, policy.name)
        yield recorded(identity, own, "a")
        for column in _used((policy.using, policy.check)):
            yield recorded(identity, names.column(table.name, column), "n")
    for rule in table.rules:
        yield recorded(names.part("rule", table.name, rule), own, "a")
    if table.replica_identity == "index" and table.replica_index is not None:
        index = names.relation(Name(table.name.schema, table.replica_index))
        yield shown(own, index, "r", "attribute", "replica identity")


def own_triggers(table: Table, catalog: Catalog) -> tuple[Trigger, ...]:
    """The triggers that a server shows: before PostgreSQL 15 a partition's copies were its own affair."""
    parent = catalog.relations.get(table.parents[0]) if table.bound is not None and table.parents else None
    if catalog.version is None or catalog.version >= _COPIES_SHOWN or not isinstance(parent, Table):
        return table.triggers
    copied = {each.name for each in parent.triggers if each.for_each_row}
    return tuple(each for each in table.triggers if each.name not in copied)


def is_clone(constraint: Constraint, table: Table) -> bool:
    """Whether it is a partition's copy of the partitioned table's foreign key: one with it, as everybody sees it."""
    return constraint.kind == "foreign_key" and table.bound is not None and constraint.inherited > 0


def _of_columns(relation: Name, columns: Iterable[Column], catalog: Catalog, names: Names) -> Iterator[Edge]:
    for column in columns:
        if column.type is not None and is_user_type(column.type):
            needed = names.type(column.type.name)
            if needed is not None:
                yield recorded(names.column(relation, column.name), needed, "n")
        if column.default is not None or column.generated is not None:
            yield from _of_default(relation, column, catalog, names)


def _of_default(relation: Name, column: Column, catalog: Catalog, names: Names) -> Iterator[Edge]:
    identity, own = names.part("default", relation, column.name), names.column(relation, column.name)
    if column.generated is None:
        yield recorded(identity, own, "a")
        if column.default is not None and column.default.args:
            for sequence in sequences_named(column.default):
                if catalog.relations.get(sequence) is not None:
                    yield recorded(identity, names.relation(sequence), "n")
        return
    internal = catalog.version is None or catalog.version >= _GENERATION_NEEDS
    yield recorded(identity, own, "i" if internal else "a")
    for used in _used((column.generated,)):
        needed = names.column(relation, used)
        yield recorded(identity, needed, "n") if internal else recorded(own, needed, "a")


def _of_constraint(name: str, constraint: Constraint, table: Table, catalog: Catalog, names: Names) -> Iterator[Edge]:
    key = constraint.kind == "foreign_key"
    identity = names.part("fk" if key else "constraint", table.name, name)
    columns = (*constraint.columns, *constraint.include)
    if constraint.kind == "exclusion":
        for element in constraint.elements:
            columns += tuple(_columns(element.column, element.expression))
        columns += tuple(_used((constraint.where,)))
    for column in dict.fromkeys(columns):
        if column != "?":
            yield recorded(identity, names.column(table.name, column), "a")
    if not columns:
        yield recorded(identity, names.relation(table.name), "a")
    if key:
        yield from _of_foreign_key(identity, constraint, table, catalog, names)
    elif constraint.index is not None and table.bound is not None:
        index = catalog.relations.get(constraint.index)
        for parent_index in index.parents if isinstance(index, Index) else ():
            above = catalog.relations.get(parent_index)
            if isinstance(above, Index) and above.constraint is not None:
                yield recorded(identity, names.part("constraint", above.table, above.constraint), "P")
                yield recorded(identity, names.relation(table.name), "S")


def _of_foreign_key(identity: str, key: Constraint, table: Table, catalog: Catalog, names: Names) -> Iterator[Edge]:
    if key.references is None:
        return
    detail = key.name or ""
    referenced = [key.references]
    for name in referenced:
        for column in _referenced_columns(key, name, catalog):
            yield shown(identity, names.column(name, column), "n", "constraint", detail)
        below = catalog.relations.get(name)
        if isinstance(below, Table) and below.partition_by is not None:
            # It has a part for each partition of the table it refers to, which cannot go without it.
            referenced.extend(catalog.children_of.get(name, ()))
    possible = may_rely_on(table.name, key, catalog)
    if possible:
        yield shown(identity, names.relation(possible[0]), "n", "constraint", detail)
        for below_index in _descendants(possible[0], catalog):
            yield shown(identity, names.relation(below_index), "n", "constraint", detail)


def _descendants(name: Name, catalog: Catalog) -> Iterator[Name]:
    for child in catalog.children_of.get(name, ()):
        yield child
        yield from _descendants(child, catalog)


def _referenced_columns(key: Constraint, table: Name, catalog: Catalog) -> tuple[str, ...]:
    if key.referenced_columns:
        return key.referenced_columns
    found = catalog.relations.get(table)
    constraints = found.constraints if isinstance(found, Table) else ()
    return next((each.columns for each in constraints if each.kind == "primary_key"), ())


def _of_triggers(relation: Name, triggers: Iterable[Trigger], parent: object, names: Names) -> Iterator[Edge]:
    own = names.relation(relation)
    inherited = {each.name for each in parent.triggers if each.for_each_row} if isinstance(parent, Table) else set()
    for trigger in triggers:
        identity = names.part("trigger", relation, trigger.name)
        yield recorded(identity, own, "a")
        for column in (*trigger.columns, *_used((trigger.when,))):
            if column != "?":
                yield recorded(identity, names.column(relation, column), "n")
        if trigger.referenced is not None:
            yield recorded(identity, names.relation(trigger.referenced), "a")
        if trigger.name in inherited and isinstance(parent, Table):
            yield recorded(identity, names.part("trigger", parent.name, trigger.name), "P")
            yield recorded(identity, own, "S")


def _of_index(index: Index, names: Names) -> Iterator[Edge]:
    identity = names.relation(index.name)
    if index.constraint is not None:
        yield recorded(identity, names.part("constraint", index.table, index.constraint), "i")
    else:
        columns = [column for each in index.elements for column in _columns(each.column, each.expression)]
        columns += [*index.include, *_used((index.where,))]
        for column in dict.fromkeys(columns):
            yield recorded(identity, names.column(index.table, column), "a")
        if not any(element.column is not None for element in index.elements):
            yield recorded(identity, names.relation(index.table), "a")
    for parent in index.parents:
        yield recorded(identity, names.relation(parent), "P")
        yield recorded(identity, names.relation(index.table), "S")


def _columns(column: str | None, expression: Expr | None) -> tuple[str, ...]:
    return (column,) if column is not None else tuple(_used((expression,)))


def _used(expressions: Iterable[Expr | None]) -> Iterator[str]:
    for expression in expressions:
        if expression is not None:
            yield from expression.columns()
