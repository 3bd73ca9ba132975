"""The use case of the integrated assessment: risk, dependents, foreign keys and time, of one operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dflint.analysis.foreign_keys.impact import FKOperationType, ForeignKeyImpact
from dflint.analysis.impact import command_of
from dflint.app.assess import assess_plan
from dflint.app.foreign_keys import foreign_key_impact
from dflint.app.impact import ImpactAnalysis, single_operation
from dflint.app.operation_types import OperationType, statement_for
from dflint.app.plan import plan_sql
from dflint.app.surroundings import surroundings_of
from dflint.model.impact import Impact
from dflint.model.plan import Estimate, Plan
from dflint.model.risk import RiskAssessment, RiskCategory, RiskLevel
from dflint.postgres.source import ConnectionSource

#: What the foreign-key analysis calls an operation, and which details it takes.
_FOREIGN_KEYS = {
    OperationType.DROP_COLUMN: (FKOperationType.DROP_COLUMN, {"column_name": "column_name"}),
    OperationType.DROP_TABLE: (FKOperationType.DROP_TABLE, {}),
    OperationType.DROP_FOREIGN_KEY: (FKOperationType.DROP_CONSTRAINT, {"constraint_name": "constraint_name"}),
    OperationType.CHANGE_COLUMN_TYPE: (
        FKOperationType.MODIFY_COLUMN_TYPE,
        {"column_name": "column_name", "data_type": "new_type"},
    ),
    OperationType.RENAME_COLUMN: (
        FKOperationType.RENAME_COLUMN,
        {"column_name": "column_name", "new_name": "new_name"},
    ),
    OperationType.RENAME_TABLE: (FKOperationType.RENAME_TABLE, {"new_name": "new_name"}),
}


class ComprehensiveAssessment(Struct, frozen=True, kw_only=True):
    """All that is known about an operation before it runs.

    Attributes:
        risk: the assessment.
        plan: of the statement as it is written.
        dependencies: what it does to other objects; None where it was not asked for, or it does nothing to any.
        foreign_keys: what it does to them; the same.
        duration: of its steps together; None where it was not asked for, or is not known.
    """

    risk: RiskAssessment
    plan: Plan
    dependencies: Impact | None = None
    foreign_keys: ForeignKeyImpact | None = None
    duration: Estimate | None = None

    @property
    def overall_risk_level(self) -> RiskLevel:
        """Of the assessment."""
        return self.risk.overall_risk_level

    @property
    def risk_score(self) -> int | None:
        """Of the assessment, 0 to 100; None where the server refuses the operation."""
        return self.risk.overall_score

    @property
    def category_scores(self) -> dict[RiskCategory, int]:
        """The score of each category."""
        return {category: risk.score for category, risk in self.risk.category_risks.items()}


async def complete_assessment(
    source: ConnectionSource,
    operation_type: OperationType | str,
    table: str,
    details: Mapping[str, Any],
    *,
    performance: bool = True,
    dependencies: bool = True,
    foreign_keys: bool = True,
) -> ComprehensiveAssessment:
    """Everything about one operation.

    Args:
        source: the database.
        operation_type, table, details: see `dflint.app.operation_types.statement_for`.
        performance, dependencies, foreign_keys: also say how long it takes, and what it does to those.

    Raises:
        UnknownOperationType, InputError: the operation cannot be understood, or what is named does not exist.
        ServerError: the database cannot be read.
    """
    kind = OperationType.parse(operation_type)
    sql = statement_for(kind, table, None, details)
    surroundings = await surroundings_of(source, sql)
    plan = plan_sql(sql, surroundings.catalog, version=surroundings.version)
    impact = None
    operation = single_operation(sql)
    if dependencies and operation is not None and _is_analysed(operation):
        impact = ImpactAnalysis(surroundings.catalog, surroundings.search_path).of(operation)
    keys = None
    if foreign_keys and kind in _FOREIGN_KEYS:
        change, names = _FOREIGN_KEYS[kind]
        given = {own: str(details[other]) for other, own in names.items() if other in details}
        keys = await foreign_key_impact(source, change, table, given) if len(given) == len(names) else None
    risk = assess_plan(plan, surroundings, operation=kind.value, sql=sql, impacts=() if impact is None else (impact,))
    return ComprehensiveAssessment(
        risk=risk,
        plan=plan,
        dependencies=impact,
        foreign_keys=keys,
        duration=_duration(plan) if performance else None,
    )


def _is_analysed(operation: Any) -> bool:
    try:
        command_of(operation)
    except KeyError:
        return False
    return True


def _duration(plan: Plan) -> Estimate | None:
    estimates = [step.estimate for step in plan.steps]
    known = [each for each in estimates if each is not None]
    if len(known) < len(estimates) or not known:
        return None
    return Estimate(
        round(sum(each.low_s for each in known), 3),
        round(sum(each.high_s for each in known), 3),
        "; ".join(dict.fromkeys(each.basis for each in known)),
    )
