from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dflint.facts.effects import Facts
from dflint.facts.records import Fact, FactEffect
from dflint.facts.vocabulary import vocabulary
from dflint.model.catalog import Catalog, Table
from dflint.model.context import Context, Hit
from dflint.model.errors import ConfigError
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.tables import AlterColumnType
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.rule import Raised, Rule
from tests.facts.contexts import builtin, catalog_of, column, context_of, public

INDEX = CreateIndex(target=Name(None, "t"), name="i")
CHANGE = AlterColumnType(target=Name(None, "t"), column="c", type=builtin("text"))
FACTS = Facts([Fact("build", ("create_index",), FactEffect({"target": "SHARE"}, scan=True), since=13)], vocabulary())


def rule(name: str = "a-rule", **fields: Any) -> Rule:
    fields = {
        "title": "It",
        "level": "error",
        "operations": ("create_index", "alter_column_type"),
        "message": "{kind} on {target} takes {lock}",
        **fields,
    }
    return Rule(name, **fields)


def judge(
    rules: list[Rule], operation: Operation = INDEX, catalog: Catalog | None = None, **options: Any
) -> list[Raised]:
    book = Rulebook(rules, FACTS, **options)
    return book.judge(context_of(operation, catalog, knowledge=FACTS))


def test_a_rule_speaks_when_its_conditions_hold() -> None:
    (raised,) = judge([rule(when={"concurrently": False})])
    assert raised.message == "create index on t takes SHARE"
    assert (raised.level, raised.confidence, raised.lock, raised.because) == ("error", "high", "SHARE", "")
    assert judge([rule(when={"concurrently": True})]) == []
    assert judge([rule(operations=("drop_index",))]) == []


def test_rules_of_other_versions_are_silent() -> None:
    assert judge([rule(until=17)]) == []
    assert judge([rule(since=18)]) != []


def test_unknown_is_said_and_never_an_error() -> None:
    (raised,) = judge([rule(when={"type_change": "rewrite"})], CHANGE)
    assert (raised.level, raised.confidence) == ("warning", "low")
    assert "the present type of t.c" in raised.because
    assert raised.message.endswith("which is not known here.")
    assert raised.because in raised.message
    assert judge([rule(when={"type_change": "rewrite"}, level="info")], CHANGE)[0].level == "info"


def test_learning_the_fact_decides() -> None:
    rules = [rule(when={"type_change": "rewrite"})]
    integer = catalog_of(Table(public("t"), (column("c", builtin("int4")),)))
    varchar = catalog_of(Table(public("t"), (column("c", builtin("varchar")),)))
    (raised,) = judge(rules, CHANGE, integer)
    assert (raised.level, raised.confidence, raised.basis) == ("error", "high", "replay")
    assert judge(rules, CHANGE, varchar) == []


def test_a_rule_may_prefer_silence() -> None:
    quiet = rule(when={"type_change": "rewrite"}, quiet_unless_known=("type_change",))
    assert judge([quiet], CHANGE) == []


def test_confidence_is_at_most_the_rules() -> None:
    assert judge([rule(confidence="medium")])[0].confidence == "medium"


def test_basis_is_static_unless_the_catalog_was_asked() -> None:
    known = catalog_of(Table(public("t")))
    assert judge([rule(when={"concurrently": False})], INDEX, known)[0].basis == "static"
    assert judge([rule(when={"target.new": False})], INDEX, known)[0].basis == "replay"


def one_hit(_operation: Operation, _context: Context) -> Hit:
    return Hit(values={"count": "3"}, at=7)


def several(_operation: Operation, _context: Context) -> Iterator[Hit]:
    yield Hit("first", level="info")
    yield Hit("second", certain=False, because="the weather")


def nothing(_operation: Operation, _context: Context) -> None:
    return None


HERE = __name__


def test_checks() -> None:
    (raised,) = judge([rule(check=f"{HERE}:one_hit", message="{count} of {target}")])
    assert (raised.message, raised.at) == ("3 of t", 7)
    first, second = judge([rule(check=f"{HERE}:several")])
    assert (first.message, first.level, first.confidence) == ("first", "info", "high")
    assert (second.level, second.confidence, second.because) == ("warning", "low", "the weather")
    assert judge([rule(check=f"{HERE}:nothing")]) == []


def test_a_check_is_only_asked_when_the_conditions_hold() -> None:
    assert judge([rule(check=f"{HERE}:one_hit", when={"concurrently": True})]) == []


# --- selection ------------------------------------------------------------------------------------------------------

RULES = [
    rule("add-a", hazards=("H001",), tags=("locks",)),
    rule("add-b", hazards=("H002",)),
    rule("drop-c", default=False, tags=("locks",)),
]


@pytest.mark.parametrize(
    ("options", "active"),
    [
        ({}, {"add-a", "add-b"}),
        ({"select": ["all"]}, {"add-a", "add-b", "drop-c"}),
        ({"select": ["drop-c"]}, {"drop-c"}),
        ({"select": ["add-*"]}, {"add-a", "add-b"}),
        ({"select": ["H002"]}, {"add-b"}),
        ({"select": ["locks"]}, {"add-a", "drop-c"}),
        ({"select": ["locks"], "ignore": ["add-*"]}, {"drop-c"}),
        ({"ignore": ["H001"]}, {"add-b"}),
        ({"levels": {"add-a": "off"}}, {"add-b"}),
        ({"levels": {"drop-c": "info"}}, {"add-a", "add-b", "drop-c"}),
        ({"select": ["add-a"], "levels": {"add-*": "info"}}, {"add-a"}),
    ],
)
def test_selection(options: dict[str, Any], active: set[str]) -> None:
    book = Rulebook(RULES, FACTS, **options)
    assert set(book.active) == active
    assert {raised.rule.id for raised in book.judge(context_of(INDEX, knowledge=FACTS))} == active


def test_levels() -> None:
    book = Rulebook(RULES, FACTS, levels={"add-*": "info", "add-b": "warning"})
    assert [raised.level for raised in book.judge(context_of(INDEX, knowledge=FACTS))] == ["info", "warning"]


@pytest.mark.parametrize("options", [{"select": ["ad-a"]}, {"ignore": ["H999"]}, {"levels": {"x": "info"}}])
def test_selectors_that_name_nothing(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no rule is named"):
        Rulebook(RULES, FACTS, **options)


def test_levels_that_are_none() -> None:
    with pytest.raises(ConfigError, match="'bad' is not a level"):
        Rulebook(RULES, FACTS, levels={"add-a": "bad"})
