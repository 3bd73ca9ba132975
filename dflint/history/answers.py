"""Answers of SQL: true, false, NULL, and unknown where a catalog cannot tell."""

from __future__ import annotations

import re
from typing import Final

from dflint.history.system_rows import POSITIVE, Value
from dflint.model.catalog import UNKNOWN, Unknown
from dflint.model.names import Name

#: True, False, NULL or unknown.
Truth = bool | Unknown | None


def truth(value: Value) -> Truth:
    """A value as an answer."""
    return value if isinstance(value, bool | Unknown) or value is None else UNKNOWN


def negated(answer: Truth) -> Truth:
    """NOT."""
    return not answer if isinstance(answer, bool) else answer


def all_or_any(every: bool, truths: list[Truth]) -> Truth:
    """AND (``every``) or OR."""
    if (not every) in truths:
        return not every
    if UNKNOWN in truths:
        return UNKNOWN
    return None if None in truths else every


def equal(left: Value, right: Value) -> Truth:
    """The operator ``=``."""
    if left is None or right is None:
        return UNKNOWN if UNKNOWN in (left, right) else None
    if UNKNOWN in (left, right):
        return UNKNOWN
    if POSITIVE in (left, right):
        return False if "0" in (left, right) else UNKNOWN
    if isinstance(left, bool) != isinstance(right, bool):
        return UNKNOWN
    if isinstance(left, Name) != isinstance(right, Name):
        return False if "0" in (left, right) else UNKNOWN
    return left == right


def compared(left: Value, right: Value, name: str) -> Truth:
    """Any other comparison."""
    if left == POSITIVE and ((name, right) in ((">", "0"), (">=", "1"), (">=", "0"))):
        return True
    return UNKNOWN


_WILD: Final = {"%": ".*", "_": "."}


def like(left: Value, right: Value, name: str) -> Truth:
    """LIKE and NOT LIKE, by the names of their operators."""
    if not isinstance(left, str) or not isinstance(right, str) or name not in ("~~", "!~~"):
        return UNKNOWN
    pattern = "".join(_WILD.get(piece) or re.escape(piece[-1]) for piece in re.findall(r"\\.|.", right, re.DOTALL))
    found = re.fullmatch(pattern, left, re.DOTALL) is not None
    return found if name == "~~" else not found
