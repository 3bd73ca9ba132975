"""From facts to effects: what one operation does under one catalog and session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from dflint.facts.condition import Condition
from dflint.facts.placeholders import Placeholders
from dflint.facts.records import HEAPS, INDEXES, Extent, Fact
from dflint.facts.roles import relations_of
from dflint.facts.when import Holds, When, compile_when
from dflint.model.context import Context
from dflint.model.effect import Confidence, Effect, RoleLock
from dflint.model.locks import stronger
from dflint.model.names import Name
from dflint.model.operations.base import Operation

if TYPE_CHECKING:
    from dflint.facts.routine_bodies import Bodies
    from dflint.model.catalog import Routine

_WEAKEST: tuple[Confidence, ...] = ("high", "medium", "low")


class _Compiled:
    """One fact, ready to be asked."""

    __slots__ = ("effect", "fact", "holds", "when")

    def __init__(self, fact: Fact, vocabulary: Mapping[str, Condition]) -> None:
        self.fact = fact
        self.when: When | None = None if fact.when is None else compile_when(fact.when, vocabulary, fact.code)
        self.holds: Holds = _always if self.when is None else self.when.holds
        effect = fact.effect
        self.effect = Effect(
            facts=(fact.id,),
            confidence=fact.confidence,
            locks=tuple(RoleLock(role, mode) for role, mode in effect.locks.items()),
            rewrite=_happens(effect.rewrite),
            scan=_happens(effect.scan),
            index_rebuild=_happens(effect.index_rebuild),
            rewritten=_roles(effect.rewrite, HEAPS) + effect.emptied,
            scanned=_roles(effect.scan, HEAPS),
            rebuilt=_roles(effect.index_rebuild, INDEXES) + tuple(f"{role}.indexes" for role in effect.emptied),
            transaction=effect.transaction,
            refused=effect.refused,
            waits_for=effect.waits_for,
            leftover_on_timeout=effect.leftover_on_timeout,
            invalidates_prepared=effect.invalidates_prepared,
            note=fact.note,
        )


def _always(_context: Context) -> bool:
    return True


def _happens(extent: Extent) -> bool | None:
    return True if isinstance(extent, tuple) else extent


def _roles(extent: Extent, natural: tuple[str, ...]) -> tuple[str, ...]:
    return extent if isinstance(extent, tuple) else natural if extent else ()


class Facts:
    """All fact records, as the source of a context's effects. Tables are made per kind on first use."""

    def __init__(self, facts: Iterable[Fact], vocabulary: Mapping[str, Condition]) -> None:
        self._vocabulary = vocabulary
        self._by_kind: dict[str, list[Fact]] = {}
        for fact in facts:
            for kind in fact.operations:
                self._by_kind.setdefault(kind, []).append(fact)
        self._tables: dict[tuple[str, int], Callable[[Context], Effect]] = {}
        self._bodies: Bodies | None = None
        self._refusals: dict[tuple[str, int], dict[str, list[_Compiled]]] = {}

    def effect(self, operation: Operation, context: Context) -> Effect:
        """The operation's effect: three-valued, the worst case where something is unknown."""
        key = (operation.kind, context.version)
        decide = self._tables.get(key)
        if decide is None:
            decide = self._tables[key] = self._table(*key)
        return decide(context)

    def locks(self, context: Context) -> Sequence[tuple[Name, str]]:
        """The locks the context's operation takes: qualified relation and mode, strongest per relation."""
        locks = context.effect.locks
        if not locks:
            return ()
        held: dict[Name, str] = {}
        for lock in locks:
            for name in relations_of(lock.role, context):
                before = held.get(name)
                held[name] = lock.mode if before is None else stronger(before, lock.mode)
        return tuple(held.items())

    def named_in_body(self, routine: Routine) -> Sequence[Name]:
        """The relations that the routine's body names, as written there and as far as it can be read."""
        if self._bodies is None:
            from dflint.facts.routine_bodies import Bodies

            self._bodies = Bodies()
        return self._bodies.named(routine)

    def refusal(self, context: Context, phase: str) -> Effect | None:
        """The first fact by which the server certainly refuses the operation in that phase, whatever it would do."""
        key = (context.operation.kind, context.version)
        refusals = self._refusals.get(key)
        if refusals is None:
            kind, version = key
            refusals = self._refusals[key] = {}
            for fact in self._by_kind.get(kind, ()):
                if fact.refuses and fact.covers(version):
                    refusals.setdefault(fact.phase, []).append(_Compiled(fact, self._vocabulary))
        found = refusals.get(phase, ())
        return next((each.effect for each in found if each.holds(context)), None)

    def _table(self, kind: str, version: int) -> Callable[[Context], Effect]:
        own = (fact for fact in self._by_kind.get(kind, ()) if not fact.refuses and fact.covers(version))
        facts = [_Compiled(fact, self._vocabulary) for fact in own]
        alternatives = tuple(fact for fact in facts if not fact.fact.adds)
        additions = tuple(fact for fact in facts if fact.fact.adds)
        nothing_known = Effect(
            confidence="low", rewrite=None, scan=None, index_rebuild=None, unknown=(f"what {kind} does",)
        )
        if not alternatives:
            return lambda _context: nothing_known
        if len(alternatives) == 1 and alternatives[0].when is None and not additions:
            only = alternatives[0].effect
            return lambda _context: only
        return _Choice(alternatives, additions, nothing_known).effect


class _Choice:
    """The facts of one kind: alternatives, of which one is taken, and what comes on top.

    There are few ways in which they hold, whatever the operations, so each way's effect is made once.
    """

    def __init__(
        self, alternatives: tuple[_Compiled, ...], additions: tuple[_Compiled, ...], nothing_known: Effect
    ) -> None:
        self._alternatives = [(index, fact, fact.holds) for index, fact in enumerate(alternatives)]
        self._additions = [(index, fact, fact.holds) for index, fact in enumerate(additions, len(alternatives))]
        self._nothing_known = nothing_known
        self._made: dict[tuple[tuple[int, bool | None], ...], Effect] = {}

    def effect(self, context: Context) -> Effect:
        """The effect of the context's operation."""
        way: list[tuple[int, bool | None]] = []
        unknown: list[_Compiled] = []
        for index, fact, test in self._alternatives:
            holds = test(context)
            if holds is not False:
                way.append((index, holds))
                if holds:
                    break
                unknown.append(fact)
        if len(way) < 2:
            # Where all others are ruled out, it is this one.
            unknown.clear()
        for index, fact, test in self._additions:
            holds = test(context)
            if holds is not False:
                way.append((index, holds))
                if holds is None:
                    unknown.append(fact)
        key = tuple(way)
        effect = self._made.get(key)
        if effect is None:
            effect = self._made[key] = self._make(key)
        return _explained(effect, unknown, context) if unknown else effect

    def _make(self, way: Iterable[tuple[int, bool | None]]) -> Effect:
        """The first alternative that certainly holds, the worst of all that may where an earlier one is unknown, and
        the additions.
        """
        holds = dict(way)
        possible = [fact.effect for index, fact, _ in self._alternatives if index in holds]
        effect = possible[0] if len(possible) == 1 else _worst(possible) if possible else self._nothing_known
        for index, fact, _ in self._additions:
            if index in holds:
                effect = _added(effect, fact.effect, certain=holds[index] is True)
        return effect


def _worst(effects: list[Effect]) -> Effect:
    """What is the same in all of them, unknown where they differ, and each role's strongest lock."""
    first = effects[0]
    roles = dict.fromkeys(lock.role for effect in effects for lock in effect.locks)
    transactions = {effect.transaction for effect in effects}
    return Effect(
        facts=tuple(dict.fromkeys(fact for effect in effects for fact in effect.facts)),
        confidence=max((effect.confidence for effect in effects), key=_WEAKEST.index),
        locks=tuple(_worst_lock(role, effects) for role in roles),
        rewrite=_same([effect.rewrite for effect in effects]),
        scan=_same([effect.scan for effect in effects]),
        index_rebuild=_same([effect.index_rebuild for effect in effects]),
        transaction=first.transaction if len(transactions) == 1 else "unknown",
        refused=first.refused if len({effect.refused for effect in effects}) == 1 else "",
        waits_for=tuple(dict.fromkeys(whom for effect in effects for whom in effect.waits_for)),
        leftover_on_timeout=next((e.leftover_on_timeout for e in effects if e.leftover_on_timeout), ""),
        rewritten=_all(effect.rewritten for effect in effects),
        scanned=_all(effect.scanned for effect in effects),
        rebuilt=_all(effect.rebuilt for effect in effects),
        invalidates_prepared=any(effect.invalidates_prepared for effect in effects),
        note=first.note,
    )


def _all(roles: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(role for each in roles for role in each))


def _worst_lock(role: str, effects: list[Effect]) -> RoleLock:
    modes = [effect.lock(role) for effect in effects]
    strongest = ""
    for mode in modes:
        if mode is not None:
            strongest = stronger(strongest, mode) if strongest else mode
    return RoleLock(role, strongest, certain=all(mode == strongest for mode in modes))


def _same(values: list[bool | None]) -> bool | None:
    return values[0] if all(value is values[0] for value in values) else None


def _added(effect: Effect, more: Effect, *, certain: bool) -> Effect:
    locks = {lock.role: lock for lock in effect.locks}
    for lock in more.locks:
        before = locks.get(lock.role)
        if before is None or stronger(before.mode, lock.mode) != before.mode:
            locks[lock.role] = RoleLock(lock.role, lock.mode, certain)
        elif before.mode == lock.mode and certain:
            locks[lock.role] = RoleLock(lock.role, lock.mode)
    return replace(
        effect,
        facts=tuple(dict.fromkeys((*effect.facts, *more.facts))),
        confidence=max(effect.confidence, more.confidence, key=_WEAKEST.index),
        locks=tuple(locks.values()),
        rewrite=_either(effect.rewrite, more.rewrite, certain),
        scan=_either(effect.scan, more.scan, certain),
        index_rebuild=_either(effect.index_rebuild, more.index_rebuild, certain),
        transaction=_transaction(effect, more, certain),
        refused=effect.refused or (more.refused if certain else ""),
        waits_for=tuple(dict.fromkeys((*effect.waits_for, *more.waits_for))),
        leftover_on_timeout=effect.leftover_on_timeout or more.leftover_on_timeout,
        rewritten=_all((effect.rewritten, more.rewritten)),
        scanned=_all((effect.scanned, more.scanned)),
        rebuilt=_all((effect.rebuilt, more.rebuilt)),
        invalidates_prepared=effect.invalidates_prepared or more.invalidates_prepared,
        note=more.note if certain and more.refused and not effect.refused else effect.note,
    )


def _either(one: bool | None, other: bool | None, certain: bool) -> bool | None:
    """Kleene's or; ``other`` counts as unknown where it is not certain to come."""
    if other is True and not certain:
        other = None
    if one is True or other is True:
        return True
    return None if one is None or other is None else False


def _transaction(effect: Effect, more: Effect, certain: bool) -> Literal["allowed", "refused", "unknown"]:
    if effect.transaction == "refused" or more.transaction == "allowed":
        return effect.transaction
    return more.transaction if certain else "unknown"


def _explained(effect: Effect, unknown: Iterable[_Compiled], context: Context) -> Effect:
    spell = Placeholders(context)
    reasons = dict.fromkeys(effect.unknown)
    for fact in unknown:
        assert fact.when is not None
        reasons.update(dict.fromkeys(spell.format(condition.missing) for condition in fact.when.unknown(context)))
    return replace(effect, unknown=tuple(reason for reason in reasons if reason))
