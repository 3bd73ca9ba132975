"""Levels: the matrix's on an empty table, by evidence on a large one."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dflint.analysis.risk.sizes import with_rows
from dflint.app.assess import assess_sql, risk_book
from dflint.app.surroundings import Surroundings, surroundings_of
from dflint.migrations.risk_assessment_engine import RiskAssessmentEngine
from dflint.model.names import Name
from dflint.model.risk import RiskCategory
from dflint.rulebook.risk import RiskBook
from tests.guard.asynchronous import asynchronous
from tests.risk.operations import MATRIX, SCHEMA, statement
from tests.servers import TestServer

_USERS = Name("public", "users")
#: They change the catalogs alone, and no data is lost by them.
_METADATA_ONLY = {"add_nullable_column", "add_not_null_column", "rename_column", "rename_table"}
_REWRITING = {"change_column_type"}


def _database(pg: TestServer) -> str:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    return dsn


async def _surroundings(dsn: str) -> Surroundings:
    """With the sizes of all tables, as each statement alone would have them looked up."""
    return await surroundings_of(dsn, "LOCK TABLE users, depts")


@pytest.mark.majors("ends")
@asynchronous
async def test_an_empty_table_gives_the_matrix_levels(pg: TestServer) -> None:
    engine = RiskAssessmentEngine(_database(pg))
    found = {}
    for operation, details, _ in MATRIX:
        assessment = await engine.assess_operation_risk(operation, "users", **details)
        found[operation] = assessment.overall_risk_level.name
        assert assessment.safety_level in (1, 2, 3)
        assert assessment.required_checks
    assert found == {operation: level for operation, _, level in MATRIX}


@asynchronous
async def test_without_the_matrix_evidence_gives_most_levels(pg: TestServer) -> None:
    surroundings = await _surroundings(_database(pg))
    surroundings.catalog = with_rows(surroundings.catalog, _USERS, 1_000_000)
    book = RiskBook(risk_book().rules, ())
    agreed = []
    for operation, details, level in MATRIX:
        found = assess_sql(statement(operation, details), surroundings, operation=operation, book=book)
        assert found.matrix_level is None
        if found.overall_risk_level.name == level:
            agreed.append(operation)
    assert len(agreed) >= 8, agreed


@asynchronous
async def test_sizes_change_what_rewrites_and_nothing_else(pg: TestServer) -> None:
    surroundings = await _surroundings(_database(pg))
    few, many = (
        Surroundings(with_rows(surroundings.catalog, _USERS, rows), surroundings.activity) for rows in (10, 100_000_000)
    )
    for operation, details, _ in MATRIX:
        sql = statement(operation, details)
        one, other = (assess_sql(sql, each, operation=operation) for each in (few, many))
        if operation in _METADATA_ONLY:
            assert one.overall_score == other.overall_score, operation
        if operation in _REWRITING:
            assert one.overall_score is not None
            assert other.overall_score is not None
            assert one.overall_score < other.overall_score, operation
            assert one.category_risks[RiskCategory.AVAILABILITY].score < 25


@asynchronous
async def test_points_sum_to_scores_and_have_reasons(pg: TestServer) -> None:
    surroundings = await _surroundings(_database(pg))
    surroundings.catalog = with_rows(surroundings.catalog, _USERS, 1_000_000)
    seen = 0
    for operation, details, _ in MATRIX:
        found = assess_sql(statement(operation, details), surroundings, operation=operation)
        assert list(found.category_risks) == list(RiskCategory)
        for risk in found.category_risks.values():
            assert sum(factor.points for factor in risk.risk_factors) == risk.score
            for factor in risk.risk_factors:
                seen += 1
                assert factor.rule in {rule.id for rule in risk_book().rules}
                assert factor.objects or factor.rule in {"irreversible", "leftover"}
    assert seen > 40


@asynchronous
async def test_the_server_refuses_and_there_is_no_number(pg: TestServer) -> None:
    dsn = _database(pg)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE VIEW mails AS SELECT email FROM users")
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            connection.execute("ALTER TABLE users DROP COLUMN email")
    engine = RiskAssessmentEngine(dsn)
    found = await engine.assess_operation_risk("drop_column", "users", "email")
    assert found.will_fail is not None
    assert found.will_fail.sqlstate == "2BP01"
    assert found.overall_score is None
    with pytest.raises(ValueError, match="there is no type of operation"):
        await engine.assess_operation_risk("drop_everything", "users")


@asynchronous
async def test_incoming_foreign_keys_count(pg: TestServer) -> None:
    """One that does nothing on delete still makes the drop of its target fail, or goes with it."""
    engine = RiskAssessmentEngine(_database(pg))
    refused = await engine.assess_operation_risk("drop_table", "depts")
    assert refused.will_fail is not None
    dropped = await engine.assess_operation_risk("drop_table", "depts", cascade=True)
    assert dropped.will_fail is None
    factors = [factor for risk in dropped.category_risks.values() for factor in risk.risk_factors]
    assert any("fk:public.users.users_department_fk" in factor.objects for factor in factors)


@pytest.mark.parametrize("value", ["O'Brien", "x'; DROP TABLE depts; --", "\\", "ü€", ""])
@asynchronous
async def test_defaults_are_text(pg: TestServer, value: str) -> None:
    dsn = _database(pg)
    details: dict[str, Any] = {"column_name": '"odd ""name"', "data_type": "text", "default_value": value}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO users (id) VALUES (1)")
        connection.execute(statement("add_not_null_column", details).encode())
        row = connection.execute('SELECT "odd ""name", to_regclass($$depts$$) IS NOT NULL FROM users').fetchone()
    assert row == (value, True)
