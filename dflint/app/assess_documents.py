"""The JSON document of ``dflint assess``, and its schema."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from dflint import __version__
from dflint.app.assess_request import Assessed
from dflint.app.required_checks import CheckResult
from dflint.model.effect import Basis, Refusal
from dflint.model.risk import CategoryRisk, RiskAssessment, RiskFactor


class CategoryEntry(Struct, frozen=True, kw_only=True):
    """One category: the points of its factors sum to its score."""

    score: int
    level: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    factors: tuple[RiskFactor, ...]


class AssessmentEntry(Struct, frozen=True, kw_only=True):
    """One assessment; levels are by their names, categories by their values."""

    operation: str
    target: str
    sql: str
    score: int | None
    evidence_score: int | None
    level: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    matrix_level: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"] | None
    safety_level: Literal[1, 2, 3] | None
    required_checks: tuple[str, ...]
    categories: dict[str, CategoryEntry]
    will_fail: Refusal | None
    unknown: tuple[str, ...]
    basis: Basis


class AssessDocument(Struct, frozen=True, kw_only=True):
    """What ``dflint assess`` says."""

    schema_version: Literal[1] = 1
    dflint: str = __version__
    source: str
    assessments: tuple[AssessmentEntry, ...]
    checks: tuple[CheckResult, ...]


def encode(found: Assessed) -> bytes:
    """The document: keys sorted, but for ``schema_version``, which comes first."""
    document = AssessDocument(
        source=found.source, assessments=tuple(map(_entry, found.assessments)), checks=found.checks
    )
    built = msgspec.to_builtins(document)
    del built["schema_version"]
    return b'{"schema_version":1,%b\n' % msgspec.json.encode(built, order="sorted")[1:]


def schema() -> bytes:
    """The document's JSON Schema (2020-12), as it is kept in ``docs/schemas``."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The JSON document of dflint assess, version 1",
        **msgspec.json.schema(AssessDocument),
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def _entry(risk: RiskAssessment) -> AssessmentEntry:
    return AssessmentEntry(
        operation=risk.operation,
        target=risk.target,
        sql=risk.sql,
        score=risk.overall_score,
        evidence_score=risk.evidence_score,
        level=risk.overall_risk_level.name,  # type: ignore[arg-type]  # the names of the enumeration
        matrix_level=None if risk.matrix_level is None else risk.matrix_level.name,  # type: ignore[arg-type]
        safety_level=risk.safety_level,  # type: ignore[arg-type]  # verified when the matrix is loaded
        required_checks=risk.required_checks,
        categories={category.value: _category(each) for category, each in risk.category_risks.items()},
        will_fail=risk.will_fail,
        unknown=risk.unknown,
        basis=risk.basis,
    )


def _category(risk: CategoryRisk) -> CategoryEntry:
    return CategoryEntry(
        score=risk.score,
        level=risk.risk_level.name,  # type: ignore[arg-type]  # the names of the enumeration
        factors=risk.risk_factors,
    )
