"""Risk rules and the matrix as files: every mistake is told with file and line, all of them at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dflint.analysis.risk import Question
from dflint.analysis.risk.harms import KINDS
from dflint.app.assess import TOOLS, assess_sql, risk_book
from dflint.app.required_checks import CHECKS
from dflint.app.surroundings import Surroundings
from dflint.model.catalog import Catalog
from dflint.model.errors import RuleErrors
from dflint.model.risk import Harm, RiskCategory, RiskLevel
from dflint.plugin.hookspecs import hookimpl
from dflint.rulebook.risk import RiskBook, load_risk

RULE = """\
risk: on-fridays
title: Nobody is there to help
category: availability
harm: not_known
points: 5
scale: {of: seconds, above: 0.5, points: 2.5, assumed: 10}
message: "{objects}: nobody is there for {seconds}"
why: It is Friday.
"""
MATRIX = """\
matrix:
  - row: vacuum
    title: Vacuum
    operations: [vacuum]
    level: HIGH
    safety_level: 2
    checks: [validation]
"""


def load(folder: Path, **files: str) -> RiskBook:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return load_risk([str(folder)], harms=KINDS, tools=TOOLS)


def errors(folder: Path, **files: str) -> list[str]:
    with pytest.raises(RuleErrors) as caught:
        load(folder, **files)
    assert all(error.file and error.line for error in caught.value.errors)
    return [str(error).replace(f"{folder}/", "") for error in caught.value.errors]


def test_a_rule_is_read(tmp_path: Path) -> None:
    book = load(tmp_path, on_fridays=RULE)
    (rule,) = (rule for rule in book.rules if rule.id == "on-fridays")
    assert rule.category is RiskCategory.AVAILABILITY
    assert rule.scale is not None
    assert (rule.scale.above, rule.scale.points) == (0.5, 2.5)
    assert (rule.at_most, rule.line) == (100, 1)
    assert book.rows == risk_book().rows


def test_a_later_matrix_replaces_the_one_before_it(tmp_path: Path) -> None:
    book = load(tmp_path, matrix=MATRIX)
    assert [row.id for row in book.rows] == ["vacuum"]
    assessed = assess_sql("VACUUM t", Surroundings(Catalog.unknown()), book=book)
    assert assessed.matrix_level is RiskLevel.HIGH
    assert assessed.overall_risk_level >= RiskLevel.HIGH
    assert assessed.required_checks == ("validation",)


@pytest.mark.parametrize(
    ("wrong", "right", "line", "expected"),
    [
        ("category: availability", "category: looks", 3, "category"),
        ("harm: not_known", "harm: not_knwn", 4, "not_known"),
        ("points: 5", "points: five", 5, "points"),
        ("of: seconds", "of: minutes", 6, "of"),
        ("above: 0.5", "above: -1", 6, "a number above zero"),
        ("{objects}:", "{subjects}:", 7, "subjects"),
        ("why: It is Friday.", "", 1, "why"),
        ("title: Nobody is there to help", "titel: x", 2, "title"),
    ],
)
def test_mistakes_in_a_rule(tmp_path: Path, wrong: str, right: str, line: int, expected: str) -> None:
    found = errors(tmp_path, on_fridays=RULE.replace(wrong, right))
    assert any(f"on-fridays.yaml:{line}" in each and expected in each for each in found), found


@pytest.mark.parametrize(
    ("wrong", "right", "line", "expected"),
    [
        ("[vacuum]", "[vacum]", 4, "vacuum"),
        ("HIGH", "HIGHEST", 5, "CRITICAL"),
        ("safety_level: 2", "safety_level: 4", 6, "1, 2 or 3"),
        ("[validation]", "[validatoin]", 7, "validation"),
    ],
)
def test_mistakes_in_the_matrix(tmp_path: Path, wrong: str, right: str, line: int, expected: str) -> None:
    found = errors(tmp_path, matrix=MATRIX.replace(wrong, right))
    assert any(f"matrix.yaml:{line}" in each and expected in each for each in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = errors(
        tmp_path,
        on_fridays=RULE.replace("points: 5", "points: five").replace("availability", "looks"),
        matrix=MATRIX.replace("HIGH", "HIGHEST"),
    )
    assert len(found) == 3, found


def test_an_id_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "on-fridays.yaml").write_text(RULE, encoding="utf-8")
    (told,) = errors(tmp_path, on_fridays=RULE)
    assert "already" in told


def test_each_check_of_the_matrix_can_be_done() -> None:
    assert set(TOOLS) == set(CHECKS)
    assert {check for row in risk_book().rows for check in row.checks} <= set(CHECKS)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A plugin with a function that finds harm, and a risk rule that asks it."""
    (tmp_path / "long-text.yaml").write_text(
        RULE.replace("on-fridays", "long-text").replace("harm: not_known", "check: long-text"), encoding="utf-8"
    )
    module = ModuleType("risk_plugin")

    class Offers:
        @hookimpl
        def dflint_rule_paths(self) -> list[str]:
            return [str(tmp_path)]

        @hookimpl
        def dflint_risk_checks(self) -> dict[str, str]:
            return {"long-text": "risk_plugin:found"}

    def found(question: Question) -> list[Harm]:
        return [Harm(kind="long", objects=(question.operation,), quantities={"seconds": float(len(question.sql))})]

    offers = Offers()
    vars(module).update(found=found, dflint_rule_paths=offers.dflint_rule_paths)
    vars(module).update(dflint_risk_checks=offers.dflint_risk_checks)
    monkeypatch.setitem(sys.modules, "risk_plugin", module)
    risk_book.cache_clear()
    yield "risk_plugin"
    risk_book.cache_clear()


def test_a_plugin_finds_harm(plugin: str) -> None:
    found = assess_sql("VACUUM t", Surroundings(Catalog.unknown()), book=risk_book((plugin,)))
    factors = found.category_risks[RiskCategory.AVAILABILITY].risk_factors
    (mine,) = (factor for factor in factors if factor.rule == "long-text")
    assert mine.description == "vacuum: nobody is there for 8 s"
    assert mine.points == 9  # 5, and 2.5 for each power of ten above half a second
