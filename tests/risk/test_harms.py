"""What operations are scored for, on real databases."""

from __future__ import annotations

import psycopg
import pytest

from dflint.app.assess import assess_sql
from dflint.app.surroundings import surroundings_of
from dflint.model.risk import RiskAssessment, RiskLevel
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer

SETUP = """
CREATE SCHEMA app;
CREATE TABLE app.a (id int PRIMARY KEY);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE depts (id int PRIMARY KEY, m mood, name text NOT NULL DEFAULT '');
CREATE TABLE users (id int PRIMARY KEY, email text, at timestamptz, dept int REFERENCES depts);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE VIEW mails AS SELECT email FROM users;
CREATE TABLE logs (id bigint, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON users USING (true);
INSERT INTO users (id, email) SELECT i, i::text FROM generate_series(1, 1000) i;
ANALYZE;
"""


@pytest.fixture
def dsn(pg: TestServer) -> str:
    found = pg.new_database()
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute(SETUP.encode())
    return found


async def assessed(dsn: str, sql: str) -> tuple[RiskAssessment, dict[str, tuple[str, ...]]]:
    """The assessment, and rule -> objects."""
    found = assess_sql(sql, await surroundings_of(dsn, sql))
    factors = [factor for risk in found.category_risks.values() for factor in risk.risk_factors]
    return found, {factor.rule: factor.objects for factor in factors}


@pytest.mark.parametrize(
    ("sql", "rule", "objects"),
    [
        ("DROP SCHEMA app CASCADE", "rows-lost", ("table:app.a",)),
        ("DROP SCHEMA app CASCADE", "table-name-gone", ("table:app.a",)),
        ("ALTER SCHEMA app RENAME TO other", "table-name-gone", ("table:app.a",)),
        ("DROP TYPE mood CASCADE", "values-lost", ("column:public.depts.m",)),
        ("DROP TYPE mood CASCADE", "column-name-gone", ("column:public.depts.m",)),
        ("ALTER TYPE mood RENAME VALUE 'good' TO 'fine'", "object-name-gone", ("mood",)),
        ("DROP TABLE logs", "rows-lost", ("table:public.logs", "table:public.logs_1")),
        ("TRUNCATE depts CASCADE", "rows-lost", ("table:public.users", "table:public.depts")),
        ("DROP VIEW mails", "table-name-gone", ("view:public.mails",)),
        ("DROP FUNCTION one()", "object-name-gone", ("one",)),
        ("ALTER TABLE users SET UNLOGGED", "not-crash-safe", ("table:public.users",)),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "guard-lost", ("table:public.users",)),
        ("ALTER TABLE users DISABLE TRIGGER ALL", "guard-lost", ("table:public.users",)),
        ("DROP POLICY p ON users", "guard-lost", ("table:public.users",)),
        ("REVOKE ALL ON users FROM PUBLIC", "access-refused", ("users",)),
        ("ALTER TABLE depts ALTER COLUMN name DROP DEFAULT", "writes-refused", ("column:public.depts.name",)),
        ("INSERT INTO depts (id) VALUES (1)", "not-undone", ()),
    ],
)
@asynchronous
async def test_harm_is_seen(dsn: str, sql: str, rule: str, objects: tuple[str, ...]) -> None:
    found, factors = await assessed(dsn, sql)
    assert found.will_fail is None
    assert rule in factors, sorted(factors)
    assert set(factors[rule]) == set(objects)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE users ADD COLUMN nick text",
        "GRANT SELECT ON users TO PUBLIC",
        "ALTER TYPE mood ADD VALUE 'so so'",
        "CREATE TABLE fresh (id int); ALTER TABLE fresh ADD COLUMN x uuid DEFAULT gen_random_uuid(); DROP TABLE fresh",
        "CREATE INDEX CONCURRENTLY ON users (at)",
        "INSERT INTO depts (id) VALUES (1)",
        "ALTER TABLE depts ALTER COLUMN name SET DEFAULT 'none'",
    ],
)
@asynchronous
async def test_harmless_statements_are_low(dsn: str, sql: str) -> None:
    found, factors = await assessed(dsn, sql)
    assert found.overall_risk_level is RiskLevel.LOW, factors


@asynchronous
async def test_a_row_by_its_key_is_one_row(dsn: str) -> None:
    scores = []
    for where in ("", " WHERE at > now()", " WHERE email = '7'", " WHERE id = 7 AND at > now()"):
        found, _ = await assessed(dsn, f"DELETE FROM users{where}")
        assert found.overall_score is not None
        scores.append(found.overall_score)
    assert scores[0] == scores[1] > scores[2] == scores[3]


@asynchronous
async def test_what_nobody_can_tell_is_unknown(dsn: str) -> None:
    for sql in ("DROP OWNED BY CURRENT_USER", "DO $$ BEGIN EXECUTE format('DROP TABLE %I', current_user); END $$"):
        found, _ = await assessed(dsn, sql)
        assert found.unknown, sql
        assert found.overall_risk_level > RiskLevel.LOW


@asynchronous
async def test_the_same_question_has_the_same_answer(dsn: str) -> None:
    sql = "ALTER TABLE users DROP COLUMN email CASCADE; DROP TYPE mood CASCADE; TRUNCATE depts CASCADE"
    surroundings = await surroundings_of(dsn, sql)
    assert assess_sql(sql, surroundings) == assess_sql(sql, surroundings)


@asynchronous
async def test_what_the_plan_made_itself_guards_nothing_of_others(dsn: str) -> None:
    own = "CREATE POLICY q ON users USING (true); DROP POLICY q ON users"
    _, rules = await assessed(dsn, own)
    assert "guard-lost" not in rules
    _, rules = await assessed(dsn, f"{own}; DROP POLICY p ON users")
    assert rules["guard-lost"] == ("table:public.users",)
