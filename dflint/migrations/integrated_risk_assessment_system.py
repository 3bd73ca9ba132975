"""The integrated assessment under the specification's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dflint.app.complete_assessment import ComprehensiveAssessment, complete_assessment
from dflint.app.mitigation import mitigate, operation_context
from dflint.app.operation_types import OperationType
from dflint.model.mitigation import MitigationPlan, OperationContext
from dflint.postgres.source import ConnectionSource

__all__ = ["ComprehensiveAssessment", "IntegratedRiskAssessmentSystem", "MitigationPlan"]


class IntegratedRiskAssessmentSystem:
    """Risk, dependents, foreign keys and time of an operation, and the plan that fits what a business requires."""

    def __init__(self, connection_manager: object) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.

        Raises:
            InputError: no sessions can be had from it.
        """
        self._source = ConnectionSource.coerce(connection_manager)

    async def perform_complete_assessment(
        self,
        operation_type: OperationType | str,
        table_name: str,
        operation_details: Mapping[str, Any] | None = None,
        include_performance_analysis: bool = True,
        include_dependency_analysis: bool = True,
        include_fk_analysis: bool = True,
    ) -> ComprehensiveAssessment:
        """Everything about one operation, see `dflint.app.complete_assessment.complete_assessment`."""
        return await complete_assessment(
            self._source,
            operation_type,
            table_name,
            operation_details or {},
            performance=include_performance_analysis,
            dependencies=include_dependency_analysis,
            foreign_keys=include_fk_analysis,
        )

    async def generate_comprehensive_mitigation_plan(
        self,
        assessment: ComprehensiveAssessment,
        business_requirements: Mapping[str, Any] | OperationContext | None = None,
    ) -> MitigationPlan:
        """The plan with the least risk, and which requirements it does not meet, by how much.

        Args:
            assessment: of the operation.
            business_requirements: ``max_downtime_minutes``, ``rollback_time_limit_minutes``,
                ``data_consistency_critical``, ``performance_degradation_acceptable`` (per cent), and the rest of
                `OperationContext`.

        Raises:
            InputError: a requirement has a name that means nothing, or a value that is none.
            ServerError: the database cannot be read.
        """
        return await mitigate(self._source, assessment.risk, operation_context(business_requirements))
