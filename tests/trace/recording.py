"""Running ``dflint trace`` as users do, and reading what it wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dflint.model.trace import Trace, TracedTransaction
from dflint.trace.trace_file import load
from tests.cli.running import Ran, spawn


def trace(cwd: Path, *arguments: str, **environment: str) -> tuple[Ran, Trace | None]:
    """Run it in a directory; what was printed, and the trace if one was written."""
    file = cwd / ".dflint" / "trace.json"
    file.unlink(missing_ok=True)
    ran = spawn("trace", *arguments, stdin=b"", cwd=cwd, **{"NO_COLOR": "1", **environment})
    return ran, load(file.read_bytes(), str(file)) if file.exists() else None


def groups(transactions: Iterable[TracedTransaction], *, verbose: bool = False) -> list[Any]:
    """Kind, outcome and statements of each transaction; only the migration's own unless ``verbose``."""
    found = []
    for transaction in transactions:
        shown = [short(each.sql) for each in transaction.statements if verbose or each.role == "migration"]
        if shown:
            found.append((transaction.kind, transaction.outcome, shown))
    return found


def short(sql: str) -> str:
    """The first words of a statement, without quotes."""
    return " ".join(sql.replace('"', "").split()[:3]).rstrip(";")


def leftovers() -> set[str]:
    """The scratch folders that there are now, of whomever."""
    found = set()
    for root in ("/dev/shm", "/tmp", "/var/tmp", os.environ.get("TMPDIR", "/tmp")):
        found |= {str(path) for path in Path(root).glob("dflint-*")}
    return found
