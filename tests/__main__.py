"""Run everything that has to hold: style, types, layers, tests.

python -m tests             all of it, on PostgreSQL 18 and the other majors that were fetched before
python -m tests exhaustive  the long tests too; fetches PostgreSQL 13 to 18 first
python -m tests -k goose    these arguments go to pytest, and only it runs
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests import fetch_servers, servers
from tests.fetch_servers import MAJORS

ROOT = Path(__file__).parent.parent
LAYERS = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def run(*arguments: str) -> bool:
    print("+ python", " ".join(arguments), flush=True)
    begin = time.monotonic()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False)
    print(f"  {'passed' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - begin:.0f} s", flush=True)
    return done.returncode == 0


def report_servers() -> bool:
    """Say which majors the tests run on; whether they are all there."""
    found = {major: servers.installation(major) for major in MAJORS}
    for major, installation in found.items():
        where = (
            f"{installation.origin}, {installation.bindir}" if installation else "not here, its tests are deselected"
        )
        print(f"PostgreSQL {major}: {where}", flush=True)
    return all(found.values())


def main(arguments: list[str]) -> int:
    if arguments and arguments != ["exhaustive"]:
        return 0 if run("-m", "pytest", *arguments) else 1
    exhaustive = bool(arguments)
    if exhaustive:
        os.environ.pop("DFLINT_TEST_MAJORS", None)
        fetch_servers.main([])
    complete = report_servers()
    steps = [
        run("-m", "ruff", "check", "."),
        run("-m", "ruff", "format", "--check", "."),
        run("-m", "mypy"),
        run("-c", LAYERS),
        # Last, so that its closing line is among the last ones.
        run("-m", "pytest", "-q", "-n", "auto", *([] if exhaustive else ["-m", "not exhaustive"])),
    ]
    if exhaustive and not complete:
        print("FAILED: not all majors could be had", flush=True)
        return 1
    return 0 if all(steps) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
