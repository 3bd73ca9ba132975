"""Values that take long to make and are seldom asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Deferred(Generic[T_co]):
    """A value that is made when it is first asked for. It compares and hashes as that value."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], T_co]) -> None:
        """Keep what makes the value.

        Args:
            make: a pure function that raises nothing; it can be pickled.
        """
        self._make: Callable[[], T_co] | None = make
        self._made: Any = None

    @property
    def value(self) -> T_co:
        """The value."""
        if self._make is not None:
            self._made = self._make()
            self._make = None
        made: T_co = self._made
        return made

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Deferred) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Deferred({self.value!r})"
