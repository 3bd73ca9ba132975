"""The foreign keys of a catalog, and the circles that they form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import networkx as nx

from dflint.model.catalog import Catalog, Table
from dflint.model.foreign_keys import MOVING_UPDATES_SINCE, ForeignKey, ForeignKeyNet, foreign_key
from dflint.model.names import Name


def net_of(catalog: Catalog) -> ForeignKeyNet:
    """All foreign keys of a catalog."""
    keys: list[ForeignKey] = []
    rows: dict[Name, int | None] = {}
    partitions: dict[Name, Name] = {}
    children: dict[Name, tuple[Name, ...]] = {}
    generated: dict[Name, dict[str, tuple[str, ...]]] = {}
    not_null: dict[Name, frozenset[str]] = {}
    partitioned_by: dict[Name, frozenset[str] | None] = {}
    for table in catalog.relations.values():
        if not isinstance(table, Table):
            continue
        rows[table.name] = table.rows
        if table.bound is not None and table.parents:
            partitions[table.name] = table.parents[0]
        elif table.parents:
            for parent in table.parents:
                children[parent] = (*children.get(parent, ()), table.name)
        made = {each.name: tuple(each.generated.columns()) for each in table.columns if each.generated is not None}
        if made:
            generated[table.name] = made
        keys += _of_table(table, catalog)
        if table.partition_by is not None:
            by = [each.column for each in table.partition_by.elements]
            partitioned_by[table.name] = None if None in by else frozenset(by)  # type: ignore[arg-type]
        not_null[table.name] = frozenset([each.name for each in table.columns if each.not_null])
    keys.sort(key=lambda key: (key.table, key.name))
    return ForeignKeyNet(
        keys=tuple(keys),
        rows=rows,
        partitions=partitions,
        children=children,
        generated=generated,
        not_null=not_null,
        partitioned_by=partitioned_by,
        moving_deletes=catalog.version is None or catalog.version < MOVING_UPDATES_SINCE,
        links=frozenset([(key.table, key.references) for key in keys]),
    )


def _of_table(table: Table, catalog: Catalog) -> list[ForeignKey]:
    found = []
    for constraint in table.constraints:
        is_copy = table.bound is not None and constraint.inherited > 0
        if constraint.kind == "foreign_key" and constraint.references is not None and not is_copy:
            key = foreign_key(table.name, constraint, _primary_key(constraint.references, catalog))
            if key is not None:
                found.append(key)
    return found


def _primary_key(name: Name, catalog: Catalog) -> tuple[str, ...]:
    found = catalog.relations.get(name)
    constraints = found.constraints if isinstance(found, Table) else ()
    return next((each.columns for each in constraints if each.kind == "primary_key"), ())


def cycles(net: ForeignKeyNet, table: Name) -> tuple[tuple[Name, ...], ...]:
    """The sets of tables of which each refers to every other, directly or through others, and tables to themselves.

    Args:
        net: the foreign keys.
        table: only circles count from which keys lead to this table or its children, directly or through others.

    A partition counts as the table that it is a part of.
    """
    links = {(_root(one, net), _root(other, net)) for one, other in net.links}
    near = _leading_to(table, net, links)
    graph: Any = nx.DiGraph([(one, other) for one, other in links if one in near and other in near])
    found = [
        tuple(sorted(component))
        for component in nx.strongly_connected_components(graph)
        if len(component) > 1 or any(graph.has_edge(each, each) for each in component)
    ]
    return tuple(sorted(found))


def _root(table: Name, net: ForeignKeyNet) -> Name:
    """The partitioned table that a partition is in the end a part of; of others the table itself."""
    while table in net.partitions:
        table = net.partitions[table]
    return table


def _leading_to(table: Name, net: ForeignKeyNet, links: Iterable[tuple[Name, Name]]) -> set[Name]:
    leading: dict[Name, set[Name]] = {}
    for one, other in links:
        leading.setdefault(other, set()).add(one)
    starting = [table]
    for each in starting:
        starting.extend(net.children.get(each, ()))
    near = {_root(each, net) for each in starting}
    pending = list(near)
    for each in pending:
        new = leading.get(each, set()) - near
        near |= new
        pending += new
    return near
