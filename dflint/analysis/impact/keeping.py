"""What changes do that keep their target: renames, moves, other types, defaults and NOT NULL taken away.

What the server tracks by number follows. What names the target in a text breaks, or means something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.analysis.edges.edge import Names
from dflint.analysis.graph import Graph
from dflint.analysis.impact.breaking import break_callers, note_dynamic
from dflint.analysis.impact.found import Dependents
from dflint.analysis.targets import Target
from dflint.analysis.texts import Body, Texts, evidence
from dflint.model.catalog import Catalog, Routine, Table
from dflint.model.impact import DependentEffect, Evidence
from dflint.model.names import Name
from dflint.sql.references import Reference

#: What keeps a column's type from being changed.
_HOLDS_TYPE: Final = frozenset(
    {"view", "materialized_view", "rule", "policy", "trigger", "function", "procedure", "publication", "default"}
)
#: What the server makes anew with the column, and so follows.
_MADE_ANEW: Final = frozenset({"index", "constraint", "fk", "statistics"})


def rename(target: Target, catalog: Catalog, graph: Graph, texts: Texts, path: tuple[str, ...]) -> Dependents:
    """The dependents of a table or column that gets another name."""
    found = Dependents()
    _follow(found, target, graph)
    if target.relation is not None:
        for body in texts.naming(frozenset({target.part or target.relation.name})):
            for reference in body.references.references:
                _renamed(found, body, reference, target, catalog, path)
            note_dynamic(found, body)
    break_callers(found, graph, texts, frozenset())
    return found


def _renamed(
    found: Dependents, body: Body, reference: Reference, target: Target, catalog: Catalog, path: tuple[str, ...]
) -> None:
    if Name(reference.schema, reference.name) != target.relation:
        return
    effect: DependentEffect
    if target.part is None:
        if reference.kind == "column" or reference.form not in ("name", "string"):
            return
        effect = "changes" if _another(target.relation, body, reference, catalog, path) else "breaks_later"
    else:
        if reference.kind != "column" or reference.column != target.part or reference.form == "alias":
            return
        # A star, and NATURAL JOIN, find the column by any name: what comes out is called otherwise.
        effect = "changes" if reference.form in ("star", "natural") else "breaks_later"
    found.add(body.identity, effect, (), (evidence(reference),))


def _another(moved: Name | None, body: Body, reference: Reference, catalog: Catalog, path: tuple[str, ...]) -> bool:
    """Whether the old name, as the text has it, then means another relation."""
    if moved is None or _is_qualified(body.routine, reference):
        return False
    return any(
        catalog.relations.get(Name(schema, moved.name)) is not None
        for schema in ("pg_temp", *own_path(body.routine, path))
        if schema != moved.schema
    )


def _is_qualified(routine: Routine, reference: Reference) -> bool:
    return (routine.body or "")[: reference.start].rstrip().rstrip('"').rstrip().endswith(".")


def own_path(routine: Routine, path: tuple[str, ...]) -> tuple[str, ...]:
    """The search_path under which a routine runs: its own, or the caller's."""
    value = dict(routine.configuration).get("search_path")
    if value is None:
        return path
    return tuple(part.strip().strip('"') for part in value.split(",") if part.strip())


def set_schema(
    target: Target, schema: str, catalog: Catalog, graph: Graph, texts: Texts, path: tuple[str, ...]
) -> Dependents:
    """The dependents of a table that moves to another schema."""
    found = Dependents()
    _follow(found, target, graph)
    for body in texts.naming(frozenset({target.relation.name if target.relation is not None else ""})):
        for reference in body.references.references:
            named = Name(reference.schema, reference.name) == target.relation and reference.kind != "column"
            if not named or reference.form not in ("name", "string"):
                continue
            if not _is_qualified(body.routine, reference) and schema in own_path(body.routine, path):
                found.add(body.identity, "follows", (), (evidence(reference),))
            else:
                other = _another(target.relation, body, reference, catalog, path)
                found.add(body.identity, "changes" if other else "breaks_later", (), (evidence(reference),))
        note_dynamic(found, body)
    break_callers(found, graph, texts, frozenset())
    return found


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
    for name in _tree(target, catalog):
        table = catalog.relations.get(name)
        own = table.column(target.part or "") if isinstance(table, Table) else None
        if getattr(own, "default", None) is not None and target.part is not None:
            found.add(names.part("default", name, target.part), "auto_dropped")
    return found


def drop_not_null(target: Target, catalog: Catalog) -> tuple[Dependents, bool]:
    """The constraints that go (PostgreSQL 18 names them), those of children too, and what keeps the server from it."""
    found, names, blocked = Dependents(), Names(catalog), False
    for name in _tree(target, catalog):
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


def _follow(found: Dependents, target: Target, graph: Graph) -> None:
    """What needs the target directly, by number."""
    for identity in (target.identity, *graph.columns(target.identity)):
        for dependent, link in graph.dependents(identity):
            if graph.owner(dependent) != target.identity:
                found.add(dependent, "follows", (), link.evidence)
                for index, behind in graph.dependents(dependent):
                    if index.startswith("index:") and "i" in behind.needs:
                        found.add(index, "follows", (dependent,), behind.evidence)


def _below(target: Target, catalog: Catalog) -> Iterator[str]:
    """The same column of inheritance children and partitions."""
    names = Names(catalog)
    for name in _tree(target, catalog):
        if name != target.relation and target.part is not None:
            yield names.column(name, target.part)


def _tree(target: Target, catalog: Catalog) -> Iterable[Name]:
    """The table and all below it."""
    found = [] if target.relation is None else [target.relation]
    for name in found:
        found.extend(each for each in catalog.children_of.get(name, ()) if each not in found)
    return found
