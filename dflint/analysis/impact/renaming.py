"""What renames and moves do. The server tracks by number and follows; texts are read again when they run.

Each text that may be concerned is resolved twice: in the catalog before the change, and in the one after it. A place
that still means the same object follows; one that means nothing breaks; one that means another object changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from dflint.analysis.graph import Graph
from dflint.analysis.impact.breaking import break_callers, note_dynamic
from dflint.analysis.impact.calls import fitting
from dflint.analysis.impact.found import Dependents
from dflint.analysis.impact.moved import Moved, key_of
from dflint.analysis.targets import Target
from dflint.analysis.texts import Texts, evidence
from dflint.catalog.identities import printed
from dflint.facts.probes import NEWEST
from dflint.history.replay import apply
from dflint.model.catalog import Catalog
from dflint.model.impact import DependentEffect
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import SetObjectSchema
from dflint.model.session import Session
from dflint.sql.references import Reference

#: Forms of places that find columns by whatever names they have.
_BY_ANY_NAME = frozenset({"star", "natural"})


def rename(
    operation: Operation, target: Target, catalog: Catalog, graph: Graph, texts: Texts, path: tuple[str, ...]
) -> Dependents:
    """The dependents of an object that gets another name or schema."""
    found = Dependents()
    _follow(found, target, graph)
    after = apply(operation, catalog, Session(search_path=path), catalog.version or NEWEST)
    moved = Moved.of(operation, target, catalog)
    for body in texts.naming(moved.words):
        reading = _Reading(moved, catalog, after)
        reading.compare(body.references.references, texts.again(moved.after(body.routine), after).references)
        for effect, references in reading.found.items():
            own = [each for each in references if moved.concerns(key_of(each)) or each.kind == "function"]
            found.add(body.identity, effect, (), tuple(map(evidence, own or references)))
        note_dynamic(found, body)
    moved_to = operation.schema if isinstance(operation, SetObjectSchema) else None
    break_callers(found, graph, texts, frozenset(), catalog, moved_to=moved_to)
    return found


class _Reading:
    """Compares what the places of one text mean before and after.

    Attributes:
        found: effect -> the references that show it.
    """

    def __init__(self, moved: Moved, catalog: Catalog, after: Catalog) -> None:
        self._moved, self._catalog, self._after = moved, catalog, after
        self.found: dict[DependentEffect, list[Reference]] = {}

    def compare(self, before: Iterable[Reference], after: Iterable[Reference]) -> None:
        """Note each place that does not mean what it meant."""
        old, new = _by_place(before), _by_place(after)
        for place, references in old.items():
            effect = self._effect(references, new.get(place, []))
            if effect is not None:
                self.found.setdefault(effect, []).extend(references)
        for place, references in new.items():
            if place not in old:
                self.found.setdefault("changes", []).extend(references)

    def _effect(self, references: list[Reference], again: list[Reference]) -> DependentEffect | None:
        if references[0].kind == "function":
            return self._of_call(references[0], again)
        expected = {self._moved.key(key_of(each)) for each in references}
        got = {key_of(each) for each in again}
        if expected == got:
            renamed = any(self._moved.concerns(key_of(each)) for each in references)
            return "changes" if renamed and references[0].form in _BY_ANY_NAME else None
        if references[0].form in _BY_ANY_NAME:
            return "changes"
        if expected - got and got - expected:
            return "changes"
        if got - expected:
            # One name, two columns.
            return "breaks_later"
        hidden = not got and references[0].kind == "column" and references[0].certainty == "likely"
        return "changes" if hidden else "breaks_later"

    def _of_call(self, call: Reference, again: list[Reference]) -> DependentEffect | None:
        """A call means the one function that takes so many arguments; of several, nobody can say which."""
        before = fitting(call, self._catalog)
        after = [printed(each) for reference in again for each in fitting(reference, self._after)]
        expected = [printed(self._moved.after(each)) for each in before]
        if expected == after:
            return None
        if len(before) == 1:
            return "changes" if after else "breaks_later"
        return "unknown" if after else "breaks_later"


def _by_place(references: Iterable[Reference]) -> dict[int, list[Reference]]:
    found: dict[int, list[Reference]] = {}
    for each in references:
        found.setdefault(each.start, []).append(each)
    return found


def _follow(found: Dependents, target: Target, graph: Graph) -> None:
    """What needs the target directly, by number."""
    for identity in (target.identity, *graph.columns(target.identity)):
        for dependent, link in graph.dependents(identity):
            if graph.owner(dependent) != target.identity:
                found.add(dependent, "follows", (), link.evidence)
                for index, behind in graph.dependents(dependent):
                    if index.startswith("index:") and "i" in behind.needs:
                        found.add(index, "follows", (dependent,), behind.evidence)
