"""How often a step is tried, and when that ends: without a server, and without waiting."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.guard.attempts import AttemptLimits, Attempts, Reason, is_transient


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def attempts(clock: Clock, chance: float = 1.0, limits: AttemptLimits | None = None) -> Attempts:
    return Attempts(limits or AttemptLimits(), clock=clock, chance=lambda: chance)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.floats(0, 3),
            st.floats(0, 60),
            st.sampled_from(["lock", "autovacuum", "patient", "cancelled"]),
        ),
        max_size=60,
    )
)
def test_it_ends_within_every_budget(tries: list[tuple[float, float, float, Reason]]) -> None:
    clock, limits = Clock(), AttemptLimits()
    tried = attempts(clock, limits=limits)
    counted, blocked = 0, 0.0
    for _, blocked_s, took, reason in tries:
        if tried.exhausted() is not None:
            break
        assert counted < limits.attempts
        assert blocked < limits.blocked_s
        assert clock.now - 1000 < limits.wall_s
        tried.begin()
        clock.now += took
        pause = tried.pause(blocked_s, reason)
        assert 0 <= pause <= limits.cap_s
        # The pause itself does not lead beyond the time there is.
        assert pause <= max(0.0, limits.wall_s - (clock.now - 1000))
        clock.now += pause
        counted += reason != "patient"
        blocked += blocked_s


def test_pauses_grow_and_are_of_random_length() -> None:
    clock = Clock()
    longest = attempts(clock, 1.0)
    assert [longest.pause(0, "lock") for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert attempts(clock, 0.0).pause(0, "lock") == 0


def test_a_patient_wait_burns_no_attempt() -> None:
    tried = attempts(Clock(), limits=AttemptLimits(attempts=2))
    for _ in range(10):
        tried.begin()
        tried.pause(0, "patient")
    assert tried.exhausted() is None
    tried.pause(0, "lock")
    tried.pause(0, "lock")
    assert tried.exhausted() == "2 attempts failed"


def test_autovacuum_gets_one_long_attempt_a_minute() -> None:
    clock = Clock()
    tried = attempts(clock)
    assert tried.lock_ms(200, 1000, None) == 200
    assert tried.lock_ms(200, 1000, "autovacuum") == 1300
    clock.now += 59
    assert tried.lock_ms(200, 1000, "autovacuum") == 200
    clock.now += 2
    assert tried.lock_ms(200, 1000, "autovacuum") == 1300
    assert tried.lock_ms(5000, 1000, "autovacuum") == 5000


@pytest.mark.parametrize(
    ("error", "locking", "cancelled", "again"),
    [
        (psycopg.errors.LockNotAvailable(), False, False, True),
        (psycopg.errors.DeadlockDetected(), False, False, True),
        (psycopg.errors.SerializationFailure(), False, False, True),
        (psycopg.errors.QueryCanceled(), True, False, True),
        (psycopg.errors.QueryCanceled(), False, True, True),
        # Somebody else cancelled it, or it took longer than it may: both will not be better the next time.
        (psycopg.errors.QueryCanceled(), False, False, False),
        (psycopg.errors.UniqueViolation(), False, False, False),
        (psycopg.errors.DiskFull(), False, False, False),
    ],
)
def test_what_another_attempt_may_cure(error: psycopg.Error, locking: bool, cancelled: bool, again: bool) -> None:
    assert is_transient(error, locking=locking, cancelled_by_us=cancelled) is again
