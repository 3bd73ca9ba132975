"""Run everything that has to hold: style, types, layers, tests.

python -m tests             all of it
python -m tests exhaustive  the long tests too
python -m tests -k goose    these arguments go to pytest, and only it runs
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def run(*arguments: str) -> bool:
    print("+ python", " ".join(arguments), flush=True)
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    if arguments and arguments != ["exhaustive"]:
        return 0 if run("-m", "pytest", *arguments) else 1
    selected = [] if arguments else ["-m", "not exhaustive"]
    steps = [
        run("-m", "ruff", "check", "."),
        run("-m", "ruff", "format", "--check", "."),
        run("-m", "mypy"),
        run("-c", LAYERS),
        # Last, so that its closing line is the last one.
        run("-m", "pytest", "-q", "-n", "auto", *selected),
    ]
    return 0 if all(steps) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
