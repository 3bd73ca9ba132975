"""The checkpoint validators that come with dflint. Importing this module loads none of them."""

from __future__ import annotations

from collections.abc import Mapping

from dflint.plugin.hookspecs import hookimpl

#: Name -> module and attribute. Where two names mean the same, the specification uses both.
_VALIDATORS = {
    "connection_stability": "sessions:CONNECTION_STABILITY",
    "constraint_validation": "constraints:CONSTRAINT_VALIDATION",
    "data_integrity": "data:DATA_INTEGRITY",
    "data_quality": "data:DATA_QUALITY",
    "fk_consistency": "foreign_keys:FOREIGN_KEY_CONSISTENCY",
    "foreign_key_consistency": "foreign_keys:FOREIGN_KEY_CONSISTENCY",
    "performance_baseline": "performance:BASELINE",
    "performance_monitoring": "performance:MONITORING",
    "performance_regression_check": "performance:REGRESSION",
    "performance_validation": "performance:REGRESSION",
    "schema_integrity": "schema:SCHEMA_INTEGRITY",
    "schema_validation": "schema:SCHEMA_VALIDATION",
    "transaction_health": "sessions:TRANSACTION_HEALTH",
}


@hookimpl
def dflint_validators() -> Mapping[str, str]:
    """Validator name -> reference to it."""
    return {name: f"dflint_validators.{where}" for name, where in _VALIDATORS.items()}
