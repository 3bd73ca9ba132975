"""The catalog of a history that ran on no server, with what its texts need."""

from __future__ import annotations

from dflint.analysis.graph import Graph
from dflint.analysis.replayed import ReplayedNeeds
from dflint.history.replay import apply
from dflint.model.catalog import Catalog
from dflint.model.migration import Section, Span
from dflint.model.names import Identity
from dflint.model.session import Session
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from tests.history.replaying import EMPTY

#: Dependent, what it needs, and how.
Arrow = tuple[str, str, str]


def replayed(text: str, version: int, path: tuple[str, ...] = ("public",)) -> Catalog:
    """The catalog after the statements of a text."""
    parser, raw, catalog = Parser(load_library()), text.encode(), EMPTY
    needs = ReplayedNeeds(parser, version)
    (statements,) = parser.parse(raw, [Section("up", Span(0, len(raw)))])
    for statement in statements:
        for operation in statement.operations:
            needs.read(operation, raw[statement.start : statement.end].decode(), catalog, path)
            catalog = apply(operation, catalog, Session(search_path=path), version, statement.operations)
    return needs.added(catalog)


def arrows(graph: Graph) -> set[Arrow]:
    listed = graph.to_json()["edges"]
    assert isinstance(listed, list)
    return {(edge["dependent"], edge["referenced"], edge["needs"]) for edge in listed}


def unspoken(live: Graph, replay: Graph) -> tuple[set[Arrow], set[Arrow]]:
    """What the replay misses and has too much, without saying that it may."""
    one, other = arrows(live), arrows(replay)
    return (
        {each for each in one - other if not _said(each[0], replay)},
        {each for each in other - one if not _said(each[0], replay)},
    )


def _said(dependent: str, replay: Graph) -> bool:
    """Whether the replay names the dependent, or the view whose column it is, as unknown."""
    kind, parts = Identity.parse(dependent)
    views = {str(Identity(view, parts[:2])) for view in ("view", "materialized_view")} if kind == "column" else set()
    return not ({dependent} | views).isdisjoint(replay.unknown)
