"""From harm to points: each factor's are by one rule, their sum is the category's score, the worst counts in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dflint.analysis.risk.harms import harms
from dflint.analysis.risk.views import Question
from dflint.model.risk import (
    CategoryRisk,
    Harm,
    MatrixRow,
    RiskAssessment,
    RiskCategory,
    RiskEvidence,
    RiskFactor,
    RiskLevel,
    RiskRule,
)

#: Where each level begins.
BEGINS: Final = {RiskLevel.LOW: 0, RiskLevel.MEDIUM: 25, RiskLevel.HIGH: 50, RiskLevel.CRITICAL: 75}
#: What messages say in place of quantities that nobody knows.
_UNKNOWN: Final = {
    "seconds": "an unknown time",
    "rows": "an unknown number of",
    "bytes": "size unknown",
    "count": "an unknown number of",
    "calls": "an unknown number of",
    "uses": "an unknown number of",
}
#: What the other categories add to the worst one, of their scores.
_OTHERS: Final = 0.15

Check = Callable[[Question], Iterable[Harm]]


def level_of(score: int) -> RiskLevel:
    """The level of a score of 0 to 100."""
    return max((level for level, begins in BEGINS.items() if score >= begins), key=lambda level: level.value)


def assess(
    question: Question,
    rules: Sequence[RiskRule],
    rows: Sequence[MatrixRow] = (),
    checks: Mapping[str, Check] | None = None,
) -> RiskAssessment:
    """What may go wrong.

    The score of a category is the sum of its factors, 100 at most. In all it is the worst category's, and 15 of 100 of
    the others' together. More harm never gives fewer points.

    Args:
        question: what is assessed.
        rules: how bad each kind of harm is.
        rows: of the decision matrix, those that fit the operation.
        checks: for rules that find their harm themselves, by reference.
    """
    found = list(harms(question))
    extra = {rule.id: list((checks or {})[rule.check](question)) for rule in rules if rule.check}
    categories, evidence = score_harms(found, rules, extra)
    scored = {rule.harm for rule in rules}
    missing = dict.fromkeys(
        word
        for harm in (*(each for each in found if each.kind in scored), *(one for own in extra.values() for one in own))
        for word in harm.missing
    )
    floor = max((row.level for row in rows), default=None)
    score = max(evidence, 0 if floor is None else BEGINS[floor])
    refusals = (each.refused_by_server for view in question.steps for each in view.effects)
    refusal = next((each for each in refusals if each is not None), None)
    strictest = max(rows, key=lambda row: (row.safety_level, row.level), default=None)
    return RiskAssessment(
        operation=question.operation,
        target=question.target,
        sql=question.sql,
        overall_score=None if refusal is not None else score,
        evidence_score=None if refusal is not None else evidence,
        overall_risk_level=RiskLevel.CRITICAL if refusal is not None else level_of(score),
        category_risks=categories,
        matrix_level=floor,
        safety_level=None if strictest is None else strictest.safety_level,
        required_checks=tuple(dict.fromkeys(check for row in rows for check in row.checks)),
        will_fail=refusal,
        unknown=(*question.catalog.incomplete, *missing),
        basis=question.catalog.basis,
    )


def score_harms(
    found: Iterable[Harm], rules: Sequence[RiskRule], extra: Mapping[str, Sequence[Harm]] | None = None
) -> tuple[dict[RiskCategory, CategoryRisk], int]:
    """The categories, and the score in all by evidence alone.

    Args:
        found: all harm.
        rules: how bad each kind of it is.
        extra: what rules found themselves, by their ids.
    """
    by_kind: dict[str, list[Harm]] = {}
    for harm in found:
        by_kind.setdefault(harm.kind, []).append(harm)
    factors: dict[RiskCategory, list[RiskFactor]] = {category: [] for category in RiskCategory}
    for rule in rules:
        mine = (extra or {}).get(rule.id, ()) if rule.check else by_kind.get(rule.harm, ())
        factor = _factor(rule, mine)
        if factor is not None:
            factors[rule.category].append(factor)
    categories = {category: _category(listed) for category, listed in factors.items()}
    scores = sorted((each.score for each in categories.values()), reverse=True)
    return categories, min(100, round(scores[0] + _OTHERS * sum(scores[1:])))


def points(rule: RiskRule, harm: Harm) -> float:
    """What a rule gives for one harm."""
    scale = rule.scale
    if scale is None:
        return min(rule.points, rule.at_most)
    amount = harm.quantities.get(scale.of, scale.assumed)
    if harm.missing:
        amount = max(amount, scale.assumed)
    more = scale.points * math.log10(amount / scale.above) if amount > scale.above else 0.0
    return min(rule.points + more, rule.at_most)


def _factor(rule: RiskRule, found: Sequence[Harm]) -> RiskFactor | None:
    """The worst of what a rule scores: the same harm in two steps is not twice as bad. None where there is none."""
    if not found:
        return None
    worst = max(found, key=lambda harm: points(rule, harm))
    objects = tuple(dict.fromkeys(each for harm in (worst, *found) for each in harm.objects))
    evidence = list(dict.fromkeys(worst.evidence))
    evidence += [RiskEvidence("missing", f"not known: {word}") for word in worst.missing]
    return RiskFactor(
        rule=rule.id,
        description=_message(rule, objects, worst),
        points=math.ceil(points(rule, worst)),
        objects=objects,
        evidence=tuple(evidence),
    )


def _message(rule: RiskRule, objects: Sequence[str], harm: Harm) -> str:
    shown = ", ".join(objects[:3]) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
    words = {name: _amount(name, value) for name, value in harm.quantities.items()}
    return rule.message.format(objects=shown or "the database", **(_UNKNOWN | words))


def _amount(name: str, value: float) -> str:
    if name == "seconds":
        return f"{value:.2g} s" if value < 100 else f"{value / 60:.3g} min"
    if name == "bytes":
        for unit in ("bytes", "kB", "MB", "GB"):
            if value < 10_000:
                return f"{value:.0f} {unit}"
            value /= 1024
        return f"{value:.0f} TB"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _category(factors: Sequence[RiskFactor]) -> CategoryRisk:
    """The worst factors first; what is above 100 together is cut off from the last ones."""
    left, kept = 100, list[RiskFactor]()
    for factor in sorted(factors, key=lambda each: (-each.points, each.rule)):
        given = min(factor.points, left)
        left -= given
        kept.append(_with_points(factor, given))
    score = 100 - left
    return CategoryRisk(score=score, risk_level=level_of(score), risk_factors=tuple(kept))


def _with_points(factor: RiskFactor, given: int) -> RiskFactor:
    if given == factor.points:
        return factor
    return RiskFactor(
        rule=factor.rule,
        description=factor.description,
        points=given,
        objects=factor.objects,
        evidence=factor.evidence,
    )
