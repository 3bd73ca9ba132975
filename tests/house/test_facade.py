"""The specification's classes are to be had under its module names and from `dflint` itself, and load nothing before."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import dflint


@pytest.mark.parametrize("name", sorted(set(dflint.__all__) - {"__version__"}))
def test_every_name_is_what_its_module_has(name: str) -> None:
    found = getattr(dflint, name)
    modules = (
        "concurrent_access_manager",
        "dependency_analyzer",
        "foreign_key_analyzer",
        "integrated_risk_assessment_system",
        "mitigation_strategy_engine",
        "not_null_handler",
        "risk_assessment_engine",
        "table_rename_analyzer",
        "validation_checkpoints",
    )
    homes = [module for module in modules if hasattr(import_module(f"dflint.migrations.{module}"), name)]
    assert homes
    assert all(getattr(import_module(f"dflint.migrations.{home}"), name) is found for home in homes)


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError):
        dflint.MigrationManager  # noqa: B018


def test_importing_the_package_loads_none_of_them() -> None:
    program = "import sys, dflint; print([name for name in sys.modules if name.startswith('dflint.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
