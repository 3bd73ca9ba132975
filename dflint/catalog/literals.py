"""One spelling for constants of types whose output differs from their input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_BOOLEANS: Final = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), "true"),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), "false"),
}
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)")
_CLOCK: Final = re.compile(r"([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")
#: Unit -> which of months, days and seconds, and how many.
_UNITS: Final = {
    **dict.fromkeys(("year", "y", "yr"), (0, 12)),
    **dict.fromkeys(("month", "mon"), (0, 1)),
    **dict.fromkeys(("week", "w"), (1, 7)),
    **dict.fromkeys(("day", "d"), (1, 1)),
    **dict.fromkeys(("hour", "h", "hr"), (2, 3600)),
    **dict.fromkeys(("minute", "m", "min"), (2, 60)),
    **dict.fromkeys(("second", "s", "sec"), (2, 1)),
    **dict.fromkeys(("millisecond", "ms", "msec"), (2, 0.001)),
}


def _boolean(text: str) -> str:
    return _BOOLEANS.get(text.strip().lower(), text)


def _interval(text: str) -> str:
    """Months, days and seconds; the text itself where it is written in another way."""
    lower = text.strip().lower()
    amounts = [0.0, 0.0, 0.0]
    for sign, hours, minutes, seconds in _CLOCK.findall(lower):
        total = int(hours) * 3600 + int(minutes) * 60 + float(seconds or 0)
        amounts[2] += -total if sign == "-" else total
    rest = _CLOCK.sub("", lower)
    for number, unit in _QUANTITY.findall(rest):
        found = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if found is None:
            return text
        amounts[found[0]] += float(number) * found[1]
    if _QUANTITY.sub("", rest).strip():
        return text
    return f"{amounts[0]:g} months {amounts[1]:g} days {amounts[2]:.6f} seconds"


def _timestamp(text: str) -> str:
    if text.strip().lower() == "epoch":
        text = "1970-01-01"
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return found.isoformat(" ")


def _jsonb(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text


def _numeric(text: str) -> str:
    return text.strip().removeprefix("+")


#: Type -> its constants in one spelling. Constants that no server would take stay as they are.
LITERALS: Final[dict[str, Callable[[str], str]]] = {
    "bool": _boolean,
    "interval": _interval,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
    "jsonb": _jsonb,
    "uuid": str.lower,
    "int2": _numeric,
    "int4": _numeric,
    "int8": _numeric,
    "numeric": _numeric,
    "float8": _numeric,
}
