"""What CHECK constraints prove about partition bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.facts.implication import claims, excludes_bound, implies_bound
from dflint.model.expressions import Expr
from dflint.model.schema import PartitionBound
from tests.facts.contexts import col, constant, operator


def bound(lower: str | None, upper: str | None) -> PartitionBound:
    ends = [None if end is None else constant(end) for end in (lower, upper)]
    return PartitionBound("range", lower=(ends[0],), upper=(ends[1],))


def listed(*values: str) -> PartitionBound:
    return PartitionBound("list", values=tuple(constant(value) for value in values))


def compare(symbol: str, value: str) -> Expr:
    return operator(symbol, col("k"), constant(value))


def among(*values: str) -> Expr:
    return Expr("in", args=(col("k"), *(constant(value) for value in values)))


@pytest.mark.parametrize(
    ("checks", "within", "implied", "excluded"),
    [
        ([compare(">=", "200"), compare("<", "300")], bound("200", "300"), True, False),
        ([compare(">=", "200"), compare("<", "400")], bound("200", "300"), False, False),
        ([compare(">", "199"), compare("<=", "299")], bound("200", "300"), False, False),
        ([compare(">", "200"), compare("<=", "299")], bound("200", "300"), True, False),
        ([compare("=", "250")], bound("200", "300"), True, False),
        ([among("200", "299")], bound("200", "300"), True, False),
        ([among("200", "300")], bound("200", "300"), False, False),
        ([compare(">=", "5")], bound("5", None), True, False),
        ([compare("<", "200")], bound("200", "300"), False, True),
        ([compare(">=", "300")], bound("200", "300"), False, True),
        ([compare("<=", "200")], bound("200", "300"), False, False),
        ([compare(">=", "2024-01-01"), compare("<", "2024-02-01")], bound("2024-01-01", "2024-03-01"), True, False),
        ([compare(">=", "b"), compare("<", "c")], bound("a", "z"), None, None),
        ([among("a", "b")], listed("a", "b", "c"), True, False),
        ([among("a", "d")], listed("a", "b"), False, False),
        ([among("x", "y")], listed("a", "b"), False, True),
    ],
)
def test_checks_and_bounds(
    checks: list[Expr], within: PartitionBound, implied: bool | None, excluded: bool | None
) -> None:
    found = claims(checks, "k")
    assert implies_bound(found, within) is implied
    assert excludes_bound(found, within) is excluded


NUMBERS = st.integers(0, 9)


@given(st.sampled_from(["<", "<=", "=", ">=", ">"]), NUMBERS, NUMBERS, NUMBERS)
def test_what_is_said_holds_for_every_value(symbol: str, limit: int, lower: int, upper: int) -> None:
    tests = {
        "<": lambda value: value < limit,
        "<=": lambda value: value <= limit,
        "=": lambda value: value == limit,
        ">=": lambda value: value >= limit,
        ">": lambda value: value > limit,
    }
    allowed = [value for value in range(-5, 15) if tests[symbol](value)]
    found = claims([compare(symbol, str(limit))], "k")
    within = bound(str(lower), str(upper))
    if implies_bound(found, within):
        assert all(lower <= value < upper for value in allowed)
    if excludes_bound(found, within):
        assert not any(lower <= value < upper for value in allowed)
