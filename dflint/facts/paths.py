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
    step, _, rest = path.partition(".")
    get = attrgetter(step)
    if not rest:
        return get
    further = reader(rest)

    def read(value: Any) -> Any:
        found = get(value)
        if found is None:
            return None
        if type(found) is tuple or type(found) is frozenset:
            return tuple([further(member) for member in found])
        return further(found)

    return read
