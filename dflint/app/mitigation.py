"""The use case of mitigation: measures against a change's risk, the plan that follows, and the risk that remains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dflint.analysis.mitigation import measures
from dflint.analysis.mitigation.limits import loses_data, stopped_seconds, unmet
from dflint.analysis.mitigation.looking import looks
from dflint.app.assess import assess_plan, catalog_after, statements_with_contexts
from dflint.app.plan import plan_sql
from dflint.app.safe_plan import SafePlan, safe_plan_sql
from dflint.app.surroundings import Surroundings, surroundings_of
from dflint.model.errors import DflintError, InputError, nearest
from dflint.model.mitigation import MitigationPlan, MitigationStrategy, OperationContext, StrategyCategory
from dflint.model.operations.base import Operation
from dflint.model.plan import Plan
from dflint.model.risk import Circumstances, RiskAssessment
from dflint.postgres.source import ConnectionSource
from dflint.sql.clauses import clauses_of


def operation_context(given: Mapping[str, Any] | OperationContext | None) -> OperationContext:
    """What a caller knows, verified.

    Raises:
        InputError: a name is unknown, or a value is none that it can have.
    """
    if isinstance(given, OperationContext):
        return given
    known = OperationContext.__struct_fields__
    values: dict[str, Any] = {}
    for name, value in (given or {}).items():
        if name not in known:
            raise InputError(
                f"the context knows no {name!r}", remedy=nearest(name, known) or f"known are {', '.join(known)}"
            )
        if value is not None and not isinstance(value, bool | int | float):
            raise InputError(f"{name} must be a number, or true or false, not {value!r}")
        if value is not None and not isinstance(value, bool) and value < 0:
            raise InputError(f"{name} cannot be below zero")
        values[name] = value
    values.setdefault("production_environment", True)
    return OperationContext(**{name: value for name, value in values.items() if value is not None})


async def mitigate(source: ConnectionSource, assessment: RiskAssessment, context: OperationContext) -> MitigationPlan:
    """Measures against the risk of an operation that was assessed, on the database as it is now.

    Raises:
        InputError: a supposed size is for no table.
        ServerError: the database cannot be read.
    """
    surroundings = await surroundings_of(source, assessment.sql)
    return mitigation(assessment.sql, surroundings, context, operation=assessment.operation)


def mitigation(
    sql: str, surroundings: Surroundings, context: OperationContext, *, operation: str | None = None
) -> MitigationPlan:
    """The same, without a look at the database.

    Args:
        sql: the statements as they were written.
        surroundings: what they are assessed against.
        context: what the caller knows beside it.
        operation: what the change is called.
    """
    work = _Work(sql, surroundings.supposing(sql, context.table_size), context, operation)
    return work.refused() if work.before.will_fail is not None else work.plan()


class _Work:
    """One operation, its possible plans, and what each is worth."""

    def __init__(self, sql: str, surroundings: Surroundings, context: OperationContext, operation: str | None) -> None:
        self._sql = sql
        self._surroundings = surroundings
        self._context = context
        self._operation = operation
        self._naive = plan_sql(sql, surroundings.catalog, version=surroundings.version)
        self.before = self._assess(self._naive, Circumstances())

    def refused(self) -> MitigationPlan:
        """There is nothing to execute: what stands in the way has to go first."""
        assert self.before.will_fail is not None
        reason = self.before.will_fail.reason
        first = MitigationStrategy(
            id="clear-the-way",
            category=StrategyCategory.DEPENDENTS,
            description=f"The server refuses it as things stand: {reason}",
            effectiveness_score=0,
            implementation_steps=(f"look at what stands in the way of {self.before.target} with dflint impact", reason),
            manual=True,
        )
        return MitigationPlan(
            recommended_strategies=(first,),
            plan=None,
            before=self.before,
            residual=self.before,
            estimated_risk_reduction=0.0,
            reasons=(f"the server refuses the statement: {reason}",),
        )

    def plan(self) -> MitigationPlan:
        """The measures, and the plan with least risk that the context allows."""
        safe = safe_plan_sql(self._sql, self._surroundings.catalog, version=self._surroundings.version)
        kept = plan_sql(self._sql, self._surroundings.catalog, version=self._surroundings.version, keep_dropped=True)
        chosen, reasons = self._chosen(safe, kept)
        strategies = self._strategies(safe, kept, chosen)
        circumstances = _all_taken(strategies, self._context)
        residual = self._assess(chosen, circumstances)
        missing = tuple(unmet(chosen, self._context, self._undo_of(chosen)))
        return MitigationPlan(
            recommended_strategies=tuple(
                sorted(strategies, key=lambda each: (-each.effectiveness_score, each.manual, each.id))
            ),
            plan=chosen,
            before=self.before,
            residual=residual,
            estimated_risk_reduction=_reduction(self.before, residual),
            reasons=reasons,
            unmet=missing,
        )

    def _chosen(self, safe: SafePlan, kept: Plan) -> tuple[Plan, tuple[str, ...]]:
        """The statement itself where it may stop others so long, else its recipe."""
        window = self._context.maintenance_window
        plain = kept if loses_data(self._naive) is not None and loses_data(kept) is None else self._naive
        seconds = stopped_seconds(plain)
        if not safe.rewritten:
            return plain, ("no recipe is needed, or there is none, for the statement",)
        if not self._context.production_environment:
            return plain, ("nobody uses the database: the statement itself is the simplest plan",)
        if window and seconds is not None and seconds <= window * 60:
            return plain, (
                f"others may be stopped for {seconds:.3g} s, which the maintenance window of {window:g} minutes allows",
            )
        names = ", ".join(each.recipe.id for each in safe.rewritten)
        why = (
            f"the statement may stop others for {seconds:.3g} s"
            if seconds is not None
            else "how long the statement stops others is not known"
        )
        return safe.plan, (f"{why}; the recipe {names} stops them for moments",)

    def _strategies(self, safe: SafePlan, kept: Plan, chosen: Plan) -> list[MitigationStrategy]:
        context = self._context
        found = [
            measures.lock_limits(self._naive, self.before, self._assess),
            measures.keep_what_goes(kept, self._naive, self.before, self._assess),
            measures.looking(self._looks()),
        ]
        if context.production_environment:
            found += [
                measures.release_first(self._naive, self.before, self._assess),
                measures.maintenance(self._naive, self.before, self._assess, context.maintenance_window),
                measures.dependents(self.before),
                measures.rehearsal(self._naive),
            ]
        if chosen == safe.plan and safe.rewritten:
            found.append(self._rewrite(safe))
        return [each for each in found if each is not None]

    def _rewrite(self, safe: SafePlan) -> MitigationStrategy:
        after = self._assess(safe.plan, Circumstances())
        recipes = [each.recipe for each in safe.rewritten]
        return MitigationStrategy(
            id="safe-rewrite",
            category=StrategyCategory.SAFE_REWRITE,
            description="; ".join(dict.fromkeys(recipe.title for recipe in recipes)),
            effectiveness_score=measures.effectiveness(self.before, after),
            implementation_steps=measures.described(safe.plan.steps),
            sql=measures.runnable(safe.plan),
            addresses=measures.eased(self.before, after),
            recipe=", ".join(dict.fromkeys(recipe.id for recipe in recipes)),
            trade_offs=tuple(dict.fromkeys(each for recipe in recipes for each in recipe.trade_offs)),
        )

    def _looks(self) -> list[str]:
        found: list[str] = []
        for statement, contexts in statements_with_contexts(self._naive, self._surroundings):

            def condition(operation: Operation, statement: str = statement) -> str:
                return clauses_of(statement, operation.clause).expression

            found += [query for context in contexts for query in looks(context, condition)]
        return found

    def _assess(self, plan: Plan, circumstances: Circumstances) -> RiskAssessment:
        return assess_plan(
            plan, self._surroundings, operation=self._operation, sql=self._sql, circumstances=circumstances
        )

    def _undo_of(self, plan: Plan) -> Plan | None:
        """The plan that takes it back, against the schema that it leaves; None where that cannot be made."""
        statements = [each for step in reversed(plan.steps) for each in step.undo.sql or ()]
        if any(step.undo.irreversible is not None for step in plan.steps):
            return None
        if not statements:
            return Plan(source=plan.source, target=plan.target, steps=())
        try:
            return plan_sql(
                ";\n".join(statements),
                catalog_after(plan, self._surroundings),
                version=self._surroundings.version,
                path="undo",
            )
        except DflintError:
            return None


def _all_taken(strategies: list[MitigationStrategy], context: OperationContext) -> Circumstances:
    """The circumstances when every recommended measure is taken."""
    ids = {each.id for each in strategies}
    return Circumstances(
        guarded=True,
        code_ready="release-first" in ids or not context.production_environment,
        kept="keep-what-goes" in ids,
        window_minutes=context.maintenance_window if "maintenance-window" in ids else 0,
    )


def _reduction(before: RiskAssessment, residual: RiskAssessment) -> float:
    """By how many per cent the score falls, by evidence."""
    one, other = before.evidence_score, residual.evidence_score
    if not one or other is None:
        return 0.0
    return round(max(0.0, 100 * (one - other) / one), 1)
