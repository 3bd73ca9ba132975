"""Mitigation plans: what the context changes, what remains, and what a plan cannot meet."""

from __future__ import annotations

import psycopg
import pytest

from dflint.analysis.risk.sizes import with_rows
from dflint.app.mitigation import mitigation, operation_context
from dflint.app.surroundings import Surroundings, surroundings_of
from dflint.migrations.integrated_risk_assessment_system import IntegratedRiskAssessmentSystem
from dflint.migrations.mitigation_strategy_engine import MitigationStrategyEngine
from dflint.migrations.risk_assessment_engine import RiskAssessmentEngine
from dflint.model.errors import InputError
from dflint.model.mitigation import OperationContext, StrategyCategory
from dflint.model.names import Name
from dflint.planning.statements import operations_of
from tests.guard.asynchronous import asynchronous
from tests.risk.operations import MATRIX, SCHEMA, statement
from tests.servers import TestServer

_USERS = Name("public", "users")


def _database(pg: TestServer) -> str:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    return dsn


async def _large(dsn: str, rows: int = 10_000_000) -> Surroundings:
    found = await surroundings_of(dsn, "LOCK TABLE users, depts")
    return Surroundings(with_rows(found.catalog, _USERS, rows), found.activity, found.search_path)


@asynchronous
async def test_every_measure_can_be_run_or_is_for_a_person(pg: TestServer) -> None:
    surroundings = await _large(_database(pg))
    for operation, details, _ in MATRIX:
        plan = mitigation(statement(operation, details), surroundings, OperationContext(), operation=operation)
        assert plan.recommended_strategies
        for strategy in plan.recommended_strategies:
            assert bool(strategy.sql) != strategy.manual, strategy.id
            assert strategy.implementation_steps
            assert 0 <= strategy.effectiveness_score <= 100
            for sql in strategy.sql:
                assert all(found.kind != "opaque" for found in operations_of(sql)), sql


@asynchronous
async def test_reduction_is_that_of_the_plan_assessed_again(pg: TestServer) -> None:
    surroundings = await _large(_database(pg))
    for operation, details, _ in MATRIX:
        plan = mitigation(statement(operation, details), surroundings, OperationContext(), operation=operation)
        before, after = plan.before.evidence_score, plan.residual.evidence_score
        assert before is not None
        assert after is not None
        # A second column costs more work than a renaming, and spares the running code.
        worst = max(plan.before.category_risks, key=lambda each: plan.before.category_risks[each].score)
        spared = plan.residual.category_risks[worst].score < plan.before.category_risks[worst].score
        assert after <= before or (operation == "rename_column" and spared), operation
        assert plan.estimated_risk_reduction == max(0.0, round(100 * (before - after) / before, 1))


@pytest.mark.majors(18)
@asynchronous
async def test_not_null_on_many_rows_follows_the_recipe(pg: TestServer) -> None:
    surroundings = await _large(_database(pg))
    sql = "ALTER TABLE users ALTER COLUMN email SET NOT NULL"
    without = mitigation(sql, surroundings, OperationContext())
    assert without.plan is not None
    assert [step.sql for step in without.plan.steps] == [
        "ALTER TABLE public.users ADD CONSTRAINT users_email_not_null NOT NULL email NOT VALID",
        "ALTER TABLE public.users VALIDATE CONSTRAINT users_email_not_null",
    ]
    window = mitigation(sql, surroundings, OperationContext(maintenance_window=30))
    assert window.plan is not None
    assert [step.sql for step in window.plan.steps] == [sql]
    assert {each.category for each in window.recommended_strategies} != {
        each.category for each in without.recommended_strategies
    }


@asynchronous
async def test_an_index_is_not_given_measures_for_drops(pg: TestServer) -> None:
    surroundings = await _large(_database(pg))
    plan = mitigation(statement("add_index", {"column_name": "name"}), surroundings, OperationContext())
    assert not any("DROP" in sql for each in plan.recommended_strategies for sql in each.sql)
    rewrite = plan.recommended_strategies[0]
    assert rewrite.category is StrategyCategory.SAFE_REWRITE
    assert rewrite.recipe == "create-index-concurrently"


@asynchronous
async def test_sizes_may_be_supposed(pg: TestServer) -> None:
    engine = RiskAssessmentEngine(_database(pg))
    assessment = await engine.assess_operation_risk("add_index", "users", "name")
    small = await MitigationStrategyEngine(engine).generate_mitigation_plan(assessment, {"table_size": 10})
    large = await MitigationStrategyEngine(engine).generate_mitigation_plan(assessment, {"table_size": 100_000_000})
    assert (small.before.evidence_score or 0) < (large.before.evidence_score or 0)
    with pytest.raises(InputError, match="the context knows no 'tabel_size'"):
        await MitigationStrategyEngine(engine).generate_mitigation_plan(assessment, {"tabel_size": 10})
    with pytest.raises(InputError, match="cannot be below zero"):
        operation_context({"maintenance_window": -1})


@asynchronous
async def test_requirements_that_are_not_met_are_named(pg: TestServer) -> None:
    surroundings = await _large(_database(pg), 1_000_000_000)
    sql = "ALTER TABLE users ALTER COLUMN deprecated_field TYPE date USING deprecated_field::date"
    context = OperationContext(production_environment=False, max_downtime_minutes=0.1, rollback_time_limit_minutes=1)
    plan = mitigation(sql, surroundings, context)
    assert any(each.startswith("max_downtime_minutes: others may be stopped for ") for each in plan.unmet)
    lost = mitigation("DROP TABLE users", surroundings, OperationContext(data_consistency_critical=True))
    kept = any("data_consistency_critical" in each for each in lost.unmet)
    assert kept == any(step.undo.irreversible for step in (lost.plan.steps if lost.plan else ()))


@asynchronous
async def test_what_the_server_refuses_has_no_plan(pg: TestServer) -> None:
    dsn = _database(pg)
    plan = mitigation("DROP TABLE depts", await surroundings_of(dsn, "DROP TABLE depts"), OperationContext())
    assert plan.plan is None
    assert "the server refuses" in plan.reasons[0]
    system = IntegratedRiskAssessmentSystem(dsn)
    found = await system.perform_complete_assessment("drop_table", "depts")
    assert found.risk_score is None
    assert found.dependencies is not None
    assert found.dependencies.refused


@asynchronous
async def test_rows_in_the_way_are_asked_for_by_each_statement(pg: TestServer) -> None:
    dsn = _database(pg)
    sql = (
        "ALTER TABLE users ALTER COLUMN email SET NOT NULL; "
        "ALTER TABLE users ADD CHECK (age > 0 AND email <> 'it''s'), ADD UNIQUE (age); "
        "ALTER TABLE users ADD CHECK (length(name) > 1)"
    )
    plan = mitigation(sql, await surroundings_of(dsn, sql), OperationContext())
    (look,) = [each for each in plan.recommended_strategies if each.id == "look-at-the-rows"]
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert [connection.execute(query.encode()).fetchall() for query in look.sql] == [[]] * 4
        connection.execute("INSERT INTO users (id, age, name) VALUES (1, -1, 'x'), (2, -1, NULL)")
        found = [len(connection.execute(query.encode()).fetchall()) for query in look.sql]
    # Two nulls, one value twice, two ages below zero; a null passes a CHECK, so that only one name is too short.
    assert found == [2, 1, 2, 1]
