"""Telling what an execution does while it does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Progress(Protocol):
    """Is told what happens, as it happens: the terminal's lines, the file beside the ledger."""

    def event(self, kind: str, **detail: Any) -> None:
        """Something happened.

        Args:
            kind: as in the ledger, ``step``, ``attempt``, ``done``, …, and ``note`` for what only people read.
            detail: values that JSON can hold; ``run`` and ``step`` where it is about one.
        """


class Silent:
    """Nobody listens."""

    def event(self, kind: str, **detail: Any) -> None:
        """Nothing."""


class Several:
    """All of several listeners are told."""

    def __init__(self, listeners: Sequence[Progress]) -> None:
        self._listeners = tuple(listeners)

    def event(self, kind: str, **detail: Any) -> None:
        """Tell each, in order."""
        for listener in self._listeners:
            listener.event(kind, **detail)
