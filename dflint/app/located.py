"""Findings and where they stand."""

from __future__ import annotations

from typing import NamedTuple

from dflint.model.finding import Finding


class Located(NamedTuple):
    """A finding and the byte offsets of what it is about."""

    finding: Finding
    start: int
    end: int
