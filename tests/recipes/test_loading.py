"""Recipes of one's own: what is wrong with a file is said with its line, and a good one is followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflint.app.safe_plan import safe_plan_sql
from dflint.model.errors import InputError, RuleErrors
from dflint.planning.recipes import HOLES
from dflint.plugin.manager import Plugins
from dflint.rulebook.recipes import RecipeBook, load_recipes
from tests.recipes.proving import catalog_after

_PARTITIONED = """CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE q PARTITION OF p FOR VALUES FROM (1) TO (2)"""
_GOOD = """recipe: comment-first
title: Say first who did it
applies_to: [drop_view]
steps:
  - sql: COMMENT ON VIEW {target} IS 'goes soon'
    why: Somebody may wonder.
    undo: COMMENT ON VIEW {target} IS NULL
  - sql: "{statement}"
    why: It goes.
    pre:
      - {name: nobody uses it, sql: "SELECT count(*) = 0 FROM pg_locks WHERE relation = to_regclass('{target}')"}
consequences: {running_code: a, prepared_statements: b, logical_replication: c, row_level_security: d}
examples:
  - {sql: DROP VIEW v, before: CREATE VIEW v AS SELECT 1, steps: [x]}
"""


def _loaded(path: Path, content: str, name: str = "comment-first") -> RecipeBook:
    file = path / f"{name}.yaml"
    file.write_text(content)
    return load_recipes([str(file)], holes=tuple(HOLES), builders=Plugins().recipe_builders())


def test_a_recipe_of_ones_own_is_followed(tmp_path: Path) -> None:
    book = _loaded(tmp_path, _GOOD)
    catalog = catalog_after('CREATE VIEW "Odd.View" AS SELECT 1', 18)
    found = safe_plan_sql('DROP VIEW "Odd.View"', catalog, version=18, book=book)
    first, second = found.plan.steps
    assert first.sql == "COMMENT ON VIEW public.\"Odd.View\" IS 'goes soon'"
    assert first.undo.sql == ('COMMENT ON VIEW public."Odd.View" IS NULL',)
    assert second.sql == 'DROP VIEW "Odd.View"'
    assert second.pre[0].name == "nobody uses it"
    assert found.replaced[0].recipe.id == "comment-first"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("{target} IS 'goes", "{tarket} IS 'goes", 5, "unknown hole 'tarket' (did you mean 'target'?)"),
        ("recipe: comment-first", "recipe: other", 1, "the id 'other' is not the file's name 'comment-first'"),
        ("[drop_view]", "[drop_veiw]", 3, "unknown operation 'drop_veiw'"),
        ("why: Somebody may wonder.", "wy: Somebody may wonder.", 6, "unknown field 'wy' in a step"),
        ("row_level_security: d", "row_level: d", 12, "unknown field 'row_level' in the consequences"),
        ("applies_to:", "build: nothing\napplies_to:", 3, "unknown builder of steps 'nothing'"),
        (
            "why: It goes.",
            "why: It goes.\n    batch: 7",
            8,
            "a step of kind backfill has a batch, and no other has one",
        ),
        ("examples:", "when: {nonsense: 1}\nexamples:", 13, "nonsense"),
        ("examples:", "differs: [everything]\nexamples:", 13, "unknown difference 'everything'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in _GOOD
    with pytest.raises(RuleErrors) as caught:
        _loaded(tmp_path, _GOOD.replace(old, new, 1))
    text = str(caught.value)
    assert message in text
    assert f"comment-first.yaml:{line}:" in text


def test_a_statement_that_cannot_be_read_is_never_shown(tmp_path: Path) -> None:
    book = _loaded(tmp_path, _GOOD.replace("COMMENT ON VIEW {target} IS 'goes soon'", "COMMENT OF VIEW {target}", 1))
    catalog = catalog_after("CREATE VIEW v AS SELECT 1", 18)
    # The recipe cannot be followed: the statement stays as it is.
    found = safe_plan_sql("DROP VIEW v", catalog, version=18, book=book)
    assert [step.sql for step in found.plan.steps] == ["DROP VIEW v"]
    assert not found.replaced
    ((statement, reason),) = found.not_followed
    assert statement == "DROP VIEW v"
    assert "cannot be read: COMMENT OF VIEW public.v" in reason


def test_what_hangs_on_a_column_is_named() -> None:
    before = "CREATE TABLE t (id bigint PRIMARY KEY, n int); CREATE VIEW v AS SELECT n + 1 FROM t"
    found = safe_plan_sql("ALTER TABLE t ALTER n TYPE bigint", catalog_after(before, 16), version=16)
    assert [each.recipe.id for each in found.replaced] == ["lock-timeout"]
    assert "the view public.v reads it" in found.not_followed[0][1]


@pytest.mark.parametrize(
    ("before", "sql", "reason"),
    [
        (
            f"{_PARTITIONED}; CREATE TABLE d PARTITION OF p DEFAULT",
            "ALTER TABLE p DETACH PARTITION q",
            "has the default partition public.d",
        ),
        (
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE INDEX i ON p (id)",
            "DROP INDEX i",
            "which belongs to a partitioned table",
        ),
        (
            _PARTITIONED,
            "DROP TABLE q",
            "seen through its parent",
        ),
        ("CREATE TABLE t (id int PRIMARY KEY)", "UPDATE t SET id = id + 1", "columns that are NOT NULL and stay"),
    ],
)
def test_what_the_server_refuses_is_not_proposed(before: str, sql: str, reason: str) -> None:
    found = safe_plan_sql(sql, catalog_after(before, 16), version=16)
    assert not found.rewritten
    assert reason in found.not_followed[0][1]
    assert [step.sql for step in found.plan.steps] == [sql]


def test_words_that_make_a_statement_safe_to_repeat_stay() -> None:
    before = "CREATE TABLE t (id int); CREATE INDEX i ON t (id)"
    sql = "DROP INDEX IF EXISTS i; CREATE INDEX IF NOT EXISTS j ON t (id)"
    found = safe_plan_sql(sql, catalog_after(before, 16), version=16)
    assert [step.sql for step in found.plan.steps] == [
        "DROP INDEX CONCURRENTLY IF EXISTS public.i",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS j ON public.t USING btree (id)",
    ]


def test_holes_are_quoted() -> None:
    before = 'CREATE TABLE "we\'ird ""t." (id bigint PRIMARY KEY, "sel;ect" text)'
    catalog = catalog_after(before, 16)
    found = safe_plan_sql('ALTER TABLE "we\'ird ""t." ALTER "sel;ect" SET NOT NULL', catalog, version=16)
    assert found.plan.steps[0].sql == (
        'ALTER TABLE public."we\'ird ""t." ADD CONSTRAINT "we\'ird ""t._sel;ect_present" '
        'CHECK ("sel;ect" IS NOT NULL) NOT VALID'
    )


def test_new_names_are_free_and_short() -> None:
    table, column = "t" * 63, "c" * 63
    before = f"CREATE TABLE {table} ({column} text); CREATE TABLE {('t' * 55)}_present (a int)"
    found = safe_plan_sql(f"ALTER TABLE {table} ALTER {column} SET NOT NULL", catalog_after(before, 16), version=16)
    name = found.plan.steps[0].sql.split()[5]
    assert len(name.encode()) == 63
    assert name == f"{'t' * 54}_present1"
    with pytest.raises(InputError):
        safe_plan_sql("ALTER TABLE", catalog_after(before, 16), version=16)
