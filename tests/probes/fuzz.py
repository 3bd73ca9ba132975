"""Compare predictions with what servers do, for statements at random; print each kind of difference once.

python -m tests.probes.fuzz --count 200 --seed 1 --servers DIR --major 13,18
python -m tests.probes.fuzz --surroundings ...       probes with other things around, instead of generated schemas
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from random import Random

import psycopg

from dflint.app.facts import built_in_probes
from tests.probes.bench import Bench
from tests.probes.comparing import Outcome
from tests.probes.generating import facts_of, generated, is_comparable, told, wrong
from tests.probes.run import servers


def kind(problems: list[str]) -> str:
    """Problems without the names of relations."""
    names = re.compile(r"\b[a-z_]+:(public|s|pg_temp)\.\S+")
    return "; ".join(sorted({names.sub("R", each)[:160] for each in problems}))


def fuzz(make: Callable[[Random], Outcome], count: int, seed: int) -> None:
    found: Counter[str] = Counter()
    facts: Counter[str] = Counter()
    compared = 0
    for number in range(count):
        try:
            outcome = make(Random(f"{seed}-{number}"))
        except psycopg.Error as error:
            print(f"--- {seed}-{number}: the setup fails: {error}", flush=True)
            continue
        compared += is_comparable(outcome)
        facts.update(facts_of(outcome))
        if problems := wrong(outcome):
            found[kind(problems)] += 1
            if found[kind(problems)] == 1:
                print(f"--- {seed}-{number} {told(outcome)}", flush=True)
    print(f"=== {count} statements, {compared} compared, {sum(found.values())} wrong, {len(facts)} facts used")
    for what, times in found.most_common():
        print(f"{times:5} {what}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--major", default="")
    parser.add_argument("--surroundings", action="store_true")
    parser.add_argument("--servers", default=os.environ.get("DFLINT_TEST_SERVERS", ""))
    given = parser.parse_args()
    for dsn in servers(given.servers, given.major):
        with psycopg.connect(dsn) as session:
            major = session.info.server_version // 10_000
        probes = [probe for probe in built_in_probes() if probe.covers(major)]
        with closing(Bench()) as bench:

            def make(rng: Random, dsn: str = dsn, major: int = major, bench: Bench = bench) -> Outcome:
                if given.surroundings:
                    return bench.outcome_surrounded(dsn, rng.choice(probes), rng)  # noqa: B023
                return bench.outcome(dsn, generated(rng, major))

            fuzz(make, given.count, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
