"""The risk assessment engine: five categories, and points that sum to their scores."""

from __future__ import annotations

import psycopg
import pytest

import dflint
from tests.guard.asynchronous import asynchronous
from tests.risk.operations import SCHEMA
from tests.servers import TestServer
from tests.spec.running import run


@pytest.mark.majors("ends")
@asynchronous
async def test_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    report = await dflint.DependencyAnalyzer(dsn).analyze_column_dependencies("users", "deprecated_field")

    names = await run("section_1", connection_manager=dsn, dependency_report=report)

    found = names["risk_assessment"]
    assert [category.name for category in found.category_risks] == [
        "DATA_LOSS",
        "AVAILABILITY",
        "PERFORMANCE",
        "ROLLBACK_COMPLEXITY",
        "COMPATIBILITY",
    ]
    for risk in found.category_risks.values():
        assert sum(factor.impact_score for factor in risk.risk_factors) == risk.score
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Overall Risk: HIGH"
    assert printed[1] == f"Risk Score: {found.overall_score}/100"
    assert printed[2].startswith("DATA_LOSS: ")
    assert any("values may be lost (Impact: 30)" in line for line in printed)
