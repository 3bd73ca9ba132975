"""dflint: what a PostgreSQL schema migration will do, before it runs; and running it under guard.

The classes of `dflint.migrations` can be imported from here too. They are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dflint.migrations.concurrent_access_manager import MigrationLock, MigrationLockManager
    from dflint.migrations.dependency_analyzer import DependencyAnalyzer
    from dflint.migrations.foreign_key_analyzer import (
        FKImpactLevel,
        FKOperationType,
        ForeignKeyAnalyzer,
        ForeignKeyImpact,
        ForeignKeyResult,
        UnsafeForeignKeyChange,
    )
    from dflint.migrations.integrated_risk_assessment_system import IntegratedRiskAssessmentSystem
    from dflint.migrations.mitigation_strategy_engine import MitigationPlan, MitigationStrategyEngine, StrategyCategory
    from dflint.migrations.not_null_handler import NotNullColumnHandler, NotNullHandler
    from dflint.migrations.risk_assessment_engine import (
        OperationType,
        RiskAssessment,
        RiskAssessmentEngine,
        RiskCategory,
        RiskLevel,
    )
    from dflint.migrations.table_rename_analyzer import (
        RenameImpact,
        RenamePlan,
        RenameResult,
        TableRenameAnalyzer,
        UnsafeRename,
    )
    from dflint.migrations.validation_checkpoints import (
        CheckpointResult,
        FailureDetails,
        ValidationCheckpointManager,
        ValidationResult,
    )

__version__ = "0.1.0"

__all__ = [
    "CheckpointResult",
    "DependencyAnalyzer",
    "FKImpactLevel",
    "FKOperationType",
    "FailureDetails",
    "ForeignKeyAnalyzer",
    "ForeignKeyImpact",
    "ForeignKeyResult",
    "IntegratedRiskAssessmentSystem",
    "MigrationLock",
    "MigrationLockManager",
    "MitigationPlan",
    "MitigationStrategyEngine",
    "NotNullColumnHandler",
    "NotNullHandler",
    "OperationType",
    "RenameImpact",
    "RenamePlan",
    "RenameResult",
    "RiskAssessment",
    "RiskAssessmentEngine",
    "RiskCategory",
    "RiskLevel",
    "StrategyCategory",
    "TableRenameAnalyzer",
    "UnsafeForeignKeyChange",
    "UnsafeRename",
    "ValidationCheckpointManager",
    "ValidationResult",
    "__version__",
]

_HOMES = {
    "CheckpointResult": "validation_checkpoints",
    "DependencyAnalyzer": "dependency_analyzer",
    "FKImpactLevel": "foreign_key_analyzer",
    "FKOperationType": "foreign_key_analyzer",
    "FailureDetails": "validation_checkpoints",
    "ForeignKeyAnalyzer": "foreign_key_analyzer",
    "ForeignKeyImpact": "foreign_key_analyzer",
    "ForeignKeyResult": "foreign_key_analyzer",
    "IntegratedRiskAssessmentSystem": "integrated_risk_assessment_system",
    "MigrationLock": "concurrent_access_manager",
    "MigrationLockManager": "concurrent_access_manager",
    "MitigationPlan": "mitigation_strategy_engine",
    "MitigationStrategyEngine": "mitigation_strategy_engine",
    "NotNullColumnHandler": "not_null_handler",
    "NotNullHandler": "not_null_handler",
    "OperationType": "risk_assessment_engine",
    "RenameImpact": "table_rename_analyzer",
    "RenamePlan": "table_rename_analyzer",
    "RenameResult": "table_rename_analyzer",
    "RiskAssessment": "risk_assessment_engine",
    "RiskAssessmentEngine": "risk_assessment_engine",
    "RiskCategory": "risk_assessment_engine",
    "RiskLevel": "risk_assessment_engine",
    "StrategyCategory": "mitigation_strategy_engine",
    "TableRenameAnalyzer": "table_rename_analyzer",
    "UnsafeForeignKeyChange": "foreign_key_analyzer",
    "UnsafeRename": "table_rename_analyzer",
    "ValidationCheckpointManager": "validation_checkpoints",
    "ValidationResult": "validation_checkpoints",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dflint.migrations.{home}"), name)
