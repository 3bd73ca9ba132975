"""The use case of migrations with checkpoints: whatever the migration is, run it under the lock and validate it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from dflint.app.execute import ExecRequest, plan_of
from dflint.app.plan import plan_sql
from dflint.catalog.reader import read_catalog
from dflint.guard.callable_migration import CallableMigration
from dflint.guard.checkpoints import Checkpoints, Migration, ValidationResult, asked_for, migrate
from dflint.guard.lock import MigrationLock, MigrationLockManager, held_lock
from dflint.guard.plan_migration import PlanMigration
from dflint.guard.queries import LookingSession
from dflint.model.errors import InputError
from dflint.model.plan import Plan
from dflint.plugin.manager import Plugins
from dflint.plugin.validators import TableName
from dflint.postgres.source import ConnectionSource


async def execute_with_validation(
    source: ConnectionSource,
    migration_operation: Callable[..., Any] | Plan | str | Path,
    checkpoints: Iterable[Mapping[str, Any]],
    *,
    rollback_on_failure: bool,
    detailed_reporting: bool,
    tables: Sequence[str] = (),
    workload: Sequence[str] = (),
    plugins: Sequence[str] = (),
    lock_timeout_s: float = 60.0,
) -> ValidationResult:
    """Run a migration between checkpoints.

    Args:
        source: the database.
        migration_operation: a function without arguments, or one that takes the guarded session; SQL; a path; a Plan.
        checkpoints: see `dflint.guard.checkpoints.asked_for`.
        rollback_on_failure: take it back when a required validator or the migration fails.
        detailed_reporting: keep what each validator measured.
        tables: those that the migration is about, schema-qualified or found by search_path; validators look at these
            only, and a rollback is verified by their rows too.
        workload: queries that stand for the application.
        plugins: import names of modules with more validators.
        lock_timeout_s: how long to wait for the migration lock, where none is held.

    Raises:
        InputError: a checkpoint, a table or the migration is unusable.
        LockTimeout: another migration is running.
        GuardRefused: the database is not one to run migrations on.
    """
    asked = asked_for(checkpoints, Plugins(plugins).validators())
    async with AsyncExitStack() as stack:
        lock = held_lock()
        if lock is None:
            lock = await stack.enter_async_context(
                MigrationLockManager(source).acquire_migration_lock(
                    lock_scope="schema_modification",
                    timeout_seconds=lock_timeout_s,
                    operation_description="migration with validation checkpoints",
                )
            )
        named = tuple([await _table(lock, table) for table in tables])
        session = LookingSession(await source.dsn())
        stack.push_async_callback(session.close)
        looked_at = Checkpoints(asked, session, tables=named, workload=tuple(workload), detailed=detailed_reporting)
        migration = await _migration(migration_operation, lock, source, named)
        return await migrate(migration, looked_at, rollback_on_failure=rollback_on_failure)


async def _migration(
    given: Callable[..., Any] | Plan | str | Path,
    lock: MigrationLock,
    source: ConnectionSource,
    tables: Sequence[TableName],
) -> Migration:
    if callable(given):
        return CallableMigration(given, lock, tables)
    if isinstance(given, Plan):
        plan = given
    elif isinstance(given, Path) or ("\n" not in given and os.path.lexists(given)):
        plan = await plan_of(ExecRequest(dsn=await source.dsn(), path=str(given)))
    else:
        plan = await _plan_of_sql(given, lock)
    return PlanMigration(plan, source, lock, tables)


async def _plan_of_sql(text: str, lock: MigrationLock) -> Plan:
    catalog = await read_catalog(lock.connection)
    return plan_sql(text, catalog, version=lock.connection.info.server_version // 10_000)


_NAMED = b"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(%s)
"""


async def _table(lock: MigrationLock, name: str) -> TableName:
    row = await (await lock.connection.execute(_NAMED, (name,))).fetchone()
    if row is None:
        raise InputError(f"there is no table {name}", remedy="write its name as in SQL, with its schema")
    return row[0], row[1]
