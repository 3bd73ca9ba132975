"""What dropping does: what goes, what blocks it, and what breaks when it is used."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.edges.edge import Names
from dflint.analysis.graph import Graph
from dflint.analysis.impact.breaking import break_callers, break_texts
from dflint.analysis.impact.found import Dependents
from dflint.analysis.removal import removal
from dflint.analysis.targets import Target
from dflint.analysis.texts import Texts
from dflint.model.catalog import Catalog, Table
from dflint.model.inheritance import losing_column
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Constraint


def drop(operation: Operation, target: Target, catalog: Catalog, graph: Graph, texts: Texts) -> tuple[Dependents, bool]:
    """The dependents, and whether the server refuses for their sake."""
    found = Dependents()
    also = tuple(_with_it(operation, target, catalog))
    gone = removal(graph, (target.identity, *also))
    for identity, reached in gone.listed():
        found.add(identity, "auto_dropped" if reached.silent else "blocks", reached.via, reached.evidence)
    for identity in also:
        found.add(identity, "auto_dropped")
    for identity in gone.owners.values():
        found.add(identity, "blocks")
    for identity in gone.reached:
        for dependent, link in graph.dependents(identity):
            if "r" in link.needs and dependent not in gone.reached:
                found.add(dependent, "breaks_later", () if identity == target.identity else (identity,), link.evidence)
    break_texts(found, frozenset(gone.reached), catalog, texts)
    break_callers(found, graph, texts, frozenset(gone.reached), catalog)
    return found, gone.refused


def _with_it(operation: Operation, target: Target, catalog: Catalog) -> Iterator[str]:
    """What the command drops itself, beside its target: the same in children that have it from nowhere else."""
    if target.relation is None or target.part is None or getattr(operation, "only", False):
        return
    names = Names(catalog)
    if operation.kind == "drop_column":
        for name in losing_column(catalog.relations, catalog.children_of, target.relation, target.part)[1:]:
            yield names.column(name, target.part)
    elif operation.kind == "drop_constraint":
        yield from _inherited_constraints(target.relation, target.part, catalog, names)


def _inherited_constraints(table: Name, constraint: str, catalog: Catalog, names: Names) -> Iterator[str]:
    own = _constraint(table, constraint, catalog)
    if own is None or own.kind not in ("check", "not_null") or own.no_inherit:
        return
    left: dict[Name, int] = {}
    pending = [table]
    for name in pending:
        for child in catalog.children_of.get(name, ()):
            below = _matching(child, own, constraint, catalog)
            if below is None or below.name is None:
                continue
            left[child] = left.get(child, below.inherited) - 1
            if left[child] <= 0 and not below.local:
                pending.append(child)
                yield names.part("constraint", child, below.name)


def _constraint(table: Name, constraint: str, catalog: Catalog) -> Constraint | None:
    found = catalog.relations.get(table)
    constraints = found.constraints if isinstance(found, Table) else ()
    return next((each for each in constraints if each.name == constraint), None)


def _matching(child: Name, own: Constraint, name: str, catalog: Catalog) -> Constraint | None:
    """The child's constraint that comes from it: of the same name, or NOT NULL of the same column."""
    if own.kind == "check":
        return _constraint(child, name, catalog)
    found = catalog.relations.get(child)
    constraints = found.constraints if isinstance(found, Table) else ()
    return next((each for each in constraints if each.kind == "not_null" and each.columns == own.columns), None)
