"""What is shown of an execution while it is under way."""

from __future__ import annotations

import io
from typing import Any

from dflint.cli.live import Heartbeats, LiveState, LiveView

BLOCKER = {
    "pid": 4711,
    "kind": "idle_in_transaction",
    "application": "shop",
    "xact_age_s": 12.3,
    "relation": "public.t",
    "query": "TABLE t",
}
QUIET: dict[str, Any] = {"waits": False, "blockers": [], "waiters": [], "blocked_s": 0.0, "progress": None}
STEP: dict[str, Any] = {"ord": 1, "of": 3, "step_kind": "tx", "sql": "ALTER TABLE t ADD x int"}


class Lines:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def event(self, kind: str, **detail: Any) -> None:
        del detail
        self.kinds.append(kind)


def state_of(*events: tuple[str, dict[str, Any]]) -> LiveState:
    state = LiveState(clock=lambda: 0.0)
    for kind, detail in events:
        state.take_in(kind, detail)
    return state


def test_nothing_between_steps() -> None:
    assert state_of().lanes() == []
    assert state_of(("step", STEP), ("done", {})).lanes() == []


def test_who_is_in_the_way_and_who_waits() -> None:
    sample = {
        **QUIET,
        "waits": True,
        "blockers": [BLOCKER],
        "waiters": [{"waited_s": 0.31}, {"waited_s": 0.1}],
        "blocked_s": 0.41,
    }
    lanes = dict(state_of(("step", STEP), ("attempt", {"number": 1}), ("sample", sample)).lanes())
    assert lanes == {
        "step": "2 of 3, tx: ALTER TABLE t ADD x int, attempt 2, 0 s",
        "locks": "waits for pid 4711 (shop, idle in transaction) for 12 s on public.t",
        "waiters": "2 sessions, the longest for 0.3 s; 0.4 s altogether so far",
        "progress": "the server does not tell",
    }


def test_a_role_that_may_not_see_who_is_in_the_way() -> None:
    state = state_of(("step", STEP), ("sample", {**QUIET, "waits": True}))
    assert dict(state.lanes())["locks"] == "waits for somebody whom this role may not see"


def test_denominators_are_what_they_are() -> None:
    known = {
        "command": "CREATE INDEX",
        "phase": "building",
        "done": 5,
        "total": 20,
        "unit": "blocks",
        "waits_for": None,
    }
    state = state_of(("step", STEP), ("sample", {**QUIET, "progress": known}))
    assert state.fraction == 0.25
    assert dict(state.lanes())["progress"] == "CREATE INDEX, building: 5 of 20 blocks"

    unknown = {**known, "total": None, "waits_for": 7}
    state = state_of(("step", STEP), ("sample", {**QUIET, "progress": unknown}))
    assert state.fraction is None
    assert (
        dict(state.lanes())["progress"] == "CREATE INDEX, building: 5 blocks, of how many is not known, waits for pid 7"
    )

    # More rows than were estimated do not make it done.
    state = state_of(("step", STEP), ("progress", {"done": 3000, "estimate": 2000, "size": 100}))
    assert state.fraction == 0.99
    assert dict(state.lanes())["progress"] == "3,000 of about 2,000 rows, 100 in a batch"
    state.take_in("throttled", {"reason": "replica a is 70 MiB behind"})
    assert dict(state.lanes())["progress"] == "paused: replica a is 70 MiB behind"
    assert state_of(("step", STEP), ("progress", {"done": 3, "estimate": None, "size": 1})).fraction is None


def test_heartbeats_come_from_time_to_time() -> None:
    lines, said = Lines(), list[str]()
    shown = Heartbeats(lines, say=said.append)
    shown.event("step", **STEP)
    for _ in range(10):
        shown.event("sample", **QUIET)
    assert said == []
    shown._said -= 6
    shown.event("sample", **QUIET)
    shown.event("sample", **QUIET)
    assert len(said) == 1
    assert said[0].startswith("step 2 of 3, tx: ALTER TABLE")
    assert lines.kinds == ["step"] + ["sample"] * 12


def test_lanes_on_a_terminal(monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream, lines = io.StringIO(), Lines()
    shown = LiveView(lines, stream)
    shown.event("step", **STEP)
    shown.event("progress", done=10, estimate=100, size=5)
    shown.close()
    shown.close()
    assert "10 of about 100 rows" in stream.getvalue()
    assert "10%" in stream.getvalue()
    assert lines.kinds == ["step", "progress"]
