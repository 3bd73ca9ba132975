"""How long a step holds its locks, and what it writes, as far as sizes are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from typing import Final

from dflint.model.calibration import STATED, Calibration
from dflint.model.plan import Estimate
from dflint.planning.work import Work

#: What is written to the log for a byte of a new file: less where pages are sparse, more for its records' headers.
_LOGGED: Final = (0.6, 1.5)
#: Of new files beside their expected size, at the least; at the most with the runs of a sort on disk.
_FILES: Final = (0.6, 1.4)


def estimate(parts: Sequence[Work | None], calibration: Calibration = STATED) -> Estimate | None:
    """Time, log and disk space of a step's statements; None where the work of one of them is not known.

    Args:
        parts: what each statement does.
        calibration: what that takes.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    seconds = sum(calibration.seconds[unit] * much for part in known for unit, much in part.units.items())
    written, most = sum(part.written for part in known), max((part.sorted for part in known), default=0)
    words = "; ".join(dict.fromkeys(word for part in known for word in part.words))
    return Estimate(
        low_s=_rounded(seconds / calibration.spread, ceil),
        high_s=_rounded(seconds * calibration.spread, floor),
        basis=f"{words}; by {calibration.about}" if words else "changes the catalogs only",
        wal_bytes=(round(written * _LOGGED[0]), round(written * _LOGGED[1])),
        disk_bytes=(round(written * _FILES[0]), round(written * _FILES[1]) + most),
    )


def _rounded(seconds: float, way: Callable[[float], int]) -> float:
    """Seconds with three figures; towards the middle of the range, so that its ends are not further apart for it."""
    if seconds <= 0:
        return 0.0
    places = 2 - floor(log10(seconds))
    # Of whole numbers in decimal places, since a power of ten with a negative exponent is not exact.
    return round(way(round(seconds * 10.0**places, 6)) / 10.0**places, max(places, 0))
