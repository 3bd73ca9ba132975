"""The examples of recipes are tests: the statements that come out, and that a server takes them."""

from __future__ import annotations

import psycopg
import pytest

from dflint.app.plan import plan_sql
from dflint.app.request import NEWEST_VERSION
from dflint.app.safe_plan import recipe_book, safe_plan_sql
from dflint.model.catalog import Catalog
from dflint.plugin.manager import Plugins
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.rule import Example
from tests.recipes.proving import catalog_after
from tests.servers import TestServer

_BOOK = recipe_book()
_EXAMPLES = [
    pytest.param(identifier, example, steps, id=f"{identifier}-{number}")
    for identifier, listed in _BOOK.examples.items()
    for number, (example, steps) in enumerate(listed, start=1)
]


@pytest.mark.parametrize(("identifier", "example", "steps"), _EXAMPLES)
def test_example(identifier: str, example: Example, steps: tuple[str, ...]) -> None:
    version = example.pg_version or NEWEST_VERSION
    catalog = catalog_after(example.before, version)

    found = safe_plan_sql(example.sql, catalog, version=version)

    assert tuple(step.sql for step in found.plan.steps) == steps
    assert [each.recipe.id for each in found.replaced] == [identifier]
    assert found.replaced[0].steps == tuple(step.id for step in found.plan.steps)


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize(("identifier", "example", "steps"), _EXAMPLES)
def test_the_server_takes_it(pg: TestServer, identifier: str, example: Example, steps: tuple[str, ...]) -> None:
    recipe = _BOOK.recipes[identifier]
    assert steps
    if not (recipe.since or 0) <= pg.major <= (recipe.until or 100):
        return
    with psycopg.connect(pg.new_database(), autocommit=True) as connection:
        connection.execute(example.before.encode())
        for step in safe_plan_sql(example.sql, catalog_after(example.before, pg.major), version=pg.major).plan.steps:
            if step.kind != "manual":
                connection.execute(step.sql.encode())


def test_rules_name_recipes_that_exist() -> None:
    rules = Rulebook.load(checks=Plugins().checks()).rules
    named = {recipe for rule in rules.values() for recipe in rule.recipes}
    assert named <= _BOOK.recipes.keys()


def test_without_need_nothing_is_replaced() -> None:
    sql = "CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t ADD CHECK (a > 0)"
    found = safe_plan_sql(sql, Catalog(basis="replay", closed=True), version=NEWEST_VERSION)
    assert not found.replaced
    assert found.plan.steps == plan_sql(sql, Catalog(basis="replay", closed=True), version=NEWEST_VERSION).steps


@pytest.mark.majors(14, 18)
def test_two_names_of_a_column_never_lose_a_value(pg: TestServer) -> None:
    before = "CREATE TABLE t (id bigint PRIMARY KEY, doc json, n int)"
    steps = safe_plan_sql(
        "ALTER TABLE t RENAME COLUMN doc TO body", catalog_after(before, pg.major), version=pg.major
    ).plan.steps
    with psycopg.connect(pg.new_database(), autocommit=True) as connection:
        connection.execute(f"{before}; INSERT INTO t VALUES (1, '[1]', 0), (2, '[2]', 0), (3, '[3]', 0)".encode())
        connection.execute(steps[0].sql.encode())
        connection.execute("UPDATE t SET n = 1 WHERE id = 1")
        connection.execute(steps[1].sql.encode())
        connection.execute("UPDATE t SET doc = '[20]' WHERE id = 2")
        connection.execute("UPDATE t SET body = '[30]' WHERE id = 3")
        connection.execute("INSERT INTO t (id, doc) VALUES (4, '[4]')")
        connection.execute("INSERT INTO t (id, body) VALUES (5, NULL), (6, '[6]')")
        rows = connection.execute("SELECT id, doc::text, body::text FROM t ORDER BY id").fetchall()
    assert len(steps) == 4
    values = ["[1]", "[20]", "[30]", "[4]", None, "[6]"]
    assert rows == [(number, value, value) for number, value in enumerate(values, start=1)]


@pytest.mark.majors(14, 18)
def test_two_names_of_a_column_with_a_default(pg: TestServer) -> None:
    before = "CREATE TABLE t (id bigint PRIMARY KEY, a varchar(9) DEFAULT 'usual', at timestamptz DEFAULT now())"
    with psycopg.connect(pg.new_database(), autocommit=True) as connection:
        connection.execute(f"{before}; INSERT INTO t VALUES (0, NULL)".encode())
        for sql in ("ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t RENAME COLUMN at TO made"):
            steps = safe_plan_sql(sql, catalog_after(before, pg.major), version=pg.major).plan.steps
            connection.execute(steps[0].sql.encode())
            connection.execute(steps[1].sql.encode())
        connection.execute("INSERT INTO t (id, a) VALUES (1, 'x'), (2, NULL), (3, 'usual'), (4, DEFAULT)")
        connection.execute("INSERT INTO t (id, b) VALUES (5, 'x'), (6, NULL), (7, 'usual'), (8, DEFAULT)")
        connection.execute("INSERT INTO t (id, at) VALUES (9, '2020-01-01'), (10, NULL)")
        connection.execute("INSERT INTO t (id, made) VALUES (11, '2020-01-01'), (12, NULL)")
        rows = connection.execute("SELECT id, a, b FROM t WHERE id < 9 ORDER BY id").fetchall()
        times = connection.execute("SELECT id, at IS NULL FROM t WHERE at IS NOT DISTINCT FROM made").fetchall()
    values = [None, "x", None, "usual", "usual", "x", None, "usual", "usual"]
    assert rows == [(number, value, value) for number, value in enumerate(values)]
    assert dict(times) == {number: number in (10, 12) for number in range(13)}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET n = (SELECT max(n) FROM t) + 1",
        "UPDATE t SET n = 1 WHERE id IN (SELECT id FROM t LIMIT 10)",
        "UPDATE t SET n = o.n FROM t AS o WHERE o.id = t.id + 1",
        "UPDATE t SET n = v.n FROM v WHERE v.id = t.id",
    ],
)
def test_what_reads_its_own_table_is_not_cut_into_batches(sql: str) -> None:
    before = "CREATE TABLE t (id bigint PRIMARY KEY, n int); CREATE VIEW v AS SELECT id + 1 AS id, n FROM t"
    found = safe_plan_sql(sql, catalog_after(before, 18), version=18)
    assert found.kept == (sql,)
    assert "what batches before it wrote" in found.not_followed[0][1]


@pytest.mark.parametrize(
    ("before", "sql", "reason"),
    [
        ("", "DELETE FROM t WHERE n < (SELECT avg(n) FROM t)", "what batches before it wrote"),
        ("ALTER TABLE t ADD parent bigint REFERENCES t", "DELETE FROM t WHERE n = 1", "leads back to public.t"),
        (
            (
                "CREATE TABLE u (id bigint PRIMARY KEY, t bigint REFERENCES t ON DELETE CASCADE); "
                "ALTER TABLE t ADD u bigint REFERENCES u ON DELETE SET NULL"
            ),
            "DELETE FROM t WHERE u IS NOT NULL",
            "leads back to public.t",
        ),
        (
            (
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
                "CREATE TRIGGER counts AFTER DELETE ON t EXECUTE FUNCTION f()"
            ),
            "DELETE FROM t WHERE n = 1",
            "fires once for the whole statement",
        ),
    ],
)
def test_a_delete_that_would_not_be_the_same_in_batches_stays_whole(before: str, sql: str, reason: str) -> None:
    before = f"CREATE TABLE t (id bigint PRIMARY KEY, n int); {before}"
    found = safe_plan_sql(sql, catalog_after(before, 18), version=18)
    assert found.kept == (sql,)
    assert reason in found.not_followed[0][1]


def test_a_partition_whose_foreign_keys_would_be_looked_at_is_attached_as_it_is() -> None:
    before = (
        "CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE c (id int, o int); "
        "CREATE TABLE p (id int, o int REFERENCES o) PARTITION BY RANGE (id)"
    )
    sql = "ALTER TABLE p ATTACH PARTITION c FOR VALUES FROM (1) TO (10)"
    found = safe_plan_sql(sql, catalog_after(before, 18), version=18)
    assert [step.sql for step in found.plan.steps] == [sql]
    assert "p has foreign keys" in found.not_followed[0][1]
