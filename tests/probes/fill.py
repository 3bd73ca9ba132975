"""Write the `proves` lists of probe files: the facts on which the predictions rest.

python -m tests.probes.fill rules/facts/probes/*.yaml

Only of probes whose predictions hold on every major there is a server of; the others are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dflint.facts.probe_reader import read_probes
from dflint.facts.probes import Probe
from dflint.model.errors import InputError
from dflint.trace.observe_probe import ProbeServer
from tests.probes.comparing import outcome_of
from tests.probes.run import servers


async def collect(probes: Sequence[Probe], dsns: Sequence[str]) -> dict[str, list[str]]:
    """The facts used on any major, by probe; without those that go wrong."""
    used: dict[str, set[str]] = {probe.id: set() for probe in probes}
    wrong: set[str] = set()
    for dsn in dsns:
        async with ProbeServer.connected(dsn) as server:
            for probe in probes:
                if not probe.covers(server.major):
                    continue
                try:
                    outcome = await outcome_of(server, probe)
                except InputError as error:
                    print(f"{probe.id} on {server.major}: {error}")
                    wrong.add(probe.id)
                    continue
                others = [problem for problem in outcome.problems if not problem.startswith("proves:")]
                if others or outcome.predicted is None:
                    print(f"{probe.id} on {server.major}: {'; '.join(others)}")
                    wrong.add(probe.id)
                else:
                    used[probe.id].update(use.fact for use in outcome.predicted.rests_on)
    return {name: sorted(facts) for name, facts in used.items() if name not in wrong}


def write(file: Path, probes: Sequence[Probe], proves: dict[str, list[str]]) -> None:
    """Set `proves:` below the first line of each probe, from the last probe to the first."""
    lines = file.read_text().splitlines(keepends=True)
    starts = [int(probe.place.rpartition(":")[2]) - 1 for probe in probes]
    for probe, start, end in reversed(list(zip(probes, starts, [*starts[1:], len(lines)], strict=True))):
        if probe.id not in proves:
            continue
        new = f"    proves: [{', '.join(proves[probe.id])}]\n"
        block = [line for line in lines[start:end] if not line.startswith("    proves:")]
        lines[start:end] = [block[0], new, *block[1:]]
    file.write_text("".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--servers", default=os.environ.get("DFLINT_TEST_SERVERS", ""))
    given = parser.parse_args()
    left = 0
    with servers(given.servers, "all") as dsns:
        for file in given.files:
            probes = read_probes([file])
            proves = asyncio.run(collect(probes, dsns))
            write(file, probes, proves)
            left += len(probes) - len(proves)
    print(f"{left} probes go wrong", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
