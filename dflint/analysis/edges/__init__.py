"""Which object needs which other: one `Edge` for each need, as PostgreSQL's pg_depend would record it.

Edges come from the values of a catalog, so that a replayed history gives those of a live server. What only a server
can tell is added from its own records (`dflint.analysis.edges.recorded`).
"""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.edges.derived import Derived
from dflint.analysis.edges.edge import Edge, Names
from dflint.analysis.edges.objects import object_edges
from dflint.analysis.edges.recorded import recorded_edges
from dflint.analysis.edges.relations import relation_edges
from dflint.model.catalog import Catalog

__all__ = ["Edge", "Names", "edges_of", "is_replayed"]


def is_replayed(catalog: Catalog) -> bool:
    """Whether no server was asked: what it would have recorded has to be derived."""
    return catalog.basis in ("static", "replay")


def edges_of(catalog: Catalog, names: Names, unknown: set[str]) -> Iterator[Edge]:
    """Every edge; the same one may come more than once.

    Args:
        unknown: gets the identities of those objects whose needs are not all known.
    """
    yield from relation_edges(catalog, names)
    yield from object_edges(catalog, names)
    yield from recorded_edges(catalog, names)
    if is_replayed(catalog):
        derived = Derived(catalog, names)
        yield from derived.edges()
        unknown |= derived.unknown
