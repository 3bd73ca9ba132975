"""The dependency graph: objects and columns, and which needs which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import networkx as nx

from dflint.analysis.edges import Edge, Names, edges_of
from dflint.analysis.edges.edge import Need
from dflint.model.catalog import Catalog
from dflint.model.garbage import no_garbage_collection
from dflint.model.impact import Evidence


class Link(NamedTuple):
    """What one object has to do with another.

    Attributes:
        needs: the letters of the needs, as in `dflint.analysis.edges.edge.Need`, sorted.
        evidence: what shows each.
    """

    needs: str
    evidence: tuple[Evidence, ...]


class Graph:
    """What needs what in one catalog. Nodes are printed identities; arrows go from the dependent to what it needs.

    Attributes:
        unknown: identities of what may need more than the graph shows, and sentences about what was not understood;
            sorted. Only a catalog that was replayed without a server has any.
    """

    def __init__(self, edges: Iterable[Edge], names: Names, unknown: AbstractSet[str] = frozenset()) -> None:
        found: dict[str, dict[str, dict[Need, Evidence]]] = {}
        for dependent, referenced, need, evidence in edges:
            if dependent != referenced:
                found.setdefault(dependent, {}).setdefault(referenced, {}).setdefault(need, evidence)
        self._graph: Any = nx.DiGraph()
        self._graph.add_edges_from(
            (dependent, referenced, needs)
            for dependent, all_needs in found.items()
            for referenced, needs in all_needs.items()
        )
        self._columns, self._owners = names.columns, names.owners
        # The edges are used up now, so that what they found out is known.
        self.unknown = tuple(sorted(unknown))

    @classmethod
    def of(cls, catalog: Catalog) -> Graph:
        """The graph of a catalog: live, loaded from a snapshot, or replayed."""
        # Hundreds of thousands of small objects come to stay: looking for garbage among them takes longest of all.
        with no_garbage_collection():
            names, unknown = Names(catalog), set[str]()
            return cls(edges_of(catalog, names, unknown), names, unknown)

    def __contains__(self, identity: object) -> bool:
        return identity in self._graph

    def needed_by(self, identity: str) -> Iterator[tuple[str, Link]]:
        """What an object needs itself, and how."""
        if identity in self._graph:
            for referenced, data in self._graph.succ[identity].items():
                yield referenced, _link(data)

    def dependents(self, identity: str) -> Iterator[tuple[str, Link]]:
        """What needs an object directly, and how. What needs its columns is not among them."""
        if identity in self._graph:
            for dependent, data in self._graph.pred[identity].items():
                yield dependent, _link(data)

    def columns(self, relation: str) -> tuple[str, ...]:
        """The columns of a relation that have to do with anything."""
        return tuple(self._columns.get(relation, ()))

    def owner(self, column: str) -> str | None:
        """The relation that a column belongs to; None of what is no column."""
        return self._owners.get(column)

    def to_json(self) -> dict[str, object]:
        """The graph as plain values, sorted: equal for equal schemas."""
        edges = [
            {"dependent": dependent, "referenced": referenced, "needs": _link(data).needs}
            for dependent, referenced, data in self._graph.edges(data=True)
        ]
        ordered = sorted(edges, key=lambda edge: (edge["dependent"], edge["referenced"]))
        return {"edges": ordered, "unknown": list(self.unknown)}


def _link(needs: dict[Need, Evidence]) -> Link:
    return Link("".join(sorted(needs)), tuple(needs[each] for each in sorted(needs)))
