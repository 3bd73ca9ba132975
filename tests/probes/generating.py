"""Probes at random, and what is wrong with the predictions for them."""

from __future__ import annotations

import re
from random import Random

from dflint.facts.probes import Probe
from tests.probes.comparing import Outcome
from tests.probes.schemas import schema
from tests.probes.statements import statement

_SCAN_MISSING = re.compile(r"scans: .* predicted, not seen")


def generated(rng: Random, major: int) -> Probe:
    """A statement over a schema, both at random."""
    made = schema(rng, major)
    zone = rng.choice(["UTC", "UTC", "Europe/Paris"])
    return Probe(id="generated", setup=made.setup, sql=statement(rng, made), settings={"timezone": zone})


def is_carried_out(outcome: Outcome) -> bool:
    """Whether the server did what the statement says."""
    return outcome.seen.error is None


def wrong(outcome: Outcome) -> list[str]:
    """What is wrong with the prediction."""
    problems = [problem for problem in outcome.problems if not problem.startswith("error:")]
    if outcome.empty:
        # The check of a foreign key of an empty table does not get as far as the table it refers to.
        problems = [problem for problem in problems if not _SCAN_MISSING.fullmatch(problem)]
    return problems


def facts_of(outcome: Outcome) -> list[str]:
    """The facts that the prediction rests on."""
    return [] if outcome.predicted is None else [use.fact for use in outcome.predicted.rests_on]


def told(outcome: Outcome) -> str:
    """All there is to know for running it again."""
    problems = "\n".join(wrong(outcome))
    return (
        f"on {outcome.major}, {outcome.probe.settings}, resting on {facts_of(outcome)}:\n{outcome.probe.setup}\n"
        f"-- the statement\n{outcome.probe.sql}\n-- wrong\n{problems}"
    )
