"""The plugin manager: built for a run and passed along, never a global."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pluggy

from dflint.model.errors import PluginError
from dflint.plugin.hookspecs import PROJECT, Hooks

#: The plugins that come with dflint; they use the same door as a stranger's.
BUILT_IN = ("dflint_checks", "dflint_sources", "dflint_recipes", "dflint_reports", "dflint_validators")


class Plugins:
    """The registered plugins, and what they contribute."""

    def __init__(self, modules: Iterable[str] = ()) -> None:
        """Register the built-in plugins and ``modules``, import names from the configuration.

        Raises:
            PluginError: one cannot be imported or implements an unknown hook.
        """
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        for module in (*BUILT_IN, *modules):
            self._register(module)

    def _register(self, module: str) -> None:
        try:
            self._manager.register(import_module(module), name=module)
            self._manager.check_pending()
        except Exception as error:
            raise PluginError(
                f"plugin {module!r} failed to load: {error}",
                remedy="correct it, or take it out of 'plugins' in the configuration",
            ) from error

    def rule_paths(self) -> list[str]:
        """Directories with rule files, in order of registration."""
        return [path for paths in reversed(self._manager.hook.dflint_rule_paths()) for path in paths]

    def checks(self) -> dict[str, str]:
        """Check name -> reference."""
        return self._merged("dflint_checks", "check")

    def sources(self) -> dict[str, str]:
        """Runner name -> reference."""
        return self._merged("dflint_sources", "runner")

    def reporters(self) -> dict[str, str]:
        """Format name -> reference."""
        return self._merged("dflint_reporters", "output format")

    def impact_reporters(self) -> dict[str, str]:
        """Format name of ``dflint impact`` -> reference."""
        return self._merged("dflint_impact_reporters", "output format of impacts")

    def plan_reporters(self) -> dict[str, str]:
        """Format name of ``dflint plan`` -> reference."""
        return self._merged("dflint_plan_reporters", "output format of plans")

    def servers(self) -> dict[str, str]:
        """Name of a provider of servers -> reference."""
        return self._merged("dflint_servers", "provider of servers")

    def validators(self) -> dict[str, str]:
        """Name of a checkpoint validator -> reference."""
        return self._merged("dflint_validators", "checkpoint validator")

    def risk_checks(self) -> dict[str, str]:
        """Name of a Python function that finds harm -> reference."""
        return self._merged("dflint_risk_checks", "risk check")

    def recipe_builders(self) -> dict[str, str]:
        """Name of a function that makes the steps of a recipe -> reference."""
        return self._merged("dflint_recipes", "builder of steps")

    def _merged(self, hook: str, what: str) -> dict[str, str]:
        merged: dict[str, str] = {}
        for contribution in reversed(getattr(self._manager.hook, hook)()):
            for name, reference in contribution.items():
                if name in merged:
                    raise PluginError(f"two plugins offer the {what} {name!r}", remedy="remove or rename one")
                merged[name] = reference
        return merged


def load(reference: str) -> Any:
    """Import what a reference ``"package.module:attribute"`` names.

    Raises:
        PluginError: it does not exist or fails to import.
    """
    module, _, attribute = reference.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        raise PluginError(f"{reference!r} failed to load: {error}") from error
