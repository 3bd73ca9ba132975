"""What there is to know before a plan is executed."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["refuse", "wait", "warn", "unknown"]


class Concern(Struct, frozen=True, kw_only=True):
    """Something to know before a plan is executed.

    Attributes:
        kind: a short name, such as ``old_snapshot``.
        severity: ``refuse``: do not begin; ``wait``: begin when it is gone; ``warn``: say it; ``unknown``: it could not
            be looked at, which is no reason to think that all is well.
        message: one sentence.
        remedy: what to do about it.
    """

    kind: str
    severity: Severity
    message: str
    remedy: str
