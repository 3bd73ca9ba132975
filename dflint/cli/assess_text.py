"""An assessment as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dflint.app.assess_request import Assessed
from dflint.model.risk import RiskAssessment

_WIDTH = 116
_PASSED = {True: "ok", False: "FAILED", None: "not known"}


def render(found: Assessed) -> str:
    """Level and score, the reasons by category, and the checks."""
    lines: list[str] = []
    for each in found.assessments:
        lines += _assessment(each)
    if found.checks:
        lines += ["", "Checks of the decision matrix:"]
        for check in found.checks:
            lines += _wrapped(f"{check.name:18}{_PASSED[check.passed]}: {check.message}", "  ")
    return "\n".join(lines) + "\n"


def _assessment(risk: RiskAssessment) -> Iterator[str]:
    yield from _wrapped(" ".join(risk.sql.split()), "")
    if risk.will_fail is not None:
        yield from _wrapped(f"The server refuses it: {risk.will_fail.reason} ({risk.will_fail.sqlstate})", "")
    else:
        yield f"Risk: {risk.overall_risk_level}, {risk.overall_score} of 100"
    if risk.matrix_level is not None:
        yield f"The decision matrix says {risk.matrix_level} at least, and safety level {risk.safety_level}."
    for category, each in risk.category_risks.items():
        if not each.risk_factors:
            continue
        yield ""
        yield f"{category.value.replace('_', ' ').capitalize()}: {each.risk_level}, {each.score}"
        for factor in each.risk_factors:
            yield from _wrapped(f"{factor.points:3}  {factor.description}  [{factor.rule}]", "  ")
            for evidence in factor.evidence:
                if evidence.kind in ("estimate", "traffic", "missing", "dependents", "undo"):
                    yield from _wrapped(evidence.detail, "         ")
    if risk.unknown:
        yield ""
        yield from _wrapped(f"Not known: {'; '.join(risk.unknown)}.", "")


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + "     ")
