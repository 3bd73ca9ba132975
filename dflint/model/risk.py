"""Risk: five categories, each a sum of factors that name their rule, their objects and their evidence."""

from __future__ import annotations

from enum import Enum
from functools import total_ordering
from typing import Any, Literal

from msgspec import Struct

from dflint.model.effect import Basis, Refusal

EvidenceKind = Literal["fact", "rows", "bytes", "dependents", "traffic", "estimate", "undo", "missing"]


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
        overall_score: 0 to 100, at least where the matrix's level begins; None where the server refuses the operation
            (``will_fail``).
        evidence_score: the same by evidence alone, without the matrix.
        overall_risk_level: by ``overall_score``.
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
    evidence_score: int | None = None
    matrix_level: RiskLevel | None = None
    safety_level: int | None = None
    required_checks: tuple[str, ...] = ()
    will_fail: Refusal | None = None
    unknown: tuple[str, ...] = ()
    basis: Basis = "live"


class Circumstances(Struct, frozen=True, kw_only=True):
    """Under what circumstances an operation runs; the defaults promise nothing.

    Attributes:
        window_minutes: so long nobody uses the database: what stops others for less than that stops nobody.
        code_ready: no running version of the application uses what goes.
        kept: a copy of what goes is kept, and can be put back.
        guarded: it is executed under guard: locks are waited for shortly and again, and never while others queue.
    """

    window_minutes: float = 0
    code_ready: bool = False
    kept: bool = False
    guarded: bool = False


class TableActivity(Struct, frozen=True, kw_only=True):
    """How a table is used, on average since its statistics were last reset; calls and rows in a second.

    Attributes:
        scans: of the table, sequential and by its indexes.
        writes: rows inserted, updated and deleted.
    """

    scans: float
    writes: float


class Activity(Struct, frozen=True, kw_only=True):
    """What the server has counted, by printed identity.

    Attributes:
        seconds: over how long; None where the server does not say.
        index_scans: how often an index was used in that time.
    """

    seconds: float | None
    tables: dict[str, TableActivity] = {}
    index_scans: dict[str, int] = {}


class Harm(Struct, frozen=True, kw_only=True):
    """Something bad that a step does, before anybody says how bad it is.

    Attributes:
        kind: one of those that risk rules score, see ``docs/risk.md``.
        objects: printed identities.
        quantities: ``seconds``, ``rows``, ``bytes``, ``count``, ``calls`` (in a second): what is known of it.
        evidence: on what it rests.
        missing: quantities that are not known, and why, in words for users; a rule then scores its middle.
    """

    kind: str
    objects: tuple[str, ...] = ()
    quantities: dict[str, float] = {}
    evidence: tuple[RiskEvidence, ...] = ()
    missing: tuple[str, ...] = ()


class Scale(Struct, frozen=True, kw_only=True):
    """More points the more of a quantity there is: ``points`` for each power of ten above ``above``.

    ``assumed`` is taken where the quantity is not known.
    """

    of: str
    above: float
    points: float
    assumed: float


class RiskRule(Struct, frozen=True, kw_only=True):
    """How bad one kind of harm is.

    Attributes:
        harm: the kind that it scores; "" where ``check`` finds the harm itself.
        check: reference ``module:function`` of a function of a `RiskStep` that gives harms, "" for none.
        points: as soon as there is the harm.
        scale: what is added to that; None: nothing.
        at_most: points of one factor.
    """

    id: str
    title: str
    category: RiskCategory
    message: str
    why: str
    points: float
    at_most: float
    harm: str = ""
    check: str = ""
    scale: Scale | None = None
    file: str = ""
    line: int = 1


class MatrixRow(Struct, frozen=True, kw_only=True):
    """One row of the decision matrix.

    Attributes:
        operations: kinds of operation.
        when: verified conditions, None for always.
        level: the operation is never assessed below it.
        safety_level: 1 to 3.
        checks: names of what has to be done at that level.
    """

    id: str
    title: str
    operations: tuple[str, ...]
    level: RiskLevel
    safety_level: int
    checks: tuple[str, ...]
    when: dict[str, Any] | None = None
    file: str = ""
