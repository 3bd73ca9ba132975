"""ALTER TABLE of several clauses: what recipes make of the clauses comes to what the statement comes to."""

from __future__ import annotations

import pytest

from dflint.app.safe_plan import safe_plan_sql
from dflint.cli.safe_plan_text import render_safe
from tests.guard.asynchronous import asynchronous
from tests.recipes.proving import Version, catalog_after, prove
from tests.servers import TestServer

_KEY = "ALTER TABLE t ADD PRIMARY KEY (id)"
_STATEMENTS = {
    "checks and references": (
        (
            "ALTER TABLE t ADD CHECK (n > 0), ALTER n SET NOT NULL, ADD FOREIGN KEY (other_id) REFERENCES other, "
            "ADD COLUMN more int DEFAULT 7"
        ),
        ["set-not-null", "add-check", "add-foreign-key"],
    ),
    "in the order of the server": (
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n < 10000000), DROP CONSTRAINT c, ALTER n TYPE bigint, ALTER n SET DEFAULT 1",
        ["change-column-type", "add-check"],
    ),
    "of a new column": (
        (
            "ALTER TABLE t ADD UNIQUE (id, n), ADD COLUMN more uuid DEFAULT gen_random_uuid(), ADD CHECK (more IS NOT NULL), "
            "ALTER note SET STORAGE EXTERNAL"
        ),
        ["add-column-volatile-default", "add-unique", "add-check"],
    ),
}


@pytest.mark.majors(14, 15, 18)
@pytest.mark.parametrize("name", list(_STATEMENTS))
@asynchronous
async def test_clauses_apart(pg: TestServer, name: str) -> None:
    sql, recipes = _STATEMENTS[name]
    before = f"{_KEY}; ALTER TABLE t ADD CONSTRAINT c CHECK (n < 1000000)"
    proof = await prove(
        pg.new_database,
        sql,
        before=before,
        rows=5000,
        versions=(Version("INSERT INTO t (id, note, n) VALUES (%(key)s, %(note)s, 1)"),),
    )
    assert proof.outcome.exit_code == 0, proof.outcome.message
    assert [each.recipe.id for each in proof.plan.replaced] == recipes
    assert proof.failures == []
    assert proof.lost == []
    assert [each for each in proof.differs if not each.endswith(" changed columns")] == []
    assert proof.same_columns
    assert proof.undone == []
    assert "is done clause by clause" in proof.plan.opened[0]


_BEFORE = "CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, b int)"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER TABLE t ALTER a TYPE text USING b::text, ALTER b TYPE text USING a::text", "USING sees other columns"),
        ("ALTER TABLE t ALTER a TYPE text USING (a + b)::text, DROP COLUMN b", "USING sees other columns"),
        ("ALTER TABLE t SET UNLOGGED, ALTER a TYPE bigint", "copies the table for all of them at once"),
    ],
)
def test_clauses_that_stay_together(sql: str, reason: str) -> None:
    found = safe_plan_sql(sql, catalog_after(_BEFORE, 18), version=18)
    assert found.kept == (sql,)
    assert reason in found.not_followed[0][1]


def test_clauses_without_a_recipe_stay_one_statement() -> None:
    sql = "ALTER TABLE t ADD CHECK (a > 0), ADD COLUMN c int, ADD COLUMN d int"
    found = safe_plan_sql(sql, catalog_after(_BEFORE, 18), version=18)
    assert found.plan.steps[0].sql == "ALTER TABLE t ADD COLUMN c int, ADD COLUMN d int"


def test_a_statement_of_which_no_clause_has_a_recipe_is_not_touched() -> None:
    sql = "ALTER TABLE t ADD COLUMN c int, ALTER a SET DEFAULT 1"
    found = safe_plan_sql(sql, catalog_after(_BEFORE, 18), version=18)
    assert [step.sql for step in found.plan.steps] == [sql]
    assert not found.opened


def test_a_transaction_that_is_taken_apart_is_told() -> None:
    sql = "BEGIN; ALTER TABLE t ADD CHECK (a > 0); ALTER TABLE t ADD c int; COMMIT"
    text = render_safe(safe_plan_sql(sql, catalog_after(_BEFORE, 18), version=18))
    assert "the transaction of 2 statements is taken apart" in text
