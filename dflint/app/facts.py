"""The use cases of ``dflint facts``: what the facts say, and what a server says to a probe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from dflint.app.fact_documentation import documentation
from dflint.app.fact_recording import Recorded, printed, record
from dflint.facts import yaml_loader
from dflint.facts.fact_reader import FactReader
from dflint.facts.kinds import Kinds
from dflint.facts.probe_reader import read_probes
from dflint.facts.probes import Probe
from dflint.facts.records import Fact
from dflint.facts.vocabulary import vocabulary
from dflint.model.errors import InputError, RuleError, RuleErrors
from dflint.postgres.server import start_server
from dflint.rulebook.files import PROBES, built_in_rules, rule_files
from dflint.trace.observe_meanwhile import COMMITS_WAIT
from dflint.trace.observe_probe import ProbeServer


def facts_directory() -> str:
    """Where the facts that come with dflint are."""
    return os.path.join(built_in_rules(), "facts")


@cache
def fact_records() -> tuple[Fact, ...]:
    """All facts that come with dflint, in the order of their files.

    Raises:
        RuleErrors: everything that is wrong with them.
    """
    problems: list[RuleError] = []
    reader = FactReader(Kinds(), vocabulary(), problems)
    facts: list[Fact] = []
    for file in rule_files([facts_directory()]):
        with open(file, encoding="utf-8") as stream:
            facts += reader.read(yaml_loader.load(stream.read(), file))
    if problems:
        raise RuleErrors(problems)
    return tuple(facts)


def built_in_probes() -> list[Probe]:
    """All probes that come with dflint.

    Raises:
        RuleErrors: everything that is wrong with them.
    """
    directory = os.path.join(facts_directory(), PROBES)
    return read_probes(rule_files([directory]) if os.path.isdir(directory) else [])


async def record_facts(probes: Sequence[Probe], dsns: Sequence[str]) -> str:
    """Run probes on servers and write what they show as a fact file, for review.

    Args:
        probes: what to run; each on the majors it covers.
        dsns: connection strings of servers to use; none: a server is started, of the newest major found.

    Raises:
        InputError: a probe's setup fails, or no server is of a major that it covers.
        NoServer: there is no usable PostgreSQL.
    """
    recorded: dict[str, Recorded] = {}
    for dsn in dsns or (None,):
        settings = COMMITS_WAIT if dsn is None else None
        async with start_server(dsn=dsn, settings=settings) as started, ProbeServer.connected(started.dsn()) as server:
            for probe in probes:
                if probe.covers(server.major):
                    recorded[probe.id] = await _recorded(server, probe, recorded.get(probe.id))
    missing = [probe for probe in probes if probe.id not in recorded]
    if missing:
        raise InputError(
            f"no server of a major that {missing[0].id} covers", remedy=f"since {missing[0].since}: give one with --db"
        )
    return printed(recorded[probe.id] for probe in probes)


async def _recorded(server: ProbeServer, probe: Probe, before: Recorded | None) -> Recorded:
    operations, effect, _ = await record(server, probe)
    return Recorded(probe, operations, {**(before.effects if before is not None else {}), server.major: effect})


def facts_page() -> str:
    """The documentation of the facts, as Markdown."""
    return documentation(fact_records(), built_in_probes())
