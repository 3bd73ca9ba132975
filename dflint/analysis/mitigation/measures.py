"""Which measures there are against what an assessment found, and how much each does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from dflint.model.mitigation import MitigationStrategy, StrategyCategory
from dflint.model.plan import Plan, Step
from dflint.model.risk import Circumstances, RiskAssessment, RiskCategory

#: Assesses a plan under circumstances.
Assess = Callable[[Plan, Circumstances], RiskAssessment]

#: Rules whose points go when no running version of the application uses what goes, or violates what comes.
_RELEASE_RULES: Final = frozenset({"table-name-gone", "column-name-gone", "type-changed", "writes-refused"})


def effectiveness(before: RiskAssessment, after: RiskAssessment) -> int:
    """The share of the points that are gone, 0 to 100."""
    one, other = points(before), points(after)
    return 0 if not one else max(0, min(100, round(100 * (one - other) / one)))


def points(assessment: RiskAssessment) -> int:
    """Of all categories together."""
    return sum(risk.score for risk in assessment.category_risks.values())


def eased(before: RiskAssessment, after: RiskAssessment) -> tuple[RiskCategory, ...]:
    """The categories whose score is lower."""
    return tuple(
        category
        for category, risk in before.category_risks.items()
        if after.category_risks[category].score < risk.score
    )


def has_factor(assessment: RiskAssessment, rules: Iterable[str]) -> bool:
    """Whether one of these rules gave points."""
    wanted = set(rules)
    return any(factor.rule in wanted for risk in assessment.category_risks.values() for factor in risk.risk_factors)


def runnable(plan: Plan) -> tuple[str, ...]:
    """The statements of a plan that can be run as they stand."""
    return tuple(step.sql for step in plan.steps if step.kind != "manual")


def described(steps: Sequence[Step]) -> tuple[str, ...]:
    """What is done, one sentence for each step."""
    return tuple(f"{step.id}. {' '.join(step.sql.split())}" for step in steps)


def lock_limits(naive: Plan, before: RiskAssessment, assess: Assess) -> MitigationStrategy | None:
    """Waiting shortly for locks, again and again, in place of making everybody queue."""
    if not has_factor(before, ["queue-behind-lock"]):
        return None
    after = assess(naive, Circumstances(guarded=True))
    limits = sorted(
        {step.timeouts.lock_ms for step in naive.steps if step.lock_class in ("reads", "writes", "unknown")}
    )
    limit = limits[0] if limits else 500
    return MitigationStrategy(
        id="lock-timeout",
        category=StrategyCategory.LOCK_LIMITS,
        description="Wait for locks shortly, and try again, so that nobody queues behind the migration",
        effectiveness_score=effectiveness(before, after),
        implementation_steps=(
            f"run it with dflint exec, which waits at most {limit} ms for a lock and tries again with growing pauses",
            "by hand: set lock_timeout first, and repeat the statement when it gives up",
        ),
        sql=(f"SET lock_timeout = '{int(limit)}ms'",),
        addresses=eased(before, after),
        recipe="lock-timeout",
        trade_offs=("it may take several attempts until the lock is free",),
    )


def release_first(naive: Plan, before: RiskAssessment, assess: Assess) -> MitigationStrategy | None:
    """The application changes before the schema does."""
    if not has_factor(before, _RELEASE_RULES):
        return None
    after = assess(naive, Circumstances(code_ready=True))
    return MitigationStrategy(
        id="release-first",
        category=StrategyCategory.APPLICATION_RELEASE,
        description="Deploy a version of the application that works before and after the change, and only then change",
        effectiveness_score=effectiveness(before, after),
        implementation_steps=(
            f"find what uses {before.target}: dflint impact --code, --queries and --statements list it",
            "deploy a version that neither names what goes nor writes what will be refused",
            "wait until no older version is running, then execute the plan",
        ),
        manual=True,
        addresses=eased(before, after),
    )


def keep_what_goes(kept: Plan, naive: Plan, before: RiskAssessment, assess: Assess) -> MitigationStrategy | None:
    """A copy of what is dropped, which an undo puts back."""
    if kept == naive or not has_factor(before, ["rows-lost", "values-lost", "irreversible"]):
        return None
    after = assess(kept, Circumstances(kept=True))
    return MitigationStrategy(
        id="keep-what-goes",
        category=StrategyCategory.DATA_PRESERVATION,
        description="Keep what is dropped in the schema dflint_trash, so that it can be put back",
        effectiveness_score=effectiveness(before, after),
        implementation_steps=(*described(kept.steps), "drop the copy when nobody misses it any more"),
        sql=runnable(kept),
        addresses=eased(before, after),
        trade_offs=("the copy takes as much room as what it copies",),
    )


def maintenance(naive: Plan, before: RiskAssessment, assess: Assess, minutes: float) -> MitigationStrategy | None:
    """Doing it while nobody uses the database."""
    if minutes <= 0:
        return None
    after = assess(naive, Circumstances(window_minutes=minutes))
    return MitigationStrategy(
        id="maintenance-window",
        category=StrategyCategory.SCHEDULING,
        description=f"Run it in the maintenance window of {minutes:g} minutes, while nobody uses the database",
        effectiveness_score=effectiveness(before, after),
        implementation_steps=(
            "stop the application, or close its connections",
            "execute the plan; stop it when the window ends (dflint exec abort)",
            "start the application in the version that fits",
        ),
        manual=True,
        addresses=eased(before, after),
    )


def rehearsal(naive: Plan) -> MitigationStrategy:
    """Doing it on a copy first. It changes no score: it finds out whether the score is right."""
    return MitigationStrategy(
        id="rehearsal",
        category=StrategyCategory.REHEARSAL,
        description="Execute the plan on a scratch server with the same schema, and compare with what was predicted",
        effectiveness_score=0,
        implementation_steps=(
            "dflint snapshot take --db DSN",
            f"dflint trace FILE --schema SNAPSHOT --rows N, with the {len(naive.steps)} steps as they are",
            "dflint exec --dry-run on the database itself",
        ),
        manual=True,
    )


def looking(queries: Sequence[str]) -> MitigationStrategy | None:
    """Asking first whether the rows that are there allow the change."""
    if not queries:
        return None
    return MitigationStrategy(
        id="look-at-the-rows",
        category=StrategyCategory.VALIDATION,
        description="Look for rows that the change would be refused for, before it is begun",
        effectiveness_score=0,
        implementation_steps=("run each query; every row that it gives has to be mended first",),
        sql=tuple(queries),
    )


def dependents(before: RiskAssessment) -> MitigationStrategy | None:
    """Objects that break are mended with the change."""
    found = [
        factor
        for risk in before.category_risks.values()
        for factor in risk.risk_factors
        if factor.rule in ("dependents-break", "dependents-change", "dependents-unknown")
    ]
    if not found:
        return None
    return MitigationStrategy(
        id="mend-dependents",
        category=StrategyCategory.DEPENDENTS,
        description="Change the objects that would break in the same transaction",
        effectiveness_score=effectiveness_of(before, sum(factor.points for factor in found)),
        implementation_steps=tuple(f"mend {each}" for factor in found for each in factor.objects),
        manual=True,
        addresses=(RiskCategory.COMPATIBILITY,),
    )


def effectiveness_of(before: RiskAssessment, gone: int) -> int:
    """The share that so many points have in all."""
    whole = points(before)
    return 0 if not whole else min(100, round(100 * gone / whole))
