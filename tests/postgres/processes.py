"""Running pieces of Python as somebody else, and looking at what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dflint.postgres.identity import Identity

ROOT = Path(__file__).parents[2]

#: A user with a name and without privileges, who may still read what root may: what `own` is under root's files.
ORDINARY = "namespace:65534"


def environment(cache: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache), **more}


def command(code: str, *, ordinary: bool = False) -> list[str]:
    """The command line for a piece of Python, as an ordinary user even if the tests run as root."""
    arguments = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    if ordinary and os.geteuid() == 0:
        return Identity(ORDINARY).command(arguments[0], *arguments[1:])
    return arguments


def run(code: str, cache: Path, *, ordinary: bool = False, **more: str) -> str:
    """Run a piece of Python to its end; what it printed."""
    done = subprocess.run(
        command(code, ordinary=ordinary), env=environment(cache, **more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def started(code: str, cache: Path, *, ordinary: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A piece of Python while it runs."""
    with subprocess.Popen(
        command(code, ordinary=ordinary), env=environment(cache), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    text = process.stdout.readline().strip()
    assert text, "the process ended"
    return text


def entries(cache: Path) -> list[Path]:
    """The registry's entries."""
    return list((cache / "dflint" / "postgres" / "servers").glob("*.json"))
