"""Compare predictions with what servers do, for statements at random; print each kind of difference once.

python -m tests.probes.fuzz --count 200 --seed 1 --major 13,18
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
from dflint.model.errors import InputError
from tests.probes.bench import Bench
from tests.probes.comparing import Outcome
from tests.probes.generating import facts_of, generated, is_carried_out, told, wrong
from tests.probes.run import servers


def kind(problems: list[str]) -> str:
    """Problems without the names of relations."""
    names = re.compile(r"\b[a-z_]+:(public|s|pg_temp)\.\S+")
    return "; ".join(sorted({names.sub("R", each)[:160] for each in problems}))


def fuzz(make: Callable[[Random], Outcome], count: int, seed: int) -> None:
    found: Counter[str] = Counter()
    facts: Counter[str] = Counter()
    carried_out = 0
    for number in range(count):
        try:
            outcome = make(Random(f"{seed}-{number}"))
        except InputError as error:
            print(f"--- {seed}-{number}: {error}", flush=True)
            continue
        carried_out += is_carried_out(outcome)
        facts.update(facts_of(outcome))
        if problems := wrong(outcome):
            found[kind(problems)] += 1
            if found[kind(problems)] == 1:
                print(f"--- {seed}-{number} {told(outcome)}", flush=True)
    print(f"=== {count} statements, {carried_out} carried out, {sum(found.values())} wrong, {len(facts)} facts used")
    for what, times in found.most_common():
        print(f"{times:5} {what}")


def fuzz_server(dsn: str, count: int, seed: int, *, surroundings: bool) -> None:
    with psycopg.connect(dsn) as session:
        major = session.info.server_version // 10_000
    probes = [probe for probe in built_in_probes() if probe.covers(major)]
    with closing(Bench()) as bench:
        if surroundings:
            fuzz(lambda rng: bench.outcome_surrounded(dsn, rng.choice(probes), rng), count, seed)
        else:
            fuzz(lambda rng: bench.outcome(dsn, generated(rng, major)), count, seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--major", default="")
    parser.add_argument("--surroundings", action="store_true")
    parser.add_argument("--servers", default=os.environ.get("DFLINT_TEST_SERVERS", ""))
    given = parser.parse_args()
    with servers(given.servers, given.major) as dsns:
        for dsn in dsns:
            fuzz_server(dsn, given.count, given.seed, surroundings=given.surroundings)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
