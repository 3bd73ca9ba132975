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
