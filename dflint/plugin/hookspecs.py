"""Hook specifications. All hooks contribute; none is called per file or per statement.

Names that a hook hands out are import references, ``"package.module:attribute"``, so that a lint run loads only what
it uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pluggy

PROJECT = "dflint"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hooks that a plugin module may implement."""

    @hookspec
    def dflint_rule_paths(self) -> Sequence[str]:
        """Directories that hold rule files (``*.yaml``, searched recursively), as absolute paths."""
        raise NotImplementedError

    @hookspec
    def dflint_checks(self) -> Mapping[str, str]:
        """Python detectors that rules may name: check name -> reference to a `dflint.model.context.Check`."""
        raise NotImplementedError

    @hookspec
    def dflint_sources(self) -> Mapping[str, str]:
        """Migration runners: runner name -> reference to a `dflint.plugin.Source` (an instance)."""
        raise NotImplementedError

    @hookspec
    def dflint_reporters(self) -> Mapping[str, str]:
        """Output formats: format name -> reference to a `dflint.plugin.Reporter`."""
        raise NotImplementedError

    @hookspec
    def dflint_impact_reporters(self) -> Mapping[str, str]:
        """Output formats of ``dflint impact``: format name -> reference to a `dflint.plugin.impacts.ImpactReporter`."""
        raise NotImplementedError

    @hookspec
    def dflint_plan_reporters(self) -> Mapping[str, str]:
        """Output formats of ``dflint plan``: format name -> reference to a `dflint.plugin.plans.PlanReporter`."""
        raise NotImplementedError

    @hookspec
    def dflint_servers(self) -> Mapping[str, str]:
        """Places of PostgreSQL servers: provider name -> reference to a `dflint.plugin.Provider`.

        They are asked after ``DFLINT_PG_BINDIR`` and before the places that dflint knows itself.
        """
        raise NotImplementedError

    @hookspec
    def dflint_validators(self) -> Mapping[str, str]:
        """Checkpoint validators: name -> reference to a `dflint.plugin.Validator`; several names may mean the same."""
        raise NotImplementedError

    @hookspec
    def dflint_risk_checks(self) -> Mapping[str, str]:
        """Functions that find harm for risk rules: name -> reference to one that takes what is assessed.

        It gives `dflint.model.risk.Harm` values; a risk rule names it in ``check``.
        """
        raise NotImplementedError

    @hookspec
    def dflint_recipes(self) -> Mapping[str, str]:
        """Builders of recipes: name -> reference to a `dflint.plugin.recipes.Builder`; recipes name it."""
        raise NotImplementedError
