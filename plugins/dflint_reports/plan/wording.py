"""Words about steps, their locks and their times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.model.locks import blocks_reads, blocks_writes
from dflint.model.names import Identity
from dflint.model.plan import Estimate, LockClass, Step, StepKind

STOPS: Final[dict[LockClass, str]] = {
    "reads": "reads and writes wait",
    "writes": "writes wait",
    "schema_changes": "other schema changes and VACUUM wait",
    "none": "nobody waits",
    "unknown": "whom it stops is not known",
}
KINDS: Final[dict[StepKind, str]] = {
    "tx": "one transaction",
    "nontx": "outside a transaction",
    "backfill": "in batches, each its own transaction",
    "check": "a check",
    "manual": "by hand",
}
_INITIALS: Final = {
    "ACCESS SHARE": "AS",
    "ROW SHARE": "RS",
    "ROW EXCLUSIVE": "RE",
    "SHARE UPDATE EXCLUSIVE": "SUE",
    "SHARE": "S",
    "SHARE ROW EXCLUSIVE": "SRE",
    "EXCLUSIVE": "E",
    "ACCESS EXCLUSIVE": "AE",
}
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
#: Up to that many, bytes are written in the smaller unit.
_NEXT_UNIT: Final = 10_000


def whom(mode: str) -> LockClass:
    """Whom a lock on a relation stops."""
    if blocks_reads(mode):
        return "reads"
    if blocks_writes(mode):
        return "writes"
    return "schema_changes" if mode == "SHARE UPDATE EXCLUSIVE" else "none"


def initials(mode: str) -> str:
    """A mode in as few letters as tell it apart."""
    return _INITIALS.get(mode, mode[:3])


def relation(identity: str) -> str:
    """A relation as people call it: without its kind, and without the schema ``public``."""
    parts = Identity.parse(identity).parts
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] == "public" else parts)


def kind(identity: str) -> str:
    """What a relation is."""
    return identity.partition(":")[0].replace("_", " ")


def seconds(value: float) -> str:
    """A span of time."""
    if value < 1:
        return f"{max(1, round(value * 1000))} ms"
    if value < _MINUTE_S:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # two figures say enough
    if value < _HOUR_S:
        return f"{value / _MINUTE_S:.0f} min"
    return f"{value / _HOUR_S:.1f} h"


def span(estimate: Estimate | None) -> str:
    """A range of times."""
    if estimate is None:
        return "not known"
    low, high = seconds(estimate.low_s), seconds(estimate.high_s)
    return f"up to {high}" if low == high or estimate.low_s <= 0 else f"{low} to {high}"


def size(count: int) -> str:
    """Bytes."""
    value, units = float(count), iter(("bytes", "kB", "MB", "GB"))
    for unit in units:
        if value < _NEXT_UNIT:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.0f} TB"


def written(estimate: Estimate) -> Iterator[str]:
    """What goes to the log, and what is needed on disk, where it is anything."""
    for each, what in ((estimate.wal_bytes, "to the log"), (estimate.disk_bytes, "to disk at its peak")):
        if each is not None and each[1]:
            yield f"{size(each[0])} to {size(each[1])} {what}"


def short_span(step: Step) -> str:
    """The same where there is little room."""
    if step.kind == "manual":
        return "by hand"
    return "?" if step.estimate is None else f"≤ {seconds(step.estimate.high_s)}"
