"""What starting a scratch server costs, beside what it would cost without a template.

    python bench/embedded.py [RUNS]

Both start the same PostgreSQL with the same settings and end with the answer to a first query: one by `initdb
--no-sync` and a start, the other as dflint does, everything included: clearing up, finding PostgreSQL, the copy. In
turns, in memory and on disk. The budget is for memory; on disk it is reported.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg
from psycopg.conninfo import make_conninfo

from dflint.postgres.identity import identities
from dflint.postgres.programs import Programs, environment
from dflint.postgres.providers import PROVIDERS, Usable, find
from dflint.postgres.scratch import SETTINGS, Scratch

BUDGET = 0.25


def first_query(parameters: dict[str, str]) -> None:
    with psycopg.connect(make_conninfo(**parameters)) as connection:
        connection.execute("SELECT count(*) FROM pg_class")


def as_dflint(in_memory: bool) -> float:
    begin = time.perf_counter()
    with Scratch(in_memory=in_memory) as scratch:
        first_query(scratch.parameters("postgres"))
        return time.perf_counter() - begin


def anew(found: Usable, root: str) -> float:
    folder = Path(tempfile.mkdtemp(prefix="b", dir=root))
    own = Programs(identities()[0], Path(found.installation.bindir))
    try:
        options = [option for name, value in SETTINGS.items() for option in ("-c", f"{name}={value}")]
        begin = time.perf_counter()
        initdb = own.command(
            "initdb", "-D", f"{folder}/d", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        subprocess.run(initdb, check=True, capture_output=True, env=environment())
        command = own.command("postgres", "-D", f"{folder}/d", "-k", str(folder), "-h", "", *options)
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, env=environment()) as process,
        ):
            while True:
                try:
                    first_query({"host": str(folder), "user": "postgres", "dbname": "postgres"})
                    break
                except psycopg.OperationalError:
                    time.sleep(0.003)
            took = time.perf_counter() - begin
            process.terminate()
        return took
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = find(None, PROVIDERS)
    as_dflint(True)  # makes the template
    print(f"{found.full_version}, {found.installation.origin}, {runs} runs each, in turns")
    status = 0
    for where, root in (("memory", "/dev/shm"), ("disk", "/tmp")):
        pairs = [(as_dflint(where == "memory"), anew(found, root)) for _ in range(runs)]
        ours, theirs = (median(times) for times in zip(*pairs))
        ratio = median(one / other for one, other in pairs)
        verdict = "" if where == "disk" else f" (budget {BUDGET}: {'kept' if ratio <= BUDGET else 'MISSED'})"
        print(
            f"{where:<7} dflint {ours * 1000:5.0f} ms, initdb and start {theirs * 1000:5.0f} ms, ratio {ratio:.2f}"
            + verdict
        )
        if where == "memory" and ratio > BUDGET:
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
