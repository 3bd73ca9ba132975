"""Scores: sums of points, never less for more harm, the same every time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dflint.analysis.risk.harms import KINDS
from dflint.analysis.risk.scoring import score_harms
from dflint.app.assess import risk_book
from dflint.model.risk import Harm, RiskCategory

_QUANTITIES = ("seconds", "rows", "bytes", "count", "calls", "uses")
_amounts = st.floats(min_value=0, max_value=1e14, allow_nan=False)
_harms = st.builds(
    Harm,
    kind=st.sampled_from(sorted(KINDS)),
    objects=st.lists(st.sampled_from(["table:public.a", "table:public.b"]), max_size=2).map(tuple),
    quantities=st.dictionaries(st.sampled_from(_QUANTITIES), _amounts, max_size=6),
    missing=st.lists(st.just("how large it is"), max_size=1).map(tuple),
)


@given(st.lists(_harms, max_size=12))
def test_points_sum_to_scores(found: list[Harm]) -> None:
    categories, overall = score_harms(found, risk_book().rules)
    assert list(categories) == list(RiskCategory)
    for risk in categories.values():
        assert 0 <= risk.score <= 100
        assert sum(factor.points for factor in risk.risk_factors) == risk.score
        assert all(first.points >= second.points >= 0 for first, second in pairwise(risk.risk_factors))
    assert max(risk.score for risk in categories.values()) <= overall <= 100


@given(st.lists(_harms, max_size=8), _harms)
def test_more_harm_never_lowers_a_score(found: list[Harm], more: Harm) -> None:
    _never_less(found, [*found, more])


@given(st.lists(_harms, min_size=1, max_size=8), st.sampled_from(_QUANTITIES), _amounts, st.data())
def test_greater_quantities_never_lower_a_score(
    found: list[Harm], quantity: str, more: float, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    known = found[at].quantities.get(quantity, 0.0)
    # A quantity that was not known becomes known: what it was assumed to be is no harm that was seen.
    less = replace(found[at], quantities={**found[at].quantities, quantity: known})
    greater = replace(found[at], quantities={**found[at].quantities, quantity: known + more})
    _never_less([*found[:at], less, *found[at + 1 :]], [*found[:at], greater, *found[at + 1 :]])


@given(st.lists(_harms, min_size=1, max_size=8), st.data())
def test_knowing_less_never_lowers_a_score_below_the_middle(found: list[Harm], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    doubted = replace(found[at], missing=("how large it is",))
    _never_less(found, [*found[:at], doubted, *found[at + 1 :]])


@given(st.lists(_harms, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_harms_does_not_matter_to_scores(found: list[Harm], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    one, other = score_harms(found, risk_book().rules), score_harms(shuffled, risk_book().rules)
    assert one[1] == other[1]
    assert {name: risk.score for name, risk in one[0].items()} == {name: risk.score for name, risk in other[0].items()}


def test_each_kind_of_harm_is_scored_by_a_rule() -> None:
    assert {rule.harm for rule in risk_book().rules if rule.harm} == set(KINDS)
    for rule in risk_book().rules:
        assert rule.at_most >= rule.points, rule.id
        harm = Harm(kind=rule.harm, missing=("something",))
        categories, overall = score_harms([harm], (rule,))
        (factor,) = categories[rule.category].risk_factors
        assert overall >= factor.points > 0
        assert "{" not in factor.description


def _never_less(found: list[Harm], worse: list[Harm]) -> None:
    rules = risk_book().rules
    before, overall_before = score_harms(found, rules)
    after, overall_after = score_harms(worse, rules)
    for category in RiskCategory:
        assert before[category].score <= after[category].score
    assert overall_before <= overall_after
