"""Mitigation under the specification's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dflint.app.mitigation import mitigate, operation_context
from dflint.migrations.risk_assessment_engine import RiskAssessmentEngine
from dflint.model.mitigation import MitigationPlan, MitigationStrategy, OperationContext, StrategyCategory
from dflint.model.risk import RiskAssessment

__all__ = [
    "MitigationPlan",
    "MitigationStrategy",
    "MitigationStrategyEngine",
    "OperationContext",
    "StrategyCategory",
]


class MitigationStrategyEngine:
    """Says what lowers the risk of an operation, gives the plan for it, and the risk that remains."""

    def __init__(self, risk_engine: RiskAssessmentEngine) -> None:
        """Say which engine assesses; nothing connects.

        Args:
            risk_engine: its database is looked at.
        """
        self._risk = risk_engine

    async def generate_mitigation_plan(
        self, risk_assessment: RiskAssessment, operation_context: Mapping[str, Any] | OperationContext | None = None
    ) -> MitigationPlan:
        """Measures against the risk of an operation, and what remains when all of them are taken.

        Args:
            risk_assessment: of the operation.
            operation_context: what the database does not say: ``table_size`` (rows), ``production_environment``,
                ``maintenance_window`` (minutes), and the rest of `OperationContext`.

        Raises:
            InputError: the context has a name that means nothing, or a value that is none.
            ServerError: the database cannot be read.
        """
        return await mitigate(self._risk.source, risk_assessment, _context(operation_context))


def _context(given: Mapping[str, Any] | OperationContext | None) -> OperationContext:
    return operation_context(given)
