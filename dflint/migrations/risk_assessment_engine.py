"""Risk under the specification's names."""

from __future__ import annotations

from typing import Any

from dflint.app.assess import assess_sql
from dflint.app.operation_types import OperationType, UnknownOperationType, statement_for
from dflint.app.surroundings import Surroundings, surroundings_of
from dflint.model.impact import Impact
from dflint.model.risk import (
    CategoryRisk,
    Circumstances,
    RiskAssessment,
    RiskCategory,
    RiskEvidence,
    RiskFactor,
    RiskLevel,
)
from dflint.postgres.source import ConnectionSource

__all__ = [
    "CategoryRisk",
    "Circumstances",
    "OperationType",
    "RiskAssessment",
    "RiskAssessmentEngine",
    "RiskCategory",
    "RiskEvidence",
    "RiskFactor",
    "RiskLevel",
    "UnknownOperationType",
]


class RiskAssessmentEngine:
    """Says what may go wrong when an operation runs, in five categories, each point with its reason."""

    def __init__(self, connection_manager: object) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.

        Raises:
            InputError: no sessions can be had from it.
        """
        self.source = ConnectionSource.coerce(connection_manager)

    async def assess_operation_risk(
        self,
        operation_type: OperationType | str,
        table_name: str,
        column_name: str | None = None,
        dependencies: Impact | None = None,
        *,
        circumstances: Circumstances | None = None,
        **details: Any,
    ) -> RiskAssessment:
        """What may go wrong with one operation, on the database as it is now.

        Args:
            operation_type: an `OperationType`, its name, or the decision matrix's words.
            table_name, column_name: in SQL spelling; the table with its schema or found by search_path.
            dependencies: as `DependencyAnalyzer` gives them; None: they are looked up.
            circumstances: under which it runs; None: nothing is promised.
            details: see `dflint.app.operation_types.statement_for`.

        Raises:
            UnknownOperationType: there is no such operation (it is a ValueError too).
            InputError: a detail is missing, or what is named does not exist.
            ServerError: the database cannot be read.
        """
        kind = OperationType.parse(operation_type)
        sql = statement_for(kind, table_name, column_name, details)
        return self.assess(sql, await surroundings_of(self.source, sql), kind.value, circumstances, dependencies)

    @staticmethod
    def assess(
        sql: str,
        surroundings: Surroundings,
        operation: str,
        circumstances: Circumstances | None = None,
        dependencies: Impact | None = None,
    ) -> RiskAssessment:
        """The same of a statement, without a look at the database."""
        return assess_sql(
            sql,
            surroundings,
            operation=operation,
            circumstances=circumstances,
            impacts=() if dependencies is None else (dependencies,),
        )
