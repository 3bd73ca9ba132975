"""The dependents that an analysis finds, one entry for each."""

from __future__ import annotations

from dflint.model.impact import STRONGEST_FIRST, Dependent, DependentEffect, Evidence


class Dependents:
    """Collects dependents. Of one that is affected in several ways the strongest effect stays."""

    def __init__(self) -> None:
        self._found: dict[str, Dependent] = {}

    def __contains__(self, identity: object) -> bool:
        return identity in self._found

    def effect(self, identity: str) -> DependentEffect | None:
        """What becomes of it; None: nothing so far."""
        found = self._found.get(identity)
        return None if found is None else found.effect

    def add(
        self, identity: str, effect: DependentEffect, via: tuple[str, ...] = (), evidence: tuple[Evidence, ...] = ()
    ) -> None:
        """Note an effect."""
        known = self._found.get(identity)
        if known is None or STRONGEST_FIRST.index(effect) < STRONGEST_FIRST.index(known.effect):
            self._found[identity] = Dependent(identity, effect, via, tuple(dict.fromkeys(evidence)))
        elif effect == known.effect and via == known.via:
            merged = tuple(dict.fromkeys((*known.evidence, *evidence)))
            self._found[identity] = Dependent(identity, effect, via, merged)

    def listed(self) -> tuple[Dependent, ...]:
        """All, sorted by identity."""
        return tuple(self._found[identity] for identity in sorted(self._found))
