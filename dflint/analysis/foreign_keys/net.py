"""The foreign keys of a catalog, and the circles that they form."""

from __future__ import annotations

from typing import Any

import networkx as nx

from dflint.model.catalog import Catalog, Table
from dflint.model.foreign_keys import ForeignKey, ForeignKeyNet, foreign_key
from dflint.model.names import Name


def net_of(catalog: Catalog) -> ForeignKeyNet:
    """All foreign keys of a catalog."""
    keys: list[ForeignKey] = []
    rows: dict[Name, int | None] = {}
    partitions: dict[Name, Name] = {}
    children: dict[Name, tuple[Name, ...]] = {}
    generated: dict[Name, dict[str, tuple[str, ...]]] = {}
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
    keys.sort(key=lambda key: (key.table, key.name))
    return ForeignKeyNet(tuple(keys), rows, partitions, children, generated)


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


def cycles(net: ForeignKeyNet) -> tuple[tuple[Name, ...], ...]:
    """The sets of tables of which each refers to every other, directly or through others, and tables to themselves.

    A partition counts as the table that it is a part of.
    """
    graph: Any = nx.DiGraph()
    graph.add_edges_from((root(key.table, net), root(key.references, net)) for key in net.keys)
    found = [
        tuple(sorted(component))
        for component in nx.strongly_connected_components(graph)
        if len(component) > 1 or any(graph.has_edge(table, table) for table in component)
    ]
    return tuple(sorted(found))


def root(table: Name, net: ForeignKeyNet) -> Name:
    """The partitioned table that a partition is in the end a part of; of others the table itself."""
    while table in net.partitions:
        table = net.partitions[table]
    return table


def reaching(net: ForeignKeyNet, table: Name) -> ForeignKeyNet:
    """The part of a net that leads to a table and its children, directly or through others; and its own keys."""
    graph: Any = nx.DiGraph()
    starting = [table]
    for each in starting:
        starting.extend(net.children.get(each, ()))
    near = {root(each, net) for each in starting}
    graph.add_nodes_from(near)
    graph.add_edges_from((root(key.references, net), root(key.table, net)) for key in net.keys)
    pending = sorted(near)
    for each in pending:
        new = [further for further in graph.successors(each) if further not in near]
        near.update(new)
        pending += new
    keys = tuple([key for key in net.keys if root(key.references, net) in near or key.table == table])
    return ForeignKeyNet(keys, net.rows, net.partitions, net.children, net.generated)
