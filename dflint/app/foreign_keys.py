"""The use case of foreign keys: what a change does to them, a plan that stops nobody for long, and its execution."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from dflint.analysis.foreign_keys.impact import (
    Change,
    FKOperationType,
    ForeignKeyImpact,
    affected,
    assess,
    dropped_first,
)
from dflint.analysis.foreign_keys.net import net_of
from dflint.analysis.foreign_keys.script import STRATEGIES, drop, statements
from dflint.analysis.targets import target_of
from dflint.app.effects import predict
from dflint.app.impact import ImpactAnalysis, requested, statement_of
from dflint.app.plan import plan_sql
from dflint.app.request import NEWEST_VERSION
from dflint.catalog.reader import read_catalog
from dflint.catalog.surroundings import Surroundings, find_table, read_surroundings
from dflint.guard.executor import execute
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Progress, Silent
from dflint.model.errors import InputError
from dflint.model.garbage import no_garbage_collection
from dflint.model.names import Identity
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AlterColumnType
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource

#: The sub-command of `dflint impact` that each operation is, and what it takes beside the table.
_COMMANDS: Final = {
    FKOperationType.DROP_COLUMN: ("drop-column", ("column_name",)),
    FKOperationType.DROP_TABLE: ("drop-table", ()),
    FKOperationType.DROP_CONSTRAINT: ("drop-constraint", ("constraint_name",)),
    FKOperationType.MODIFY_COLUMN_TYPE: ("alter-type", ("column_name", "new_type")),
    FKOperationType.RENAME_COLUMN: ("rename-column", ("column_name", "new_name")),
    FKOperationType.RENAME_TABLE: ("rename-table", ("new_name",)),
}

#: Where operations have names of what is changed, or comes.
_WORDS: Final = ("column", "name", "new_name")


class UnsafeForeignKeyChange(InputError):
    """A plan was asked for that would break something, or that the server refuses.

    Attributes:
        reasons: why, one sentence each; each names an object.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(
            f"the change is not safe: {'; '.join(reasons)}",
            remedy="name foreign keys that may go in dropping=, mend what else stands in the way, or say proceed=True",
        )
        self.reasons = reasons


class ForeignKeyResult(Struct, frozen=True, kw_only=True):
    """How a change ended.

    Attributes:
        success: everything is done.
        message: one sentence.
        outcome: of the executor.
    """

    success: bool
    message: str
    outcome: Outcome


async def foreign_key_impact(
    source: ConnectionSource,
    operation: FKOperationType | str,
    table: str,
    details: dict[str, str],
    *,
    with_cascades: bool = True,
    dropping: tuple[str, ...] = (),
) -> ForeignKeyImpact:
    """What a change of a table does to foreign keys, and by them to other tables.

    Args:
        source: the database.
        operation: see there; its name will do.
        table: in SQL spelling, with its schema or found by search_path.
        details: what the operation takes beside the table (``column_name``, ``new_type``, …), in SQL spelling.
        with_cascades: also say what becomes of rows.
        dropping: foreign keys of other tables that may be dropped.

    Raises:
        NotFound: what is named does not exist.
        InputError: a detail is missing, or cannot be read.
        ServerError: there is no connection.
    """
    connection = await source.connect()
    try:
        return await connected_impact(
            connection, operation, table, details, with_cascades=with_cascades, dropping=dropping
        )
    finally:
        await connection.close()


async def connected_impact(
    connection: Any,
    operation: FKOperationType | str,
    table: str,
    details: dict[str, str],
    *,
    with_cascades: bool = True,
    dropping: tuple[str, ...] = (),
) -> ForeignKeyImpact:
    """As `foreign_key_impact`, over an open connection; only what the table needs is read.

    Args:
        connection: a `psycopg.AsyncConnection` outside a transaction, in autocommit mode; and as `foreign_key_impact`.

    Raises:
        NotFound: what is named does not exist.
        InputError: a detail is missing, or cannot be read.
        psycopg.Error: the connection is lost.
    """
    kind = FKOperationType.parse(operation)
    asked = asked_for(kind, table, details)
    path = await _search_path(connection)
    around = await _surroundings(connection, asked, path)
    with no_garbage_collection():
        return impact_in(around, kind, asked, path, with_cascades=with_cascades, dropping=dropping)


def impact_in(
    around: Surroundings,
    kind: FKOperationType,
    asked: Operation,
    path: tuple[str, ...],
    *,
    with_cascades: bool = True,
    dropping: tuple[str, ...] = (),
) -> ForeignKeyImpact:
    """As `foreign_key_impact`, of what was read.

    Raises:
        NotFound: what is named does not exist.
    """
    catalog, net = around.catalog, around.net
    analysis = ImpactAnalysis(catalog, path)
    change, impact = _change(kind, asked, analysis, dropping), analysis.of(asked)
    constraints = affected(change, impact, catalog, net, around.definitions)
    script = ";\n".join((*map(drop, dropped_first(constraints)), change.statement))
    effects = predict(script, catalog, version=catalog.version or NEWEST_VERSION)
    return assess(change, impact, constraints, effects, catalog, net, with_cascades=with_cascades)


async def _surroundings(connection: Any, operation: Operation, path: tuple[str, ...]) -> Surroundings:
    """What has to do with the table; everything where there is no such table, to say what there is instead."""
    found = None if operation.target is None else await find_table(connection, operation.target, path)
    if found is not None:
        words = [word for field in _WORDS if (word := getattr(operation, field, None)) is not None]
        if isinstance(operation, AlterColumnType):
            words.append(operation.type.name.name)
        return await read_surroundings(connection, found, column=getattr(operation, "column", None), words=words)
    catalog = await read_catalog(connection)
    return Surroundings(catalog, net_of(catalog), {})


async def foreign_key_plan(
    source: ConnectionSource, impact: ForeignKeyImpact, strategy: str = STRATEGIES[0], *, proceed: bool = False
) -> Plan:
    """A plan of the change, foreign keys included.

    Args:
        source: the database.
        impact: as `foreign_key_impact` gives it.
        strategy: ``minimal_downtime`` or ``single_transaction``.
        proceed: also where it is not safe.

    Raises:
        UnsafeForeignKeyChange: it is not safe.
        InputError: the strategy is unknown.
        ServerError: there is no connection.
    """
    text = ";\n".join(statements(impact, strategy))
    if impact.reasons and not proceed:
        raise UnsafeForeignKeyChange(impact.reasons)
    connection = await source.connect()
    try:
        catalog = await read_catalog(connection)
    finally:
        await connection.close()
    described = f"{impact.change.operation.value} of {impact.change.table}"
    return plan_sql(text, catalog, version=catalog.version or NEWEST_VERSION, path=described)


async def execute_foreign_key_plan(
    source: ConnectionSource, plan: Plan, *, options: Options | None = None, progress: Progress | None = None
) -> ForeignKeyResult:
    """Execute such a plan under guard.

    Raises:
        GuardRefused, LockTimeout: nothing was changed.
        ServerError: there is no connection.
    """
    outcome = await execute(plan, source, options or Options(again=True), progress or Silent())
    return ForeignKeyResult(success=outcome.state == "done", message=outcome.message, outcome=outcome)


def asked_for(kind: FKOperationType, table: str, details: dict[str, str]) -> Operation:
    """The operation of that kind.

    Raises:
        InputError: a detail is missing, or cannot be read.
    """
    command, wanted = _COMMANDS[kind]
    missing = [name for name in wanted if name not in details]
    if missing:
        raise InputError(f"{kind.value} needs {' and '.join(missing)}")
    return requested(command, (table, *(details[name] for name in wanted)))


def _change(kind: FKOperationType, operation: Operation, analysis: ImpactAnalysis, dropping: tuple[str, ...]) -> Change:
    target = target_of(operation, analysis.catalog, analysis.search_path)
    table = target.relation
    assert table is not None
    is_column = Identity.parse(target.identity).kind == "column"
    return Change(
        operation=kind,
        table=table,
        statement=statement_of(operation, target),
        column=target.part if is_column else None,
        dropping=dropping,
    )


async def _search_path(connection: Any) -> tuple[str, ...]:
    row = await (await connection.execute(b"SELECT current_schemas(false)::text[]")).fetchone()
    return tuple(row[0])
