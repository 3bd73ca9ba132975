"""What changes do that keep their target and its name: other types, defaults and NOT NULL taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.edges.edge import Names
from dflint.analysis.graph import Graph
from dflint.analysis.impact.breaking import note_dynamic
from dflint.analysis.impact.found import Dependents
from dflint.analysis.targets import Target, tree
from dflint.analysis.texts import Texts, evidence
from dflint.model.catalog import Catalog, Table
from dflint.model.impact import Evidence
from dflint.model.names import Name

#: What keeps a column's type from being changed.
_HOLDS_TYPE: Final = frozenset(
    {"view", "materialized_view", "rule", "policy", "trigger", "function", "procedure", "publication", "default"}
)
#: What the server makes anew with the column, and so follows.
_MADE_ANEW: Final = frozenset({"index", "constraint", "fk", "statistics"})


def retype(target: Target, catalog: Catalog, graph: Graph, texts: Texts) -> tuple[Dependents, bool]:
    """The dependents of a column that gets another type, and whether the server refuses for their sake."""
    found, blocked = Dependents(), False
    columns = [target.identity, *_below(target, catalog)]
    for column in columns:
        via = () if column == target.identity else (column,)
        if via:
            found.add(column, "follows")
        for dependent, link in graph.dependents(column):
            kind = dependent.partition(":")[0]
            own_default = kind == "default" and dependent.partition(":")[2] == column.partition(":")[2]
            if kind in _HOLDS_TYPE and not own_default and "n" in link.needs:
                found.add(dependent, "blocks", via, link.evidence)
                blocked = True
            elif kind in _MADE_ANEW or own_default or kind == "sequence":
                found.add(dependent, "follows", via, link.evidence)
            else:
                found.add(dependent, "unknown", via, link.evidence)
    _mentioned(found, target, texts)
    return found, blocked


def _mentioned(found: Dependents, target: Target, texts: Texts) -> None:
    """Routines that name the column: their text still works or not, as the new type allows."""
    for body in texts.naming(frozenset({target.part or ""})):
        shown = [
            each
            for each in body.references.references
            if each.column == target.part and Name(each.schema, each.name) == target.relation
        ]
        if shown:
            found.add(body.identity, "changes", (), tuple(map(evidence, shown)))
        note_dynamic(found, body)


def drop_default(target: Target, catalog: Catalog) -> Dependents:
    """The default goes, and those of inheritance children and partitions."""
    found, names = Dependents(), Names(catalog)
    for name in tree(target, catalog):
        table = catalog.relations.get(name)
        own = table.column(target.part or "") if isinstance(table, Table) else None
        if getattr(own, "default", None) is not None and target.part is not None:
            found.add(names.part("default", name, target.part), "auto_dropped")
    return found


def drop_not_null(target: Target, catalog: Catalog) -> tuple[Dependents, bool]:
    """The constraints that go (PostgreSQL 18 names them), those of children too, and what keeps the server from it."""
    found, names, blocked = Dependents(), Names(catalog), False
    for name in tree(target, catalog):
        table = catalog.relations.get(name)
        for constraint in table.constraints if isinstance(table, Table) else ():
            if constraint.name is None or target.part not in constraint.columns:
                continue
            if constraint.kind == "not_null":
                found.add(names.part("constraint", name, constraint.name), "auto_dropped")
            elif constraint.kind == "primary_key":
                shown = Evidence("constraint", constraint.name)
                found.add(names.part("constraint", name, constraint.name), "blocks", (), (shown,))
                blocked = True
    return found, blocked


def _below(target: Target, catalog: Catalog) -> Iterator[str]:
    """The same column of inheritance children and partitions."""
    names = Names(catalog)
    for name in tree(target, catalog):
        if name != target.relation and target.part is not None:
            yield names.column(name, target.part)
