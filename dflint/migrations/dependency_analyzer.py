"""What depends on a table or column, under the name that the decision matrix gives it."""

from __future__ import annotations

from dflint.app.impact import ImpactAnalysis, requested
from dflint.app.snapshot import read_live
from dflint.model.catalog import Catalog
from dflint.model.impact import Dependent, Evidence, Impact
from dflint.postgres.source import ConnectionSource

__all__ = ["DependencyAnalyzer", "Dependent", "Evidence", "Impact"]


class DependencyAnalyzer:
    """Says what depends on tables and columns, and what becomes of it when they are dropped."""

    def __init__(self, connection_manager: object = None, *, catalog: Catalog | None = None) -> None:
        """Say which database, or which catalog; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.
            catalog: of a snapshot, in place of a database.

        Raises:
            InputError: no sessions can be had from ``connection_manager``, and there is no ``catalog``.
        """
        self._catalog = catalog
        self._source = None if catalog is not None else ConnectionSource.coerce(connection_manager)

    async def analyze_column_dependencies(self, table: str, column: str) -> Impact:
        """Everything that depends on a column, with what becomes of it when the column is dropped.

        Evidence of views tells which of their output columns it feeds.

        Args:
            table, column: in SQL spelling; the table with its schema, or found in public.

        Raises:
            NotFound: there is no such table or column.
            ServerError: there is no connection.
        """
        analysis = await self._analysis()
        return analysis.with_lineage(analysis.of(requested("drop-column", (table, column))))

    async def analyze_table_dependencies(self, table: str) -> Impact:
        """Everything that depends on a table, with what becomes of it when the table is dropped.

        Args:
            table: in SQL spelling, with its schema or found in public.

        Raises:
            NotFound: there is no such table.
            ServerError: there is no connection.
        """
        return (await self._analysis()).of(requested("drop-table", (table,)))

    async def _analysis(self) -> ImpactAnalysis:
        """Of the schema as it is now: another session may have changed it."""
        if self._source is None:
            assert self._catalog is not None
            return ImpactAnalysis(self._catalog)
        return ImpactAnalysis(await read_live(await self._source.dsn()))
