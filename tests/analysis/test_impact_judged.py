"""PostgreSQL judges what dflint says of dropping: over random schemas."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.analysis.judge.judging import Judge
from tests.servers import TestServer

#: Schemas judged on each of the three majors.
ORDINARY, EXHAUSTIVE = 17, 340
#: SQL-standard function bodies are from PostgreSQL 14 on.
SINCE = {"atomic_function": 14}
#: Each kind of object must be in this share of the schemas, and half of the targets have this many dependents.
SHARE, MEDIAN = 0.01, 5
CLASSES = frozenset(
    """table inheritance partition view materialized_view function atomic_function aggregate trigger policy rule
    foreign_key composite_key self_key generated index expression_index domain enum composite_type range publication
    statistics identity sequence default check replica_identity typed_table""".split()
)


def judge(dsn: str, count: int, *, same: bool) -> Judge:
    found = Judge(dsn)

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        # A smaller seed is no smaller schema: nothing is shrunk.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(st.integers(0, 2**64 - 1))
    def run(seed: int) -> None:
        assert found.differences(seed) == []

    run()
    return found


@pytest.mark.majors(13, 15, 18)
def test_what_cascade_removes_is_predicted(pg: TestServer) -> None:
    found = judge(pg.new_database(), ORDINARY, same=True)
    assert statistics.median(found.dependents) >= MEDIAN


@pytest.mark.exhaustive
@pytest.mark.majors(13, 15, 18)
def test_what_cascade_removes_is_predicted_for_a_thousand_schemas(pg: TestServer) -> None:
    found = judge(pg.new_database(), EXHAUSTIVE, same=False)
    assert statistics.median(found.dependents) >= MEDIAN
    possible = {kind for kind in CLASSES if SINCE.get(kind, 0) <= pg.major}
    rare = {kind for kind in possible if found.classes[kind] < SHARE * found.schemas}
    assert not rare, rare
