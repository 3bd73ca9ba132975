"""The use case of renaming a table: what breaks, a plan that breaks nothing, and its execution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.rename import RenameImpact, Script, analyse, script
from dflint.analysis.rename.impact import LONGEST
from dflint.analysis.rename.verification import is_verified
from dflint.app.effects import known_facts
from dflint.app.impact import single_operation
from dflint.app.plan import plan_sql
from dflint.app.request import NEWEST_VERSION
from dflint.app.snapshot_files import save_snapshot
from dflint.catalog.definitions import read_definitions
from dflint.catalog.reader import read_catalog
from dflint.guard.executor import execute
from dflint.guard.journal_file import DEFAULT_DIRECTORY
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Progress, Silent
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError, nearest
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.model.operations.objects import RenameObject
from dflint.model.plan import Plan, Undo
from dflint.model.quoting import quote_identifier
from dflint.planning.making import conclude
from dflint.planning.undo.spelling import quoted
from dflint.postgres.source import ConnectionSource
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser

BackupStrategy = Literal["none", "catalog", "full_backup"]
BACKUPS: Final = ("none", "catalog", "full_backup")

#: The copy, and as much again for the write-ahead log.
_SPACE: Final = 2


class RenamePlan(Struct, frozen=True, kw_only=True):
    """A rename, ready to be executed.

    Attributes:
        plan: its steps; all of the rename is one of them.
        impact: what it was made from.
        backup_strategy: as it was asked for.
        backup_table: the copy of the rows, schema-qualified SQL; None where none is made.
        backup_file: the snapshot that is written before anything is changed; None where none is.
        required_bytes: what the copy needs on the server's disk, at most; 0 without one.
        free_bytes: what the caller said is free there; None: it is looked up.
    """

    plan: Plan
    impact: RenameImpact
    backup_strategy: BackupStrategy
    backup_table: str | None = None
    backup_file: Path | None = None
    required_bytes: int = 0
    free_bytes: int | None = None


class RenameResult(Struct, frozen=True, kw_only=True):
    """How a rename ended.

    Attributes:
        success: the table has its new name, and everything else is done too.
        message: one sentence.
        outcome: of the executor.
        backup_table, backup_file: where the backup is; None where there is none.
    """

    success: bool
    message: str
    outcome: Outcome
    backup_table: str | None = None
    backup_file: Path | None = None


async def rename_impact(source: ConnectionSource, current: str, new: str) -> RenameImpact:
    """What renaming a table does. Both names are in SQL spelling; the new one has no schema, or the table's.

    Raises:
        NotFound: there is no such table.
        InputError: a name cannot be used.
        ServerError: there is no connection.
    """
    connection = await source.connect()
    try:
        path = await _search_path(connection)
        catalog = await read_catalog(connection)
    finally:
        await connection.close()
    return impact_of(catalog, current, new, path)


def impact_of(catalog: Catalog, current: str, new: str, search_path: tuple[str, ...] = ("public",)) -> RenameImpact:
    """What renaming a table of a catalog does, read from a server or a snapshot.

    Raises:
        NotFound, InputError: as `rename_impact`.
    """
    operation = single_operation(f"ALTER TABLE {current} RENAME TO {_without_schema(current, new)}")
    if not isinstance(operation, RenameObject):
        raise InputError(f"{current}, {new}: that cannot be read", remedy='names are as in SQL: users, "Order Items"')
    written = _without_schema(current, new).strip()
    if written.startswith('"'):
        written = written[1:-1].replace('""', '"')
    if len(written.encode()) > LONGEST:
        raise InputError(f"{written} has more than {LONGEST} bytes: PostgreSQL would cut it", remedy="shorten it")
    return analyse(operation, catalog, _after(catalog, operation, search_path), parser(), search_path=search_path)


def parser() -> Parser:
    """Reads SQL."""
    return Parser(load_library())


async def rename_plan(
    source: ConnectionSource,
    impact: RenameImpact,
    *,
    include_dependency_updates: bool = True,
    backup_strategy: str = "none",
    compatibility_view: bool = False,
    proceed: bool = False,
    call: bool = True,
    free_bytes: int | None = None,
    directory: Path | None = None,
) -> RenamePlan:
    """The plan of a rename: one ALTER … RENAME, and what breaks by its text, in one transaction.

    Args:
        source: the database.
        impact: as `rename_impact` gives it.
        include_dependency_updates: write routines anew that name the table.
        backup_strategy: ``none``; ``catalog``: a snapshot file; ``full_backup``: a copy of the table.
        compatibility_view: leave a view of the old name behind, for programs that still use it.
        proceed: also where something would be left broken, or nobody can say.
        call: call edited routines that are declared to change nothing, in a savepoint that is rolled back.
        free_bytes: what is free on the server's disk; None: it is looked up, which only the same machine allows.
        directory: of the snapshot file; None: ``.dflint``.

    Raises:
        UnsafeRename: something would be left broken, or nobody can say.
        InputError: the strategy is unknown, or a view would show rows that are not for everybody.
        ServerError: there is no connection.
    """
    if backup_strategy not in BACKUPS:
        remedy = nearest(backup_strategy, BACKUPS) or f"known are {', '.join(BACKUPS)}"
        raise InputError(f"there is no backup strategy {backup_strategy!r}", remedy=remedy)
    strategy: BackupStrategy = backup_strategy  # type: ignore[assignment]  # it is one of these
    full, run = strategy == "full_backup", uuid4().hex[:8]
    connection = await source.connect()
    try:
        required = _SPACE * await _size(connection, impact.table) if full else 0
        version = connection.info.server_version // 10_000
        names = {each.routine.name.name for each in impact.edits}
        definitions = await read_definitions(connection, names, version=version)
    finally:
        await connection.close()
    made = script(
        impact,
        definitions,
        edits=include_dependency_updates,
        view=compatibility_view,
        backup=run if full else None,
        proceed=proceed,
        call=call,
    )
    file = None
    if strategy == "catalog":
        file = (directory or DEFAULT_DIRECTORY) / f"rename_{run}.dflint.json"
    return RenamePlan(
        plan=_plan(made, impact, include_dependency_updates, call=call),
        impact=impact,
        backup_strategy=strategy,
        backup_table=None if made.backup is None else quoted(made.backup),
        backup_file=file,
        required_bytes=required,
        free_bytes=free_bytes,
    )


def _plan(made: Script, impact: RenameImpact, edits: bool, *, call: bool) -> Plan:
    text = ";\n".join((*made.before, "BEGIN", *made.change, "COMMIT"))
    version = impact.catalog.version or NEWEST_VERSION
    plan = plan_sql(text, impact.catalog, version=version, path=f"rename of {impact.table} to {impact.new_name}")
    *first, last = plan.steps
    unseen = [each.identity for each in impact.edits if edits and not is_verified(each.routine, impact, call=call)]
    notes = [f"{each} is read again, but not run before the rename is committed" for each in unseen]
    # A copy of the rows that this role may see would be no backup: the server refuses instead.
    first = [replace(step, settings={**step.settings, "row_security": "off"}) for step in first]
    settings = {
        **last.settings,
        "check_function_bodies": "on",
        "search_path": ", ".join(map(quote_identifier, impact.search_path)) or '""',
    }
    last = replace(
        last,
        sql=";\n".join((*made.change, *made.verify)),
        pre=(*last.pre, *made.pre),
        undo=Undo(sql=made.undo),
        settings=settings,
        notes=(*last.notes, *notes),
    )
    return conclude(replace(plan, steps=(*first, last)), impact.catalog)


async def execute_rename(
    source: ConnectionSource, plan: RenamePlan, *, options: Options | None = None, progress: Progress | None = None
) -> RenameResult:
    """Execute a rename under guard: it is done whole, or not at all.

    Raises:
        InputError: there is no room for the backup, or nobody knows.
        GuardRefused, LockTimeout: nothing was changed.
        ServerError: there is no connection.
    """
    if plan.backup_strategy == "full_backup":
        await _check_space(source, plan)
    if plan.backup_file is not None:
        await _save_catalog(source, plan.backup_file)
    outcome = await execute(plan.plan, source, options or Options(again=True), progress or Silent())
    done = outcome.state == "done"
    return RenameResult(
        success=done,
        message=outcome.message,
        outcome=outcome,
        backup_table=plan.backup_table,
        backup_file=plan.backup_file,
    )


async def _search_path(connection: Any) -> tuple[str, ...]:
    row = await (await connection.execute(b"SELECT current_schemas(false)::text[]")).fetchone()
    return tuple(row[0])


_SIZE: Final = b"""
WITH RECURSIVE all_of AS (
  SELECT to_regclass(%s)::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN all_of a ON i.inhparent = a.oid
) SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM all_of
"""


async def _size(connection: Any, table: Name) -> int:
    """Bytes of a table and of what inherits from it, without indexes."""
    row = await (await connection.execute(_SIZE, (quoted(table),))).fetchone()
    return int(row[0])


async def _check_space(source: ConnectionSource, plan: RenamePlan) -> None:
    free = plan.free_bytes
    if free is None:
        free = await _free(source)
    if free is None:
        raise InputError(
            f"nobody can say whether the server's disk has room for the backup, {plan.required_bytes} bytes",
            remedy="give free_bytes, or the backup strategy catalog",
        )
    if free < plan.required_bytes:
        raise InputError(
            f"the backup needs up to {plan.required_bytes} bytes with its write-ahead log; {free} are free",
            remedy="make room, or choose the backup strategy catalog",
        )


async def _free(source: ConnectionSource) -> int | None:
    """Free bytes under the server's data directory; None where it is on another machine, or hidden from this role."""
    connection = await source.connect()
    try:
        query = b"SELECT current_setting('data_directory') WHERE pg_has_role('pg_read_all_settings', 'USAGE')"
        row: Sequence[str] | None = await (await connection.execute(query)).fetchone()
        host = connection.info.host
    finally:
        await connection.close()
    # Only a socket of the file system is certainly of this machine.
    if row is None or not host.startswith("/"):
        return None
    try:
        found = os.statvfs(row[0])
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


async def _save_catalog(source: ConnectionSource, file: Path) -> None:
    connection = await source.connect()
    try:
        catalog = await read_catalog(connection)
    finally:
        await connection.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    save_snapshot(catalog, str(file))


def _after(catalog: Catalog, operation: RenameObject, search_path: tuple[str, ...]) -> Catalog:
    """What exists after a rename; the same where there is no such table."""
    target = operation.target
    assert target is not None
    name = catalog.resolve(target, search_path)
    text = f"ALTER TABLE {quoted(name)} RENAME TO {quote_identifier(operation.new_name)}".encode()
    sections = [Section("up", Span(0, len(text)))]
    version = catalog.version or NEWEST_VERSION
    fold = Fold(runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=catalog)
    fold.begin_change()
    for _ in fold.file(text, sections, parser().parse(text, sections)):
        pass
    fold.begin_change()
    return fold.catalog


def _without_schema(current: str, new: str) -> str:
    """The new name; one that repeats the table's schema is taken for what it means."""
    schema, dot, _ = current.rpartition(".")
    return new.removeprefix(f"{schema}.") if dot and new.startswith(f"{schema}.") else new
