"""Foreign keys under the specification's names."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.analysis.foreign_keys.impact import FKImpactLevel, FKOperationType, ForeignKeyImpact
from dflint.app.foreign_keys import (
    ForeignKeyResult,
    UnsafeForeignKeyChange,
    execute_foreign_key_plan,
    foreign_key_impact,
    foreign_key_plan,
)
from dflint.guard.options import Options
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource

__all__ = [
    "FKImpactLevel",
    "FKOperationType",
    "ForeignKeyAnalyzer",
    "ForeignKeyImpact",
    "ForeignKeyResult",
    "UnsafeForeignKeyChange",
]


class ForeignKeyAnalyzer:
    """Says what a change does to foreign keys and, by their actions, to rows; and makes it without long locks."""

    def __init__(self, connection_manager: object) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.

        Raises:
            InputError: no sessions can be had from it.
        """
        self._source = ConnectionSource.coerce(connection_manager)

    async def analyze_fk_impact(
        self,
        operation: FKOperationType | str,
        table_name: str,
        column_name: str | None = None,
        include_cascade_analysis: bool = True,
        *,
        constraint_name: str | None = None,
        new_type: str | None = None,
        new_name: str | None = None,
        dropping: Iterable[str] = (),
    ) -> ForeignKeyImpact:
        """What a change of a table does to foreign keys.

        Args:
            operation: an `FKOperationType` or its name.
            table_name: in SQL spelling, with its schema or found by search_path; so are all names.
            column_name, constraint_name, new_type, new_name: what the operation needs.
            include_cascade_analysis: also say what becomes of rows.
            dropping: foreign keys of other tables that may be dropped.

        Raises:
            NotFound: what is named does not exist.
            InputError: something is missing, or cannot be read.
            ServerError: there is no connection.
        """
        given = {
            "column_name": column_name,
            "constraint_name": constraint_name,
            "new_type": new_type,
            "new_name": new_name,
        }
        return await foreign_key_impact(
            self._source,
            operation,
            table_name,
            {name: value for name, value in given.items() if value is not None},
            with_cascades=include_cascade_analysis,
            dropping=tuple(dropping),
        )

    async def generate_fk_safe_migration_plan(
        self, impact: ForeignKeyImpact, preferred_strategy: str = "minimal_downtime", *, proceed: bool = False
    ) -> Plan:
        """See `dflint.app.foreign_keys.foreign_key_plan`."""
        return await foreign_key_plan(self._source, impact, preferred_strategy, proceed=proceed)

    async def execute_fk_safe_migration(self, plan: Plan, *, options: Options | None = None) -> ForeignKeyResult:
        """See `dflint.app.foreign_keys.execute_foreign_key_plan`."""
        return await execute_foreign_key_plan(self._source, plan, options=options)
