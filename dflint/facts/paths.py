"""Reading fields of operations by path.

A path such as ``constraint.validated`` or ``column.constraints.kind`` leads from an operation to a value. A step from
something absent gives None, a step through a list goes to each of its members.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any


def reader(path: str) -> Callable[[Any], Any]:
    """A function from an operation to the value at ``path``."""
    steps = path.split(".")
    if len(steps) == 1:
        return attrgetter(path)

    def read(value: Any) -> Any:
        for position, step in enumerate(steps):
            if value is None:
                return None
            if type(value) is tuple or type(value) is frozenset:
                rest = reader(".".join(steps[position:]))
                return tuple(rest(member) for member in value)
            value = getattr(value, step)
        return value

    return read
