"""PostgreSQL judges what dflint says of renames and moves: over random schemas, by using everything afterwards."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.analysis.judge.renaming import RenameJudge
from tests.servers import TestServer

#: Schemas judged on each of the three majors.
ORDINARY, EXHAUSTIVE = 17, 336
#: Of the dependents that can be used, at least this share was said to break.
BREAKING = 0.2
#: What must have broken, as it was said, at least once in an ordinary run.
KINDS = frozenset({"function", "trigger"})
ALL_KINDS = KINDS | {"view", "default", "materialized_view", "rule", "policy", "constraint", "index"}
CHANGES = frozenset(
    """rename_table rename_column rename_view rename_materialized_view rename_function rename_type rename_domain
    rename_sequence rename_index rename_constraint set_schema_table set_schema_view set_schema_function
    set_schema_type set_schema_sequence""".split()
)


def judge(dsn: str, count: int, *, same: bool) -> RenameJudge:
    found = RenameJudge(dsn)

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


def share_of_breaking(found: RenameJudge) -> float:
    return found.effects["breaks_later"] / sum(found.effects.values())


@pytest.mark.majors(13, 15, 18)
def test_what_breaks_after_a_rename_is_predicted(pg: TestServer) -> None:
    found = judge(pg.new_database(), ORDINARY, same=True)
    assert share_of_breaking(found) >= BREAKING, found.effects
    assert set(found.proven) >= KINDS


@pytest.mark.exhaustive
@pytest.mark.majors(13, 15, 18)
def test_what_breaks_after_a_rename_is_predicted_for_a_thousand_schemas(pg: TestServer) -> None:
    found = judge(pg.new_database(), EXHAUSTIVE, same=False)
    assert share_of_breaking(found) >= BREAKING, found.effects
    assert set(found.proven) >= ALL_KINDS
    assert set(found.changes) >= CHANGES
