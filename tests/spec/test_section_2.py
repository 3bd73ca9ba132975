"""The mitigation strategy engine, after the block of the risk assessment engine."""

from __future__ import annotations

import psycopg
import pytest

import dflint
from dflint.planning.statements import operations_of
from tests.guard.asynchronous import asynchronous
from tests.risk.operations import SCHEMA
from tests.servers import TestServer
from tests.spec.running import run


@pytest.mark.majors(14, 18)
@asynchronous
async def test_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    report = await dflint.DependencyAnalyzer(dsn).analyze_column_dependencies("users", "deprecated_field")
    first = await run("section_1", connection_manager=dsn, dependency_report=report)
    capsys.readouterr()

    names = await run("section_2", risk_engine=first["risk_engine"], risk_assessment=first["risk_assessment"])

    plan = names["strategy_plan"]
    assert plan.recommended_strategies
    for strategy in plan.recommended_strategies:
        assert bool(strategy.sql) != strategy.manual
        assert all(found.kind != "opaque" for sql in strategy.sql for found in operations_of(sql))
    before, after = plan.before.evidence_score, plan.residual.evidence_score
    assert 0 <= after < before
    assert plan.estimated_risk_reduction == round(100 * (before - after) / before, 1)
    printed = capsys.readouterr().out
    assert f"Estimated risk reduction: {plan.estimated_risk_reduction}%" in printed
