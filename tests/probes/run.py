"""Run probes by hand and print what the server does, and how the prediction differs.

python -m tests.probes.run rules/facts/probes/columns.yaml                 on the newest server there is
python -m tests.probes.run rules/facts/probes/*.yaml --major 13,16 --id set-not-null
python -m tests.probes.run - <<< "..."                                      a probe file from standard input
python -m tests.probes.run FILE.yaml --major all --differences              only what is wrong

Servers are started, those that the tests use, unless --servers or DFLINT_TEST_SERVERS names a directory with one
directory of sockets per major.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from dflint.app.effects import known_facts
from dflint.facts.probe_reader import read_probes
from dflint.facts.probes import Probe
from dflint.model.errors import DflintError, InputError
from dflint.trace.observe_probe import ProbeServer
from tests.fetch_servers import MAJORS
from tests.probes.comparing import Outcome, outcome_of
from tests.servers import TestServer, installation, running


def printed(outcome: Outcome) -> str:
    return yaml.safe_dump(outcome.shown(), sort_keys=False, width=110)


async def run(probes: Sequence[Probe], dsn: str, *, only_differences: bool, predicting: bool) -> int:
    """How many went wrong."""
    wrong = 0
    async with ProbeServer.connected(dsn) as server:
        for probe in probes:
            if not probe.covers(server.major):
                continue
            try:
                outcome = await outcome_of(server, probe, predicting=predicting)
            except InputError as error:
                wrong += 1
                print(f"--- {probe.id} on {server.major}: {error}\n", flush=True)
                continue
            wrong += not outcome.good
            if not (only_differences and outcome.good):
                print(f"--- {probe.id} on {server.major} ({probe.place})\n{printed(outcome)}", flush=True)
        told = sum(probe.covers(server.major) for probe in probes)
        print(f"# {server.major}: {told} probes, {wrong} wrong", file=sys.stderr, flush=True)
    return wrong


@contextmanager
def servers(root: str, wanted: str) -> Iterator[list[str]]:
    """Connection strings of the wanted majors' servers, in ``root`` or started for the purpose.

    Args:
        root: a directory with a directory of sockets per major; "": start those that the tests use.
        wanted: majors with commas between, ``all``, or "" for the newest.
    """
    if root:
        there = sorted(int(each.name) for each in Path(root).iterdir() if each.name.isdecimal())
        yield [f"host={root}/{major} user=postgres dbname=postgres" for major in _chosen(there, wanted)]
        return
    there = [major for major in MAJORS if installation(major) is not None]
    with contextmanager(running)() as started:
        yield [TestServer(started.start(major)).dsn() for major in _chosen(there, wanted)]


def _chosen(there: Sequence[int], wanted: str) -> Sequence[int]:
    if wanted == "all":
        return there
    return [int(major) for major in wanted.split(",")] if wanted else there[-1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--major", default="", help="such as 16, 13,18 or all; default: the newest")
    parser.add_argument("--id", action="append", help="only this probe; may be repeated; * at the end for a prefix")
    parser.add_argument("--servers", default=os.environ.get("DFLINT_TEST_SERVERS", ""))
    parser.add_argument("--observe", action="store_true", help="do not predict")
    parser.add_argument("--differences", action="store_true", help="print only probes that go wrong")
    given = parser.parse_args()
    files = [from_stdin() if file == "-" else file for file in given.files]
    try:
        probes = read_probes(files)
    except DflintError as error:
        print(error, file=sys.stderr)
        return 2
    predicting = not given.observe
    try:
        known_facts()
    except DflintError as error:
        print(f"no predictions, the facts cannot be read:\n{error}", file=sys.stderr)
        predicting = False
    if given.id:
        exact = {wanted for wanted in given.id if not wanted.endswith("*")}
        prefixes = tuple(wanted[:-1] for wanted in given.id if wanted.endswith("*"))
        probes = [probe for probe in probes if probe.id in exact or (prefixes and probe.id.startswith(prefixes))]
    with servers(given.servers, given.major) as dsns:
        wrong = [
            asyncio.run(run(probes, dsn, only_differences=given.differences, predicting=predicting)) for dsn in dsns
        ]
    return 1 if sum(wrong) else 0


def from_stdin() -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        file.write(sys.stdin.read())
    return file.name


if __name__ == "__main__":
    raise SystemExit(main())
