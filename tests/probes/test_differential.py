"""Statements at random: what is predicted from operation and catalog is what the oldest and the newest server do."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dflint.app.facts import built_in_probes, fact_records
from dflint.facts.probes import Probe
from tests.probes.bench import Bench
from tests.probes.generating import facts_of, generated, is_carried_out, told, wrong
from tests.servers import TestServer

pytestmark = pytest.mark.majors("ends")

PROBES = built_in_probes()

#: How many statements the ordinary run and the exhaustive one compare, on each of the two majors.
FEW, MANY = 30, 2000

#: How often each fact must have been relied on in the exhaustive run; and how often at most a probe that proves it is
#: put into other surroundings for that, in which it may rest on another fact.
TIMES, ATTEMPTS = 5, 30


def compare_generated(bench: Bench, pg: TestServer, count: int, used: Counter[str], *, same: bool) -> None:
    """Compare ``count`` generated statements; ``same``: the same ones in each run."""
    seen: Counter[bool] = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        # A smaller seed is no smaller example: nothing is shrunk.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(st.integers(0, 2**64 - 1))
    def check(seed: int) -> None:
        outcome = bench.outcome(pg.dsn(), generated(Random(seed), pg.major))
        used.update(facts_of(outcome))
        seen[is_carried_out(outcome)] += 1
        assert not wrong(outcome), told(outcome)

    check()
    assert seen[True] > seen[False], "the generator makes too much that is refused"


def compare_surrounded(bench: Bench, pg: TestServer, probe: Probe, rng: Random, used: Counter[str]) -> None:
    """Compare a probe in other surroundings."""
    outcome = bench.outcome_surrounded(pg.dsn(), probe, rng)
    used.update(facts_of(outcome))
    assert not wrong(outcome), told(outcome)


def test_predictions_hold_for_generated_statements(pg: TestServer, bench: Bench) -> None:
    compare_generated(bench, pg, FEW, Counter(), same=True)


@pytest.mark.exhaustive
def test_predictions_hold_in_other_surroundings(pg: TestServer, bench: Bench) -> None:
    rng = Random(pg.major)
    for probe in rng.sample([probe for probe in PROBES if probe.covers(pg.major)], 100):
        compare_surrounded(bench, pg, probe, rng, Counter())


@pytest.mark.exhaustive
def test_predictions_hold_for_thousands_of_statements(pg: TestServer, bench: Bench) -> None:
    used: Counter[str] = Counter()
    compare_generated(bench, pg, MANY, used, same=False)
    rng = Random(pg.major)
    for fact in fact_records():
        proving = [probe for probe in PROBES if probe.covers(pg.major) and fact.id in (probe.proves or ())]
        for _ in range(ATTEMPTS if proving else 0):
            if used[fact.id] < TIMES:
                compare_surrounded(bench, pg, rng.choice(proving), rng, used)
    rare = [fact.id for fact in fact_records() if fact.covers(pg.major) and used[fact.id] < TIMES]
    assert not rare, f"fewer than {TIMES} times: {rare}"
