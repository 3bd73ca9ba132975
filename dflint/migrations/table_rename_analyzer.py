"""Renaming tables under the specification's names."""

from __future__ import annotations

from pathlib import Path

from dflint.analysis.rename import RenameImpact, UnsafeRename
from dflint.app.rename import RenamePlan, RenameResult, execute_rename, rename_impact, rename_plan
from dflint.app.table_backups import restore_backup
from dflint.guard.options import Options
from dflint.postgres.source import ConnectionSource

__all__ = ["RenameImpact", "RenamePlan", "RenameResult", "TableRenameAnalyzer", "UnsafeRename"]


class TableRenameAnalyzer:
    """Says what breaks when a table gets another name, and renames it so that nothing does."""

    def __init__(self, connection_manager: object) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.

        Raises:
            InputError: no sessions can be had from it.
        """
        self._source = ConnectionSource.coerce(connection_manager)

    async def analyze_rename_impact(self, current_name: str, new_name: str) -> RenameImpact:
        """What renaming a table does to everything else.

        Args:
            current_name: in SQL spelling, with its schema or found by search_path.
            new_name: in SQL spelling.

        Raises:
            NotFound: there is no such table.
            InputError: a name cannot be used.
            ServerError: there is no connection.
        """
        return await rename_impact(self._source, current_name, new_name)

    async def create_rename_plan(
        self,
        impact: RenameImpact,
        include_dependency_updates: bool = True,
        backup_strategy: str = "none",
        *,
        compatibility_view: bool = False,
        proceed: bool = False,
        call: bool = True,
        free_bytes: int | None = None,
        directory: Path | None = None,
    ) -> RenamePlan:
        """See `dflint.app.rename.rename_plan`."""
        return await rename_plan(
            self._source,
            impact,
            include_dependency_updates=include_dependency_updates,
            backup_strategy=backup_strategy,
            compatibility_view=compatibility_view,
            proceed=proceed,
            call=call,
            free_bytes=free_bytes,
            directory=directory,
        )

    async def execute_coordinated_rename(self, plan: RenamePlan, *, options: Options | None = None) -> RenameResult:
        """See `dflint.app.rename.execute_rename`."""
        return await execute_rename(self._source, plan, options=options)

    async def restore_backup(self, backup: str, table: str, *, remove_later: bool = False) -> int:
        """See `dflint.app.table_backups.restore_backup`."""
        return await restore_backup(self._source, backup, table, remove_later=remove_later)
