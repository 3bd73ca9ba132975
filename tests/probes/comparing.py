"""What a probe did, what was predicted, and the difference."""

from __future__ import annotations

import traceback
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from psycopg import errors, sql

from dflint.app.effects import predict
from dflint.app.facts import fact_records
from dflint.catalog.reader import read_catalog
from dflint.facts.probes import NEWEST, Probe
from dflint.model.effect import StatementEffects
from dflint.model.locks import MODES, stronger
from dflint.model.names import Identity
from dflint.model.observation import Observation
from dflint.trace.observe_probe import PreparedProbe, ProbeServer

#: LOCK TABLE does not take these.
_FLEETING = ("index:", "materialized_view:")

#: How often to look for a short lock that is predicted; and for one that is not, where there are indexes.
_LOOKS, _LOOKS_AT_LEAST = 150, 3


class Outcome(Struct, frozen=True):
    """One probe on one server.

    Attributes:
        problems: everything that is not as it should be, in words.
        empty: the scanned tables that hold no rows.
    """

    probe: Probe
    major: int
    seen: Observation
    predicted: StatementEffects | None
    problems: tuple[str, ...]
    empty: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not self.problems

    def shown(self) -> dict[str, Any]:
        """For people."""
        seen: dict[str, Any] = {"sql": self.probe.sql, "locks": self.seen.locks}
        for name in ("rewrites", "scans", "index_rebuilds"):
            if value := getattr(self.seen, name):
                seen[name] = list(value)
        seen["transaction"] = self.seen.transaction
        if self.seen.error is not None:
            seen["error"] = f"{self.seen.error.sqlstate} {self.seen.error.message}"
        for name in ("waits_for", "leftover"):
            if (value := getattr(self.seen, name)) is not None:
                seen[name] = list(value) if isinstance(value, tuple) else value
        if self.predicted is not None:
            seen["facts"] = [use.fact for use in self.predicted.rests_on]
        if self.problems:
            seen["problems"] = list(self.problems)
        return seen


async def outcome_of(server: ProbeServer, probe: Probe, *, predicting: bool = True) -> Outcome:
    """Run a probe and compare.

    Args:
        server: where.
        probe: the probe.
        predicting: False only runs it.

    Raises:
        InputError: the probe's setup fails.
    """
    predicted, problems = None, list[str]()
    async with server.prepared(probe) as prepared:
        if predicting:
            try:
                predicted = await prediction(prepared, server.major)
            except Exception:  # noqa: BLE001  # a failure is an outcome like any other
                problems.append(f"the prediction fails: {traceback.format_exc(limit=-4)}")
        seen = await prepared.observe()
        empty = await _empty(prepared, seen)
    if seen.transaction == "refused" and seen.error is None:
        seen = await server.study(probe, seen)
        if predicted is not None:
            seen = await _seen_long_enough(server, probe, seen, predicted)
    wanted = probe.refusal(server.major)
    got = "" if seen.error is None else seen.error.sqlstate
    if wanted != got:
        problems.append(f"error: the probe expects {wanted or 'none'}, the server says {got or 'none'}")
    if predicted is not None:
        problems += differences(seen, predicted)
        if probe.proves is not None:
            problems += _proven(probe, predicted, server.major)
    return Outcome(probe, server.major, seen, predicted, tuple(problems), empty)


async def _empty(prepared: PreparedProbe, seen: Observation) -> tuple[str, ...]:
    found = []
    for identity in seen.scans:
        table = sql.Identifier(*Identity.parse(identity).parts)
        try:
            cursor = await prepared.observer.execute(sql.SQL("select from {} limit 1").format(table))
        except errors.ObjectNotInPrerequisiteState:
            # The statement left a materialized view unpopulated.
            found.append(identity)
            continue
        if await cursor.fetchone() is None:
            found.append(identity)
    return tuple(found)


async def _seen_long_enough(
    server: ProbeServer, probe: Probe, seen: Observation, predicted: StatementEffects
) -> Observation:
    """Run it again until each predicted lock of those that cannot be held up has been seen: they may be short."""
    if not any(identity.startswith(_FLEETING) for identity in {**predicted.locks, **seen.locks}):
        return seen
    for look in range(_LOOKS):
        missing = {
            identity
            for identity, mode in predicted.locks.items()
            if identity.startswith(_FLEETING) and seen.locks.get(identity) != mode
        }
        if (look >= _LOOKS_AT_LEAST and not missing) or not all(
            _covers(predicted.locks[each], seen.locks.get(each)) for each in missing
        ):
            break
        async with server.prepared(probe) as prepared:
            again = (await prepared.observe()).locks
        strongest = {
            identity: stronger(mode, seen.locks.get(identity, mode))
            for identity, mode in again.items()
            if identity.startswith(_FLEETING)
        }
        seen = replace(seen, locks=dict(sorted({**seen.locks, **strongest}.items())))
    return seen


async def prediction(prepared: PreparedProbe, major: int) -> StatementEffects:
    """What is predicted for a probe whose setup has been run, from the live catalog."""
    catalog = await read_catalog(prepared.observer)
    return predict(prepared.probe.script, catalog, version=major, session=prepared.probe.session)[-1]


def rows_came_first(outcome: Outcome) -> bool:
    """Whether a refusal was predicted, but the server stopped at a row that it refuses."""
    error, predicted = outcome.seen.error, outcome.predicted
    foretold = predicted is not None and predicted.refused_by_server is not None
    return foretold and error is not None and error.sqlstate[:2] in _OF_ROWS


def without_rows(probe: Probe) -> Probe:
    """The same probe over empty tables."""
    kept = [line for line in probe.setup.splitlines() if not line.lower().startswith("insert into ")]
    return replace(probe, setup="\n".join(kept))


def differences(seen: Observation, predicted: StatementEffects) -> list[str]:
    """Where the prediction is not what was seen, in words."""
    refused = predicted.refused_by_server
    got = None if seen.error is None else seen.error.sqlstate
    said = None if refused is None else refused.sqlstate
    if got is not None and (got == said or (said is None and _is_unforeseeable(got, predicted))):
        return []
    found = [f"unknown: {what}" for what in predicted.unknown]
    if got != said:
        found.append(f"refusal: predicted {said or 'none'}, seen {got or 'none'}")
    if predicted.transaction != seen.transaction and seen.error is None:
        found.append(f"transaction: predicted {predicted.transaction}, seen {seen.transaction}")
    if seen.error is not None:
        return found
    found += _different_locks(seen, predicted)
    for name in ("rewrites", "scans", "index_rebuilds"):
        found += _different_sets(name, getattr(seen, name), getattr(predicted, name))
    if seen.waits_for is not None:
        found += _different_sets("waits_for", seen.waits_for, predicted.waits_for)
        if (predicted.leftover_on_timeout or "") != (seen.leftover or ""):
            found.append(f"leftover: predicted {predicted.leftover_on_timeout}, seen {seen.leftover or None}")
    return found


#: Whether these fail with 22023 depends on the modules that the server has loaded: they bring parameters and providers.
_OF_MODULES = frozenset({"security_label", "set_table_options"})


#: Classes of errors of rows: data exceptions and violated constraints.
_OF_ROWS = frozenset({"22", "23"})
#: No replica identity, or not all of it published: of a partitioned table it is the partitions that have one, and which of
#: them a condition leaves out is a matter of hashed values.
_OF_PARTITIONS = frozenset({"55000", "42P10"})
_WRITING = frozenset({"update", "delete", "merge"})


def _is_unforeseeable(sqlstate: str, predicted: StatementEffects) -> bool:
    """Whether no catalog shows what is at fault: rows (a data exception, a violated constraint), or the server itself.

    22023 is about a parameter of the statement, not about a value in a row.
    """
    if sqlstate == "22023":
        return not _OF_MODULES.isdisjoint(predicted.operations)
    if sqlstate in _OF_PARTITIONS and not _WRITING.isdisjoint(predicted.operations):
        written = [each for each, mode in predicted.locks.items() if mode == "ROW EXCLUSIVE"]
        return sum(each.startswith("table:") for each in written) > 1
    return sqlstate[:2] in {*_OF_ROWS, "XX"}


def _different_locks(seen: Observation, predicted: StatementEffects) -> list[str]:
    found = []
    for identity in sorted(seen.locks.keys() | predicted.locks.keys()):
        mode, said = seen.locks.get(identity), predicted.locks.get(identity)
        if mode == said:
            continue
        found.append(f"lock on {identity}: predicted {said or 'none'}, seen {mode or 'none'}")
    return found


def _covers(said: str | None, seen: str | None) -> bool:
    """Whether a mode seen in passing can be what was predicted."""
    if said is None or seen is None:
        return seen is None
    return MODES.index(said) >= MODES.index(seen)


def _different_sets(name: str, seen: tuple[str, ...], predicted: tuple[str, ...]) -> list[str]:
    found = [f"{name}: {each} predicted, not seen" for each in sorted(set(predicted) - set(seen))]
    return found + [f"{name}: {each} seen, not predicted" for each in sorted(set(seen) - set(predicted))]


def _proven(probe: Probe, predicted: StatementEffects, major: int) -> list[str]:
    """Whether the prediction rests on the facts that the probe is said to prove: exactly so on the newest major, on
    older ones, where other facts may come first, on one of them at least.
    """
    used = {use.fact for use in predicted.rests_on} - _OF_MINORS
    covering = {fact.id for fact in fact_records() if fact.covers(major)}
    named = (set(probe.proves or ()) & covering) - _OF_MINORS
    if major < NEWEST:
        return [] if not named or named & used else [f"proves: the prediction rests on {sorted(used)}"]
    found = [f"proves: {fact} is named, the prediction does not rest on it" for fact in sorted(named - used)]
    return found + [f"proves: {fact} is not named, the prediction rests on it" for fact in sorted(used - named)]


#: Facts that hold from some minor release on, which a major's server here may have or not.
_OF_MINORS = frozenset({"new-dependencies-locked"})
