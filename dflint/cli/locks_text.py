"""Who holds the migration lock and who waits for whom, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dflint.guard.holders import describe

if TYPE_CHECKING:
    from dflint.app.locks import Branch, LockReport, Participant


def lines(report: LockReport, width: int) -> Iterator[str]:
    """The text of a report, line by line."""
    if not report.holders:
        yield "nobody holds the migration lock"
    for holder in report.holders:
        yield describe(holder)
    trees = [tree for tree in report.trees if tree.waiters or tree.participant.waits_for]
    if not trees:
        yield "nobody waits for a lock"
    for tree in trees:
        yield ""
        yield from (line[:width] for line in _tree(tree, "", ""))


def _tree(branch: Branch, first: str, rest: str) -> Iterator[str]:
    yield first + _session(branch.participant)
    if branch.participant.statement:
        bar = "│ " if branch.waiters else "  "
        yield f"{rest}{bar}{branch.participant.statement}"
    for number, waiter in enumerate(branch.waiters, start=1):
        last = number == len(branch.waiters)
        yield from _tree(waiter, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _session(one: Participant) -> str:
    if one.pid == 0:
        return "a prepared transaction (see pg_prepared_xacts)"
    parts = [f"pid {one.pid}"]
    if one.application:
        parts.append(one.application)
    if one.user:
        parts.append(f"as {one.user}")
    if one.waits_for is not None:
        waited = "" if one.waits_s is None else f" for {one.waits_s:.1f} s"
        parts.append(f"waits{waited}: {one.waits_for}")
    elif one.state:
        parts.append(one.state)
    if one.transaction_s is not None:
        parts.append(f"in a transaction for {one.transaction_s:.1f} s")
    return ", ".join(parts)
