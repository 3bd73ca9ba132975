"""Pseudo operations: the places where judgments about a whole file or run are made."""

from __future__ import annotations

from dflint.model.operations.base import Operation


class EndOfFile(Operation, frozen=True, kw_only=True):
    """After the last statement of a file's section; an open transaction is still open."""


class EndOfRun(Operation, frozen=True, kw_only=True):
    """After the last file of a history."""
