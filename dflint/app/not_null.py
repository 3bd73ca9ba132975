"""The use case of NOT NULL: the plan that fits version, size and default, its execution, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dflint.app.operation_types import OperationType, statement_for
from dflint.app.safe_plan import safe_plan_sql
from dflint.app.surroundings import surroundings_of, table_name
from dflint.catalog.not_null import not_null_state
from dflint.guard.executor import execute
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Progress, Silent
from dflint.model.catalog import Table
from dflint.model.errors import NotFound
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource


class NotNullPlan(Struct, frozen=True, kw_only=True):
    """How a column becomes NOT NULL.

    Attributes:
        table, column: in SQL spelling.
        plan: what is executed.
        recipes: ids of the recipes that it follows; empty where the plain statement stops nobody for long.
    """

    table: str
    column: str
    plan: Plan
    recipes: tuple[str, ...]


class NotNullValidation(Struct, frozen=True, kw_only=True):
    """Whether a column is NOT NULL, and all of its rows are known to be.

    Attributes:
        is_valid: both.
        nulls: rows without a value; None where they were not counted, because the server vouches for it.
        message: one sentence.
    """

    is_valid: bool
    nulls: int | None
    message: str


class NotNullResult(Struct, frozen=True, kw_only=True):
    """How an addition ended.

    Attributes:
        success: everything is done, and the column is NOT NULL.
        outcome: of the executor.
        validation: None where it did not come so far.
    """

    success: bool
    message: str
    outcome: Outcome
    validation: NotNullValidation | None = None


async def plan_not_null(source: ConnectionSource, table: str, column: str, details: Mapping[str, Any]) -> NotNullPlan:
    """The plan for a new column, where a type is given, or for one that is there.

    Raises:
        NotFound: there is no such table or column.
        InputError: a detail cannot be read.
        ServerError: the database cannot be read.
    """
    is_new = any(name in details for name in ("data_type", "type"))
    kind = OperationType.ADD_NOT_NULL_COLUMN if is_new else OperationType.SET_NOT_NULL
    sql = statement_for(kind, table, column, details)
    surroundings = await surroundings_of(source, sql)
    name = surroundings.catalog.resolve(table_name(table), surroundings.search_path)
    if not isinstance(surroundings.catalog.relation(name), Table):
        raise NotFound(f"there is no table {table}")
    safe = safe_plan_sql(sql, surroundings.catalog, version=surroundings.version)
    return NotNullPlan(
        table=table, column=column, plan=safe.plan, recipes=tuple(each.recipe.id for each in safe.rewritten)
    )


async def execute_not_null(
    source: ConnectionSource, plan: NotNullPlan, options: Options | None = None, progress: Progress | None = None
) -> NotNullResult:
    """Execute such a plan under guard, and see that the column is NOT NULL then.

    Raises:
        GuardRefused, LockTimeout: nothing was changed.
        ServerError: there is no connection.
    """
    outcome = await execute(plan.plan, source, options or Options(again=True), progress or Silent())
    if outcome.state != "done":
        return NotNullResult(success=False, message=outcome.message, outcome=outcome)
    found = await validate_not_null(source, plan.table, plan.column)
    return NotNullResult(success=found.is_valid, message=found.message, outcome=outcome, validation=found)


async def validate_not_null(source: ConnectionSource, table: str, column: str) -> NotNullValidation:
    """Whether a column is NOT NULL; where the server does not vouch for its rows, they are counted.

    Args:
        table, column: in SQL spelling.

    Raises:
        NotFound: there is no such table or column.
        ServerError: there is no connection.
    """
    connection = await source.connect()
    try:
        found = await not_null_state(connection, table, column)
    finally:
        await connection.close()
    if found is None:
        raise NotFound(f"there is no column {column} of {table}")
    if found.required and found.validated:
        return NotNullValidation(is_valid=True, nulls=None, message=f"{table}.{column} is NOT NULL")
    said = "is NOT NULL for new rows only" if found.required else "may be null"
    return NotNullValidation(
        is_valid=False, nulls=found.nulls, message=f"{table}.{column} {said}; {found.nulls} rows hold null"
    )
