"""NOT NULL under the name that the decision matrix gives it."""

from __future__ import annotations

from typing import Any

from dflint.app.not_null import (
    NotNullPlan,
    NotNullResult,
    NotNullValidation,
    execute_not_null,
    plan_not_null,
    validate_not_null,
)
from dflint.guard.options import Options
from dflint.postgres.source import ConnectionSource

__all__ = ["NotNullColumnHandler", "NotNullHandler", "NotNullPlan", "NotNullResult", "NotNullValidation"]


class NotNullHandler:
    """Makes columns NOT NULL, new ones and those that are there, by the recipe that fits."""

    def __init__(self, connection_manager: object) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.

        Raises:
            InputError: no sessions can be had from it.
        """
        self._source = ConnectionSource.coerce(connection_manager)

    async def plan_not_null_addition(self, table_name: str, column_name: str, **details: Any) -> NotNullPlan:
        """The plan for a column that is there, or, with ``data_type``, for a new one.

        Args:
            table_name, column_name: in SQL spelling.
            details: ``data_type``, ``default_value`` (a Python value), ``default_expression`` (SQL).

        Raises:
            NotFound: there is no such table.
            InputError: a detail cannot be read.
            ServerError: the database cannot be read.
        """
        return await plan_not_null(self._source, table_name, column_name, details)

    async def execute_not_null_addition(self, plan: NotNullPlan, *, options: Options | None = None) -> NotNullResult:
        """See `dflint.app.not_null.execute_not_null`."""
        return await execute_not_null(self._source, plan, options)

    async def validate_not_null_addition(self, table_name: str, column_name: str) -> NotNullValidation:
        """See `dflint.app.not_null.validate_not_null`."""
        return await validate_not_null(self._source, table_name, column_name)


#: What the class is called elsewhere.
NotNullColumnHandler = NotNullHandler
