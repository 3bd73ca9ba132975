"""Validation checkpoints under the specification's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dflint.app.validation import execute_with_validation
from dflint.guard.checkpoints import CheckpointResult, FailureDetails, ValidationResult
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource

__all__ = ["CheckpointResult", "FailureDetails", "ValidationCheckpointManager", "ValidationResult"]


class ValidationCheckpointManager:
    """Runs migrations between validators, and takes them back when one fails."""

    def __init__(self, connection_manager: object, *, plugins: Sequence[str] = ()) -> None:
        """Say which database; nothing connects.

        Args:
            connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`.
            plugins: import names of modules that contribute more validators.

        Raises:
            InputError: no sessions can be had from it.
        """
        self._source = ConnectionSource.coerce(connection_manager)
        self._plugins = tuple(plugins)

    async def execute_with_validation(
        self,
        migration_operation: Callable[..., Any] | Plan | str | Path,
        checkpoints: Iterable[Mapping[str, Any]],
        rollback_on_failure: bool = True,
        detailed_reporting: bool = False,
        *,
        tables: Sequence[str] = (),
        workload: Sequence[str] = (),
        timeout_seconds: float = 60.0,
    ) -> ValidationResult:
        """Run a migration: validators before it, while it runs and after it.

        Inside ``acquire_migration_lock`` the held lock is used, otherwise the database's is taken.

        Args:
            migration_operation: a function without arguments, or one that takes the guarded session, synchronous or
                not; SQL; the path of a migration file; a Plan.
            checkpoints: each ``{"stage": "pre_migration" | "during_migration" | "post_migration", "validators": […],
                "required": True}``; see `dflint.guard.checkpoints.asked_for` for what a validator may be.
            rollback_on_failure: take the migration back when a required validator or the migration itself fails.
            detailed_reporting: keep what each validator measured and found.
            tables: names of the tables that it is about: validators look at these only, and ``rollback_completed``
                says that their rows are as before too.
            workload: queries that stand for the application; without them pg_stat_statements or primary keys do.
            timeout_seconds: how long to wait for the migration lock.

        Raises:
            InputError: a checkpoint names an unknown validator or stage, or the migration is unusable.
            LockTimeout: another migration is running.
            GuardRefused: the database is not one to run migrations on.
        """
        return await execute_with_validation(
            self._source,
            migration_operation,
            checkpoints,
            rollback_on_failure=rollback_on_failure,
            detailed_reporting=detailed_reporting,
            tables=tables,
            workload=workload,
            plugins=self._plugins,
            lock_timeout_s=timeout_seconds,
        )
