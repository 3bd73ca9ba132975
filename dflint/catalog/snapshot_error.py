"""What is wrong with a snapshot file."""

from __future__ import annotations

from dflint.model.errors import DflintError

#: The remedy for most of it.
AGAIN = "take it again with dflint snapshot take"


class SnapshotError(DflintError):
    """A snapshot file cannot be used: no snapshot, of another version, or changed since it was written."""


class StatisticsError(SnapshotError):
    """The statistics file of a snapshot cannot be used."""
