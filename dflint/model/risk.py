"""Risk: five categories, each a sum of factors that name their rule, their objects and their evidence."""

from __future__ import annotations

from enum import Enum
from functools import total_ordering
from typing import Literal

from msgspec import Struct

from dflint.model.effect import Basis, Refusal

EvidenceKind = Literal["fact", "rows", "bytes", "dependents", "traffic", "estimate", "transaction", "matrix", "missing"]


@total_ordering
class RiskLevel(Enum):
    """How bad; ordered, and printed by its name."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name

    def __lt__(self, other: object) -> bool:
        return self.value < other.value if isinstance(other, RiskLevel) else NotImplemented


class RiskCategory(Enum):
    """What may come to harm."""

    DATA_LOSS = "data_loss"
    AVAILABILITY = "availability"
    PERFORMANCE = "performance"
    ROLLBACK_COMPLEXITY = "rollback_complexity"
    COMPATIBILITY = "compatibility"


class RiskEvidence(Struct, frozen=True):
    """On what a factor rests.

    Attributes:
        detail: a fact's id, or a sentence.
        value: the figure, in rows, bytes, seconds or calls per second; None where there is none.
    """

    kind: EvidenceKind
    detail: str
    value: float | None = None


class RiskFactor(Struct, frozen=True, kw_only=True):
    """One reason for a score.

    Attributes:
        rule: id of the risk rule, or of the matrix's row.
        points: its part of the category's score.
        objects: printed identities.
    """

    rule: str
    description: str
    points: int
    objects: tuple[str, ...] = ()
    evidence: tuple[RiskEvidence, ...] = ()

    @property
    def impact_score(self) -> int:
        """The points, by the specification's name."""
        return self.points


class CategoryRisk(Struct, frozen=True, kw_only=True):
    """The risk of one category: the points of its factors sum to ``score``, 0 to 100."""

    score: int
    risk_level: RiskLevel
    risk_factors: tuple[RiskFactor, ...] = ()


class RiskAssessment(Struct, frozen=True, kw_only=True):
    """What may go wrong when an operation runs as it is written.

    Attributes:
        operation: kind, as the matrix or the facts name it.
        target: printed identity.
        sql: the statement that was assessed.
        overall_score: 0 to 100; None where the server refuses the operation (``will_fail``).
        overall_risk_level: by the score, and at least the matrix's.
        matrix_level, safety_level, required_checks: of the matrix's row; None and empty where no row fits.
        will_fail: why the server refuses it.
        unknown: what would have to be known for a certain answer.
        basis: on what the answer rests.
    """

    operation: str
    target: str
    sql: str
    overall_score: int | None
    overall_risk_level: RiskLevel
    category_risks: dict[RiskCategory, CategoryRisk]
    matrix_level: RiskLevel | None = None
    safety_level: int | None = None
    required_checks: tuple[str, ...] = ()
    will_fail: Refusal | None = None
    unknown: tuple[str, ...] = ()
    basis: Basis = "live"
