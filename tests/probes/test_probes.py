"""Every probe does on every major what is predicted, and every fact is proven by a probe."""

from __future__ import annotations

from collections import Counter

import pytest

from dflint.app.facts import built_in_probes, fact_records
from dflint.facts.probes import NEWEST, OLDEST, Probe
from dflint.facts.records import Fact
from tests.probes.bench import Bench
from tests.servers import TestServer

PROBES = built_in_probes()


@pytest.mark.majors("all")
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
def test_what_is_predicted_is_what_happens(pg: TestServer, bench: Bench, probe: Probe) -> None:
    if not probe.covers(pg.major):
        return
    outcome = bench.outcome(pg.dsn(), probe)
    assert outcome.good, "\n  ".join([f"{probe.place} on {pg.major}: {probe.sql}", *outcome.problems])


def test_every_probe_says_what_it_proves() -> None:
    known = {fact.id for fact in fact_records()}
    for probe in PROBES:
        assert probe.proves is not None, f"{probe.place}: python -m tests.probes.fill writes `proves`"
        assert set(probe.proves) <= known, f"{probe.place}: no such fact"


@pytest.mark.parametrize("fact", fact_records(), ids=lambda fact: fact.id)
def test_every_fact_is_proven_on_every_major_it_covers(fact: Fact) -> None:
    # That a probe uses the facts it names is for the test above to see.
    naming = [probe for probe in PROBES if fact.id in (probe.proves or ())]
    unproven = [
        major
        for major in range(OLDEST, NEWEST + 1)
        if fact.covers(major) and not any(probe.covers(major) for probe in naming)
    ]
    assert not unproven, f"{fact.place}: no probe on {unproven}"


def test_there_are_at_least_350_statement_forms() -> None:
    on = Counter(major for probe in PROBES for major in range(OLDEST, NEWEST + 1) if probe.covers(major))
    assert min(on[major] for major in range(OLDEST, NEWEST + 1)) >= 350, on
