"""What breaks when it is used: texts that name what is gone, and whatever calls them."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.graph import Graph
from dflint.analysis.impact.calls import fitting
from dflint.analysis.impact.found import Dependents
from dflint.analysis.texts import Body, Texts, evidence
from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Routine
from dflint.model.impact import DependentEffect, Evidence
from dflint.model.names import Identity, Name
from dflint.sql.references import Reference

_RELATIONS = frozenset({"table", "foreign_table", "view", "materialized_view", "sequence", "index"})
_ROUTINES = frozenset({"function", "procedure", "aggregate"})
_TYPES = frozenset({"type", "domain"})
#: What fails as a whole when it fails, and whoever uses it with it.
_PASSING = _ROUTINES | {"view"}


def break_texts(found: Dependents, gone: frozenset[str], catalog: Catalog, texts: Texts) -> None:
    """Note the routines whose bodies name something that goes, and those of which nobody can say."""
    missing = _Missing(gone, catalog)
    for body in texts.naming(missing.words):
        if body.identity in gone:
            continue
        shown = [each for each in body.references.references if missing.has(each)]
        doubtful = [each for each in shown if missing.may_mean_another(each)]
        certain = [each for each in shown if each not in doubtful]
        if certain:
            found.add(body.identity, "breaks_later", (), tuple(map(evidence, certain)))
        elif doubtful:
            found.add(body.identity, "unknown", (), tuple(map(evidence, doubtful)))
        note_dynamic(found, body)


def note_dynamic(found: Dependents, body: Body) -> None:
    """Note a routine that runs what it puts together, or is not read."""
    places = tuple(body.dynamic())
    if places:
        found.add(body.identity, "unknown", (), places)


def break_callers(
    found: Dependents,
    graph: Graph,
    texts: Texts,
    gone: frozenset[str],
    catalog: Catalog,
    *,
    moved_to: str | None = None,
) -> None:
    """Note what uses a broken routine: it fails when it is used, and so does what uses that.

    What uses a routine of which nobody can say, nobody can say of either.

    Args:
        moved_to: the schema that the target is moved to. Who has it in a search_path of its own may still find it.
    """
    walk = _Callers(found, graph, texts, gone, catalog, moved_to)
    walk.run("breaks_later")
    walk.run("unknown")


class _Callers:
    def __init__(
        self,
        found: Dependents,
        graph: Graph,
        texts: Texts,
        gone: frozenset[str],
        catalog: Catalog,
        moved_to: str | None,
    ) -> None:
        self._found, self._graph, self._texts, self._gone = found, graph, texts, gone
        self._catalog, self._moved_to = catalog, moved_to
        self._broken: dict[str, tuple[str, ...]] = {}

    def run(self, effect: DependentEffect) -> None:
        """Follow what has this effect to what uses it."""
        pending = [each.identity for each in self._found.listed() if each.effect == effect]
        via = {each.identity: each.via for each in self._found.listed() if each.effect == effect}
        if effect == "breaks_later":
            self._broken = via
        for identity in pending:
            if identity.partition(":")[0] not in _PASSING:
                continue
            onward = (*via[identity], identity)
            for dependent, own, evidences in self._users(identity, effect):
                if dependent in self._gone or dependent in via or dependent in self._broken:
                    continue
                self._found.add(dependent, own, onward, evidences)
                if own == effect:
                    via[dependent] = onward
                    pending.append(dependent)

    def _users(
        self, identity: str, effect: DependentEffect
    ) -> Iterator[tuple[str, DependentEffect, tuple[Evidence, ...]]]:
        for dependent, evidences in _users(identity, self._graph):
            yield dependent, effect, evidences
        for body, named in _naming(identity, self._texts):
            shown = [each for each in named if self._may_mean(each, identity)]
            if not shown:
                continue
            sure = any(self._surely_means(each) for each in shown)
            if effect == "breaks_later" and (not sure or self._finds_it(body)):
                yield body.identity, "unknown", tuple(map(evidence, shown))
            else:
                yield body.identity, effect, tuple(map(evidence, shown))

    def _may_mean(self, reference: Reference, identity: str) -> bool:
        return reference.kind != "function" or identity in map(printed, fitting(reference, self._catalog))

    def _surely_means(self, reference: Reference) -> bool:
        """Whether what a place calls is broken for certain: every function that it may mean."""
        possible = map(printed, fitting(reference, self._catalog))
        return reference.kind != "function" or all(each in self._broken for each in possible)

    def _finds_it(self, body: Body) -> bool:
        """Whether what the routine calls runs with a search_path that has the schema the target is moved to."""
        return self._moved_to is not None and self._moved_to in own_path(body.routine, ())


def own_path(routine: Routine, path: tuple[str, ...]) -> tuple[str, ...]:
    """The search_path under which a routine runs: its own, or the caller's."""
    value = dict(routine.configuration).get("search_path")
    if value is None:
        return path
    return tuple(part.strip().strip('"') for part in value.split(",") if part.strip())


def _users(broken: str, graph: Graph) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    for dependent, link in graph.dependents(broken):
        yield dependent, link.evidence
    for column in graph.columns(broken):
        for dependent, link in graph.dependents(column):
            yield dependent, link.evidence


def _naming(broken: str, texts: Texts) -> Iterator[tuple[Body, list[Reference]]]:
    """The routines whose bodies name something broken."""
    kind, (schema, name, *_) = Identity.parse(broken)
    routine = kind in _ROUTINES
    bare = name.partition("(")[0] if routine else name
    for body in texts.naming(frozenset({bare})):
        shown = [
            each
            for each in body.references.references
            if each.name == bare and each.schema == schema and each.kind == ("function" if routine else "relation")
            # A row of a view's type, and its name in a string, do not run its query.
            if each.form == "name" and not each.as_type
        ]
        if shown and body.identity != broken:
            yield body, shown


class _Missing:
    """What is no longer there, as texts name it."""

    def __init__(self, gone: frozenset[str], catalog: Catalog) -> None:
        self._relations: set[Name] = set()
        self._routines: set[Name] = set()
        self._types: set[Name] = set()
        self._columns: set[tuple[Name, str]] = set()
        for text in gone:
            kind, parts = Identity.parse(text)
            if kind in _RELATIONS:
                self._relations.add(Name(*parts))
            elif kind in _ROUTINES:
                self._routines.add(Name(parts[0], parts[1].partition("(")[0]))
            elif kind in _TYPES:
                self._types.add(Name(*parts))
            elif kind == "column":
                self._columns.add((Name(*parts[:2]), parts[2]))
        self._left = {
            name for name in self._routines if sum(f"{each}" not in gone for each in _overloads(name, catalog))
        }

    @property
    def words(self) -> frozenset[str]:
        """The names that a text must hold to name one of them."""
        names = {each.name for each in (*self._relations, *self._routines, *self._types)}
        return frozenset(names | {column for _, column in self._columns})

    def has(self, reference: Reference) -> bool:
        """Whether the reference means something that goes."""
        name = Name(reference.schema, reference.name)
        if reference.kind == "column":
            return (name, reference.column) in self._columns and reference.form not in ("alias", "star", "natural")
        if reference.kind == "function":
            return name in self._routines
        return name in self._relations or name in self._types

    def may_mean_another(self, reference: Reference) -> bool:
        """Whether it may as well mean something that stays: another function of that name."""
        return reference.kind == "function" and Name(reference.schema, reference.name) in self._left


def _overloads(name: Name, catalog: Catalog) -> Iterator[str]:
    for routine in catalog.routines.get(name) or ():
        yield printed(routine)
