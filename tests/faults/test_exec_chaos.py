"""Chaos as a test: a few kills always, many in the exhaustive run. `tests.faults.chaos` does any number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.chaos import STATES, Chaos, server
from tests.servers import TestServer


@pytest.mark.majors(18)
def test_a_few_kills(pg: TestServer, tmp_path: Path) -> None:
    chaos = Chaos(pg, tmp_path, 2, print)
    chaos.run(6)
    assert sum(chaos.killed.values()) >= 6


@pytest.mark.exhaustive
@pytest.mark.parametrize("major", [14, 15, 18])
def test_many_kills_in_every_state(major: int, tmp_path: Path) -> None:
    with server(major) as one:
        chaos = Chaos(one, tmp_path, major, print)
        chaos.run(340)
    by_state = Counter[str]()
    for (state, _), count in chaos.killed.items():
        by_state[state] += count
    assert all(by_state[state] >= 20 for state in STATES), by_state
