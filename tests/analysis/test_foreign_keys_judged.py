"""PostgreSQL judges what dflint says of rows that foreign keys delete, change or keep: over random nets with rows."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.analysis.judge.rows import RowJudge
from tests.servers import TestServer

#: Nets judged on each of the three majors.
ORDINARY, EXHAUSTIVE = 12, 170
#: Each of these is in some of the nets, and became of some of the rows.
CLASSES = frozenset(
    """composite single self generated partitioned inherited CASCADE RESTRICT DEFERRABLE done refused
    MATCH_FULL SET_NULL SET_DEFAULT NO_ACTION UPDATE_CASCADE UPDATE_SET_NULL UPDATE_SET_DEFAULT UPDATE_RESTRICT
    UPDATE_NO_ACTION DEFERRABLE_INITIALLY_DEFERRED seen_deleted seen_updated seen_refused refused_NULL""".split()
)
#: This share of what may happen to rows is seen to happen.
SHARE = 0.3


def judge(dsn: str, count: int, *, same: bool) -> RowJudge:
    found = RowJudge(dsn)

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        # A smaller seed is no smaller net: nothing is shrunk.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(st.integers(0, 2**64 - 1))
    def run(seed: int) -> None:
        assert found.differences(seed) == []

    run()
    return found


@pytest.mark.majors(13, 15, 18)
def test_rows_meet_what_is_said(pg: TestServer) -> None:
    found = judge(pg.new_database(), ORDINARY, same=True)
    assert found.seen["done"] > found.seen["refused"] > 0
    assert found.seen["came true"] >= SHARE * found.seen["predicted"]


@pytest.mark.exhaustive
@pytest.mark.majors(13, 15, 18)
def test_rows_meet_what_is_said_in_many_nets(pg: TestServer) -> None:
    found = judge(pg.new_database(), EXHAUSTIVE, same=False)
    assert found.seen["came true"] >= SHARE * found.seen["predicted"]
    rare = {kind for kind in CLASSES if found.seen[kind.replace("_", " ")] < 3}
    assert not rare, rare
