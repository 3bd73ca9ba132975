"""Every example of every rule file is a test: bad ones raise the rule, good ones do not."""

from __future__ import annotations

import pytest

from dflint.rulebook.rule import Example, Rule
from tests.rules.judging import Found, Judge

JUDGE = Judge()
RULES = sorted(JUDGE.rulebook.rules.values(), key=lambda rule: rule.id)

#: What inline directives say is not about an operation; their rules have their own tests.
ABOUT_DIRECTIVES = frozenset(rule.id for rule in RULES if not rule.operations and "directives" in rule.tags)


def examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.id}-{number}")
        for rule in RULES
        if rule.id not in ABOUT_DIRECTIVES
        for number, example in enumerate(getattr(rule, kind), 1)
    ]


def told(found: list[Found]) -> str:
    return "\n".join(f"line {each.line}: {each.raised.level}, {each.raised.message}" for each in found)


@pytest.mark.parametrize(("rule", "example"), examples("bad"))
def test_bad_example(rule: Rule, example: Example) -> None:
    found = JUDGE.findings(rule.id, example)
    assert found, f"{rule.id} says nothing about:\n{example.sql}"
    if example.lines is not None:
        assert tuple(each.line for each in found) == example.lines, told(found)
    if example.certain is not None:
        assert all((not each.raised.because) is example.certain for each in found), told(found)
    for each in found:
        assert "unnamed" not in each.raised.message or "unnamed" in example.sql, told(found)


@pytest.mark.parametrize(("rule", "example"), examples("good"))
def test_good_example(rule: Rule, example: Example) -> None:
    found = JUDGE.findings(rule.id, example)
    assert not found, f"{rule.id} raises on:\n{example.sql}\n{told(found)}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_examples_are_sql(rule: Rule) -> None:
    if rule.id == "syntax-error":
        return
    for example in (*rule.good, *rule.bad):
        assert not JUDGE.findings("syntax-error", example), example.sql


def test_there_are_rules() -> None:
    assert len(RULES) >= 5
