"""Running dflint the way a shell does, in this process or in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from dflint.cli.main import main

ROOT = Path(__file__).parents[2]


class Ran(NamedTuple):
    status: int
    stdout: str
    stderr: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """In this process: quick."""
    capsys.readouterr()
    status = main(arguments)
    captured = capsys.readouterr()
    return Ran(status, captured.out, captured.err)


def spawn(*arguments: str, stdin: bytes = b"", cwd: Path | None = None, **environment: str) -> Ran:
    """In a process of its own: true exit statuses and streams."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "dflint", *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
