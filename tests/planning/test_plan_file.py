"""Plans in files: what is written is read, and an edit is known for what it is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.app.plan import load_plan
from dflint.model.errors import InputError
from dflint.model.plan import Backfill, Check, Estimate, Plan, PlanTarget, Step, Timeouts, Undo
from dflint.planning.hashes import normalised, plan_hash, step_hash
from dflint.planning.plan_file import read_plan, schema, write_plan
from tests.planning.plans import SHOP, plan

SQL = """
alter table users add a int;
create index concurrently i on users (age);
-- dflint: backfill batch=50
update users set age = 1;
alter table users drop email;
"""

Document = dict[str, Any]


def edited(change: Callable[[Document], None], source: Plan | None = None) -> bytes:
    document = json.loads(write_plan(source or plan(SQL)))
    change(document)
    return json.dumps(document, indent=2).encode()


def refusal(content: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_plan(content, "plan.json")
    assert caught.value.file == "plan.json"
    return caught.value


def line_of(content: bytes, pattern: str, nth: int = 0) -> int:
    found = [match.start() for match in re.finditer(pattern, content.decode())]
    return content.decode()[: found[nth]].count("\n") + 1


def reread(content: bytes) -> Plan:
    return asyncio.run(load_plan(content, "plan.json"))


# --- the document -------------------------------------------------------------------------------------------------


def test_the_schema_is_the_one_that_is_kept() -> None:
    kept = Path(__file__).parents[2] / "docs" / "schemas" / "plan.schema.json"
    assert schema() == kept.read_bytes(), "run python -m docs.schemas.generate"


def test_a_plan_fits_its_schema_and_begins_with_its_format() -> None:
    content = write_plan(plan(SQL))
    jsonschema.validate(json.loads(content), json.loads(schema()))
    keys = list(json.loads(content))
    assert keys[:2] == ["format", "schema_version"]
    assert keys[2:] == sorted(keys[2:])


def test_what_is_written_is_read() -> None:
    made = plan(SQL)
    assert read_plan(write_plan(made), "plan.json") == made


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
SIZES = st.none() | st.tuples(st.integers(0, 2**50), st.integers(0, 2**50))
STEPS = st.builds(
    Step,
    id=TEXT,
    sql=TEXT.filter(lambda text: bool(text.strip())),
    kind=st.sampled_from(["tx", "nontx", "check", "manual"]),
    group=TEXT,
    locks=st.dictionaries(TEXT, st.sampled_from(["SHARE", "ACCESS EXCLUSIVE"]), max_size=2),
    lock_class=st.sampled_from(["none", "schema_changes", "writes", "reads", "unknown"]),
    timeouts=st.builds(Timeouts, st.integers(0, 10**6), st.integers(0, 10**6)),
    estimate=st.none() | st.builds(Estimate, st.floats(0, 1e6), st.floats(0, 1e6), TEXT, SIZES, SIZES),
    pre=st.tuples(st.builds(Check, TEXT, TEXT)),
    undo=st.builds(Undo, st.lists(TEXT, max_size=2).map(tuple)) | st.builds(Undo, st.none(), TEXT),
    backfill=st.none() | st.builds(Backfill, TEXT, st.tuples(TEXT), st.integers(1, 10**6)),
    settings=st.dictionaries(TEXT, TEXT, max_size=2),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)


@given(st.lists(STEPS, max_size=3, unique_by=lambda step: step.id), TEXT)
def test_any_plan_survives_the_file(steps: list[Step], source: str) -> None:
    made = Plan(source=source, target=PlanTarget(18, "x"), steps=tuple(steps))
    assert read_plan(write_plan(made), "plan.json") == made


# --- edits --------------------------------------------------------------------------------------------------------


def unhashed(change: Callable[[Document], None]) -> bytes:
    def both(document: Document) -> None:
        document["hash"] = None
        change(document)

    return edited(both)


def test_statements_may_be_edited_and_are_judged_again() -> None:
    def change(document: Document) -> None:
        document["steps"][0]["sql"] = "alter table users add a int, drop age"
        document["steps"][0]["timeouts"]["lock_ms"] = 100

    found = reread(unhashed(change))
    assert found.steps[0].undo.irreversible == "the values of column age are lost"
    assert found.steps[0].timeouts.lock_ms == 100
    assert found.point_of_no_return == "1"
    assert found.hash == plan_hash(found)


def test_steps_may_be_deleted_and_put_in_another_order() -> None:
    def change(document: Document) -> None:
        del document["steps"][3]
        document["steps"][:2] = reversed(document["steps"][:2])

    found = reread(unhashed(change))
    assert [step.id for step in found.steps] == ["2", "1", "3"]
    assert found.point_of_no_return == "3"


def test_the_batch_may_be_edited() -> None:
    found = reread(unhashed(lambda document: document["steps"][2]["backfill"].update(batch=7)))
    assert found.steps[2].backfill == Backfill("table:public.users", ("id",), 7)


def test_an_edit_under_the_old_hash_is_refused() -> None:
    content = edited(lambda document: document["steps"][0].update(sql="alter table users add b int"))
    error = refusal(content)
    assert error.line == line_of(content, '"hash"')
    assert '"hash": null' in (error.remedy or "")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda document: document["steps"][1].update(undo={"sql": []}), 1),
        (lambda document: document["steps"][1].update(kind="tx"), 1),
        (lambda document: document["steps"][1].update(locks={}), 1),
        (lambda document: document["steps"][1].update(lock_class="none"), 1),
        (lambda document: document["steps"][1].update(id="9"), 1),
        (lambda document: document["steps"][3].update(undo={"sql": ["alter table users add email text"]}), 3),
        (lambda document: document["steps"][2]["backfill"].update(key=["age"]), 2),
        (lambda document: document["steps"][0].update(settings={"role": "postgres"}), 0),
        (lambda document: document["target"].update(catalog_fingerprint=""), 0),
    ],
)
def test_nothing_else_may_be_edited(change: Callable[[Document], None], where: int) -> None:
    content = unhashed(change)
    error = refusal(content)
    assert error.line == line_of(content, r"\n    \{", where) + 1
    assert "may not be edited" in error.message


def test_a_step_cannot_be_added() -> None:
    def change(document: Document) -> None:
        document["steps"].append({**document["steps"][0], "id": "5"})

    assert "may not be edited" in refusal(unhashed(change)).message


@pytest.mark.parametrize(
    ("old", "new", "pattern", "expected"),
    [
        (b'"kind": "tx"', b'"kind": "quick"', r"quick", "steps[0].kind does not fit"),
        (b'"lock_ms": 500', b'"lock_ms": "fast"', r"fast", "steps[0].timeouts.lock_ms does not fit"),
        (b'"lock_ms": 500', b'"lock_ms": -1', r"-1", "lock_ms is a number"),
        (b'"batch": 50', b'"batch": 0', r'"batch": 0', "at least one row"),
        (b'"source":', b'"sources":', r'"sources"', "has no 'sources'"),
        (b'"schema_version": 1', b'"schema_version": 2', r"schema_version", "schema_version does not fit"),
        (b'"format": "dflint-plan"', b'"format": "plan"', r"format", "format does not fit"),
        (b'"id": "1",', b'"id": "1",\n      "id": "2",', r'"id": "2"', "stands twice"),
        (b'"id": "2"', b'"id": "1"', r'\n    \{\n      "backfill"', "two steps have the id"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_line(old: bytes, new: bytes, pattern: str, expected: str) -> None:
    content = write_plan(plan(SQL))
    assert old in content
    broken = content.replace(old, new, 1)
    error = refusal(broken)
    assert expected in error.message
    if not expected.startswith("two steps"):
        assert error.line == line_of(broken, pattern)


def test_a_file_that_ends_early_is_no_plan() -> None:
    assert "no plan" in refusal(write_plan(plan(SQL))[:-20]).message
    assert "no plan" in refusal(b"{").message
    assert refusal(b'{"format":\n"dflint-plan",\n,}').line == 3


@given(st.binary(max_size=60))
def test_nonsense_is_refused_with_a_sentence(content: bytes) -> None:
    refusal(content)


def test_an_edited_statement_must_stay_of_its_kind() -> None:
    content = unhashed(lambda document: document["steps"][0].update(sql="create index concurrently j on users (a)"))
    with pytest.raises(InputError) as caught:
        reread(content)
    assert caught.value.line == line_of(content, '"sql"')
    content = unhashed(lambda document: document["steps"][1].update(sql="alter table users add b int"))
    with pytest.raises(InputError, match="step 2 is of kind nontx"):
        reread(content)
    content = unhashed(lambda document: document["steps"][0].update(sql="selec 1"))
    with pytest.raises(InputError, match="step 1, line 1 of its SQL"):
        reread(content)


# --- hashes -------------------------------------------------------------------------------------------------------


def test_fault_62_comments_and_white_space_do_not_count() -> None:
    one = plan("begin; alter table users add a int; select 1; commit")
    other = plan("-- now\nBEGIN;\n  alter   table users /* big */ add a\n int ;\n\nselect 1;commit;")
    assert one.hash == other.hash
    assert [step_hash(step) for step in one.steps] == [step_hash(step) for step in other.steps]
    assert plan("alter table users add b int").hash != plan("alter table users add c int").hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a  b'", "select 'a b'"),
        ("select 1; select 2", "select 1, 2"),
        ('select "A"', "select A"),
        ("select $$ -- x $$", "select $$ $$"),
    ],
)
def test_what_means_another_thing_has_another_form(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_the_same_file_makes_the_same_plan_after_it_was_applied() -> None:
    before, after = plan(SQL), plan(SQL, f"{SHOP}; alter table users add a int; create index i on users (age)")
    assert before.hash == after.hash
    assert before.target.catalog_fingerprint != after.target.catalog_fingerprint


def test_settings_and_files_count() -> None:
    assert plan("set role a; select 1").hash != plan("set role b; select 1").hash


@given(st.text(max_size=60))
def test_a_normal_form_is_normal(sql: str) -> None:
    assert normalised(normalised(sql)) == normalised(sql)
