from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.facts.condition import BOOL, Condition
from dflint.facts.fields import Reader
from dflint.facts.kinds import Kinds
from dflint.facts.vocabulary import vocabulary
from dflint.facts.when import compile_when
from dflint.facts.when_verification import WhenVerifier
from dflint.facts.yaml_loader import load
from dflint.model.catalog import UNKNOWN
from dflint.model.context import Context
from dflint.model.errors import RuleError
from dflint.model.names import Name
from dflint.model.operations.data import Update
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.tables import AddColumn, SetTableOptions
from dflint.model.schema import Constraint
from tests.facts.contexts import col, column, context_of, operator

INDEX = CreateIndex(target=Name("app", "t"), name="i", concurrently=True)


def holds(when: dict[str, Any], operation: Any = INDEX, **circumstances: Any) -> bool | None:
    return compile_when(when, vocabulary()).holds(context_of(operation, **circumstances))


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ({"concurrently": True}, True),
        ({"concurrently": False}, False),
        ({"concurrently": True, "unique": True}, False),
        ({"method": ["btree", "hash"]}, True),
        ({"method": {"not": "btree"}}, False),
        ({"where": None}, True),
        ({"where": {"not": None}}, False),
        ({"target": "app.t"}, True),
        ({"target.schema": ["app"]}, True),
        ({"target.name": "u"}, False),
        ({"elements": {"empty": True}}, True),
        ({"any": [{"unique": True}, {"concurrently": True}]}, True),
        ({"none": [{"unique": True}, {"only": True}]}, True),
        ({"not": {"concurrently": True}}, False),
        ({"version": {"at_least": 14, "below": 19}}, True),
        ({"version": {"at_least": 14, "below": 18}}, False),
        ({"version": {"above": 17}}, True),
        ({"version": {"at_most": 17}}, False),
        ({"setting.lock_timeout": None}, True),
        ({"setting.lock_timeout": {"above": 0}}, False),
    ],
)
def test_expectations(when: dict[str, Any], answer: bool) -> None:
    assert holds(when) is answer


def test_a_path_goes_through_lists() -> None:
    new = column("c", constraints=(Constraint("check"), Constraint("foreign_key")))
    add = AddColumn(target=Name(None, "t"), column=new)
    assert holds({"column.constraints.kind": {"contains": "check"}}, add) is True
    assert holds({"column.constraints.kind": {"contains": ["unique", "foreign_key"]}}, add) is True
    assert holds({"column.constraints.kind": {"contains": "unique"}}, add) is False


def test_options_are_compared_by_name() -> None:
    setting = SetTableOptions(target=Name(None, "t"), options=(("fillfactor", "70"),))
    assert holds({"options": {"contains": "fillfactor"}}, setting) is True
    assert holds({"options": {"contains": "user_catalog_table"}}, setting) is False


def test_numbers_and_booleans_are_not_confused() -> None:
    assert holds({"unique": 0}) is False
    assert holds({"setting.lock_timeout": 0}, settings={"lock_timeout": "0"}) is True


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("5s", 5000), ("1000", 1000), ("'2min'", 120_000), ("0", 0), ("0.5s", 500), ("100 ms", 100), ("1h", 3_600_000)],
)
def test_durations(written: str, milliseconds: int) -> None:
    assert holds({"setting.lock_timeout": milliseconds}, settings={"lock_timeout": written}) is True


def test_an_unreadable_duration_is_unknown() -> None:
    assert holds({"setting.lock_timeout": 0}, settings={"lock_timeout": ":timeout"}) is None


# --- three-valued logic ---------------------------------------------------------------------------------------------

NAMES = ("c.a", "c.b", "c.c")


def conditions(values: dict[str, Any]) -> dict[str, Condition]:
    def condition(name: str) -> Condition:
        def answer(_context: Context) -> Any:
            """Whatever the test says."""
            return values[name]

        return Condition(name, BOOL, answer, name)

    return {name: condition(name) for name in NAMES}


leaves = st.builds(lambda name, expected: {name: expected}, st.sampled_from(NAMES), st.booleans())
whens = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"any": [a, b]}, inner, inner),
        st.builds(lambda a, b: {"none": [a, b]}, inner, inner),
        st.builds(lambda a: {"not": a}, inner),
        st.builds(lambda a, b: {**a, **b}, inner, inner),
    ),
    max_leaves=8,
)
answers = st.fixed_dictionaries({name: st.sampled_from([True, False, UNKNOWN]) for name in NAMES})


@given(whens, answers, st.data())
def test_learning_never_flips_a_known_answer(when: dict[str, Any], values: dict[str, Any], data: Any) -> None:
    context = context_of(INDEX)
    before = compile_when(when, conditions(values)).holds(context)
    learnt = {
        name: data.draw(st.sampled_from([True, False, UNKNOWN])) if value is UNKNOWN else value
        for name, value in values.items()
    }
    after = compile_when(when, conditions(learnt)).holds(context)
    assert before is None or after is before


@given(whens, answers)
def test_unknown_names_what_would_decide(when: dict[str, Any], values: dict[str, Any]) -> None:
    compiled = compile_when(when, conditions(values))
    context = context_of(INDEX)
    unknown = {condition.name for condition in compiled.unknown(context)}
    assert bool(unknown) is (compiled.holds(context) is None)
    assert all(values[name] is UNKNOWN for name in unknown)


@given(whens, answers)
def test_with_everything_known_the_answer_is_known(when: dict[str, Any], values: dict[str, Any]) -> None:
    known = {name: value is True for name, value in values.items()}
    assert compile_when(when, conditions(known)).holds(context_of(INDEX)) is not None


def test_cheap_tests_decide_first() -> None:
    asked: list[str] = []

    def answer(_context: Context) -> bool:
        asked.append("asked")
        return True

    when = {"effect.x": True, "concurrently": False}
    compiled = compile_when(when, {"effect.x": Condition("effect.x", BOOL, answer)})
    assert compiled.holds(context_of(INDEX)) is False
    assert asked == []


# --- verification ---------------------------------------------------------------------------------------------------


def problems(yaml: str, *kinds: str) -> list[str]:
    found: list[RuleError] = []
    reader = Reader(load(yaml, "r.yaml"), found)
    types = {kind: Kinds().types[kind] for kind in kinds}
    WhenVerifier(reader, vocabulary()).verify((), reader.document.data, types)
    return [str(error) for error in found]


@pytest.mark.parametrize(
    ("yaml", "kinds", "wanted"),
    [
        ("concurently: true", ["create_index"], "r.yaml:1: unknown field of create_index or condition 'concurently'"),
        ("concurently: true", ["create_index"], "did you mean 'concurrently'?"),
        ("unique: true\ntarget.knew: true", ["create_index"], "r.yaml:2"),
        ("target.knew: true", ["create_index"], "did you mean 'target.new'?"),
        ("concurrently: 'yes'", ["create_index"], "'concurrently' is true or false, never 'yes'"),
        ("concurrently: null", ["create_index"], "'concurrently' is never null"),
        ("persistence: temporay", ["create_table"], "did you mean 'temporary'?"),
        ("type_change: rewrites", ["alter_column_type"], "did you mean 'rewrite'?"),
        ("version: {atleast: 4}", ["begin"], "did you mean 'at_least'?"),
        ("version: {at_least: x}", ["begin"], "'at_least' must be a whole number"),
        ("method: {above: 4}", ["create_index"], "'method' is not a number"),
        ("method: {contains: a}", ["create_index"], "'method' is not a list"),
        ("elements.column: a", ["create_index"], "is a list"),
        ("where: true", ["update"], "has parts"),
        ("method: []", ["create_index"], "empty list"),
        ("any: {unique: true}", ["create_index"], "must be a list"),
        ("any: [{uniq: true}]", ["create_index"], "r.yaml:1"),
        ("not: {unique: 3}", ["create_index"], "'unique' is true or false"),
        ("concurrently: true", ["create_index", "add_column"], "unknown field of add_column"),
        ("column.constraints.kind: {contains: chek}", ["add_column"], "did you mean 'check'?"),
    ],
)
def test_mistakes_are_found_at_load(yaml: str, kinds: list[str], wanted: str) -> None:
    assert wanted in "\n".join(problems(yaml, *kinds))


@pytest.mark.parametrize(
    ("yaml", "kinds"),
    [
        ("concurrently: true", ["create_index", "drop_index", "reindex", "detach_partition"]),
        ("where: null", ["update", "delete"]),
        (
            "any: [{kind: create_index, unique: true}, {kind: add_column, column.serial: true}]",
            ["create_index", "add_column"],
        ),
        ("lock: [ACCESS EXCLUSIVE, SHARE]\nsetting.lock_timeout: null", ["create_index"]),
        ("column.type.name.name: json", ["add_column"]),
        ("constraint.expression: {not: null}", ["add_check"]),
    ],
)
def test_good_ones_pass(yaml: str, kinds: list[str]) -> None:
    assert problems(yaml, *kinds) == []


def test_kind_guards_the_fields_of_one_operation() -> None:
    when = {"any": [{"kind": "create_index", "unique": True}, {"kind": "update", "where": None}]}
    assert holds(when, Update(target=Name(None, "t"))) is True
    assert holds(when, Update(target=Name(None, "t"), where=operator("=", col("a"), col("b")))) is False
