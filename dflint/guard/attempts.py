"""How often, and how long, a step is tried that does not get its locks.

A step that waits for a lock makes others wait behind it. Each attempt therefore waits a moment only, is rolled back as
a whole, and is repeated after a pause of random length. Three budgets end that: attempts, time, and the time that
others spent waiting for us. There is no last attempt without a limit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, Literal

import psycopg
from msgspec import Struct

#: What a whole new attempt may cure: lock_not_available, deadlock_detected, serialization_failure.
_TRANSIENT: Final = frozenset({"55P03", "40P01", "40001"})
_CANCELLED: Final = "57014"

#: Why a pause is made, and whether the attempt before it counts.
Reason = Literal["lock", "autovacuum", "patient", "cancelled"]

#: How much longer than deadlock_timeout a lock must be waited for to make autovacuum give way, milliseconds.
_BEYOND_DEADLOCK_MS: Final = 300
_BETWEEN_AUTOVACUUM_ATTEMPTS_S: Final = 60.0


class AttemptLimits(Struct, frozen=True, kw_only=True):
    """When to give up.

    Attributes:
        attempts: that failed for want of a lock.
        wall_s: since the first attempt began, seconds.
        blocked_s: that others waited for us, all attempts and all sessions together, seconds.
        base_s, cap_s: a pause lasts between nothing and base · 2ⁿ, but not longer than the cap.
    """

    attempts: int = 30
    wall_s: float = 900.0
    blocked_s: float = 10.0
    base_s: float = 0.5
    cap_s: float = 30.0


class Attempts:
    """The attempts at one step.

    Attributes:
        number: attempts begun.
        blocked_s: how long others have waited for us so far, seconds.
    """

    def __init__(
        self,
        limits: AttemptLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._began = clock()
        self._failed = 0
        self._yielded_at: float | None = None
        self.number = 0
        self.blocked_s = 0.0

    def begin(self) -> None:
        """An attempt begins."""
        self.number += 1

    def forget(self) -> None:
        """The attempt that was begun was none."""
        self.number -= 1

    def pause(self, blocked_s: float, reason: Reason) -> float:
        """How long to wait after an attempt that failed, in seconds.

        Args:
            blocked_s: how long others waited for us in it.
            reason: ``patient`` for a blocker that ends by itself, a dump say: the attempt is not counted.
        """
        self.blocked_s += blocked_s
        if reason != "patient":
            self._failed += 1
        ceiling = min(self._limits.cap_s, self._limits.base_s * 2.0 ** min(self._failed - 1, 30))
        return max(0.0, min(self._chance() * ceiling, self._limits.wall_s - self._spent()))

    def exhausted(self) -> str | None:
        """Which budget is spent, as a sentence; None while all have something left."""
        limits = self._limits
        if self.blocked_s >= limits.blocked_s:
            return f"others have waited {self.blocked_s:.1f} s for it, of {limits.blocked_s:g} s allowed"
        if self._failed >= limits.attempts:
            return f"{self._failed} attempts failed"
        if self._spent() >= limits.wall_s:
            return f"it has been tried for {self._spent():.0f} s"
        return None

    def lock_ms(self, usual_ms: int, deadlock_timeout_ms: int, reason: Reason | None) -> int:
        """How long the next attempt may wait for its locks altogether, in milliseconds.

        Autovacuum gives way only to who waits longer than deadlock_timeout; such an attempt is made at most once a
        minute, because everybody else waits as long.
        """
        beyond = deadlock_timeout_ms + _BEYOND_DEADLOCK_MS
        if reason != "autovacuum" or usual_ms >= beyond:
            return usual_ms
        now = self._clock()
        if self._yielded_at is not None and now - self._yielded_at < _BETWEEN_AUTOVACUUM_ATTEMPTS_S:
            return usual_ms
        self._yielded_at = now
        return beyond

    def _spent(self) -> float:
        return self._clock() - self._began


def is_transient(error: psycopg.Error, *, locking: bool, cancelled_by_us: bool) -> bool:
    """Whether another attempt may succeed.

    Args:
        error: what the server said.
        locking: while the locks were taken, where the only statement timeout is the attempt's own.
        cancelled_by_us: the monitor cancelled the statement because others waited.
    """
    if error.sqlstate in _TRANSIENT:
        return True
    return error.sqlstate == _CANCELLED and (locking or cancelled_by_us)
