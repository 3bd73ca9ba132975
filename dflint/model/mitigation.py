"""Mitigation: what lowers the risk of a change, and the risk that remains."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from dflint.model.plan import Plan
from dflint.model.risk import RiskAssessment, RiskCategory


class StrategyCategory(Enum):
    """What kind of measure it is."""

    SAFE_REWRITE = "safe_rewrite"
    LOCK_LIMITS = "lock_limits"
    DATA_PRESERVATION = "data_preservation"
    DEPENDENTS = "dependents"
    SCHEDULING = "scheduling"
    APPLICATION_RELEASE = "application_release"
    REHEARSAL = "rehearsal"
    VALIDATION = "validation"


class OperationContext(Struct, frozen=True, kw_only=True):
    """What the caller knows that the database does not say.

    Attributes:
        table_size: rows of the table, in place of what the catalog estimates.
        production_environment: an application is running and uses the tables.
        maintenance_window: minutes in which nobody uses the database; 0: there is no such time.
        max_downtime_minutes: how long others may be stopped, all steps together; None: no limit was named.
        rollback_time_limit_minutes: how long taking it back may take; None: no limit was named.
        data_consistency_critical: a plan whose undo loses data is not accepted.
        performance_degradation_acceptable: per cent, the threshold of the regression validator; None: its own.
    """

    table_size: int | None = None
    production_environment: bool = True
    maintenance_window: float = 0
    max_downtime_minutes: float | None = None
    rollback_time_limit_minutes: float | None = None
    data_consistency_critical: bool = False
    performance_degradation_acceptable: float | None = None


class MitigationStrategy(Struct, frozen=True, kw_only=True):
    """One measure.

    Attributes:
        id: in kebab-case.
        description: one sentence.
        effectiveness_score: of 100: the share of the assessment's points that are gone when the operation is assessed
            again with this measure alone; 0 where it changes nothing that is scored.
        implementation_steps: what is done, in order, one sentence each.
        sql: statements that can be run as they stand; empty where ``manual``.
        manual: somebody has to do it; it cannot be run.
        addresses: categories whose score it lowers.
        recipe: id of the recipe that it follows, "" for none.
        trade_offs: what it costs, one sentence each.
    """

    id: str
    category: StrategyCategory
    description: str
    effectiveness_score: int
    implementation_steps: tuple[str, ...]
    sql: tuple[str, ...] = ()
    manual: bool = False
    addresses: tuple[RiskCategory, ...] = ()
    recipe: str = ""
    trade_offs: tuple[str, ...] = ()


class MitigationPlan(Struct, frozen=True, kw_only=True):
    """Measures, the plan that follows from those that can be run, and what risk it leaves.

    Attributes:
        recommended_strategies: the most effective first.
        plan: what to execute instead of the statement; None where the server refuses the statement.
        before: the risk of the statement as it was written.
        residual: the risk of ``plan``, assessed again by the same rules with every recommended measure taken.
        estimated_risk_reduction: by how many per cent the score falls from ``before`` to ``residual``, 0 to 100.
        reasons: why this plan and no other, one sentence each.
        unmet: requirements that the plan does not meet, which and by how much.
    """

    recommended_strategies: tuple[MitigationStrategy, ...]
    plan: Plan | None
    before: RiskAssessment
    residual: RiskAssessment
    estimated_risk_reduction: float
    reasons: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()

    @property
    def strategies(self) -> tuple[MitigationStrategy, ...]:
        """The measures, by the name of the integrated assessment."""
        return self.recommended_strategies
