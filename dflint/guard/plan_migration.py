"""A migration that is a Plan: the executor runs it, and takes it back by each step's undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dflint.guard.errors import GuardError
from dflint.guard.executor import execute
from dflint.guard.lock import MigrationLock
from dflint.guard.options import Options
from dflint.guard.progress import Silent
from dflint.guard.undoing import undo
from dflint.guard.verified_state import State
from dflint.model.errors import ServerError
from dflint.model.plan import Plan
from dflint.plugin.validators import TableName
from dflint.postgres.source import ConnectionSource

#: Whoever validates a migration has decided to run it, and may run it again after it was taken back.
_OPTIONS = Options(yes=True, again=True)


class PlanMigration:
    """Runs a Plan under the lock that is held."""

    def __init__(
        self, plan: Plan, source: ConnectionSource, lock: MigrationLock, tables: Sequence[TableName] = ()
    ) -> None:
        """Say what to run; nothing is run yet.

        Args:
            plan: the migration.
            source: the database.
            lock: held by this task, which the executor joins.
            tables: whose rows must be as before after a rollback.
        """
        self._plan = plan
        self._source = source
        self._lock = lock
        self._tables = tuple(tables)
        self._state: State | None = None
        self._run_id: str | None = None

    async def prepare(self) -> tuple[str, ...]:
        """Note what there is; name the steps that cannot be taken back."""
        self._state = await State.read(self._lock.connection, self._tables)
        return tuple(
            f"step {step.id} cannot be taken back: {step.undo.irreversible}"
            for step in self._plan.steps
            if step.undo.irreversible is not None
        )

    async def run(self) -> None:
        """Execute the plan.

        Raises:
            ServerError: it was not carried out; the message says how far it came.
            GuardError: it was refused.
        """
        outcome = await execute(self._plan, self._source, _OPTIONS, self)
        if outcome.exit_code:
            raise ServerError(". ".join([outcome.message, *([outcome.state_line] if outcome.state_line else [])]))

    def event(self, kind: str, **detail: Any) -> None:
        """Note which run it is: who is cancelled gets no outcome."""
        if kind in {"started", "resumed"}:
            self._run_id = detail["run"]

    async def take_back(self) -> tuple[str, ...]:
        """Undo the steps that were applied, and verify that all is as before."""
        assert self._state is not None
        problems = list[str]()
        before = await State.read(self._lock.connection, self._tables)
        if self._run_id is not None and self._state.differences(before):
            try:
                outcome = await undo(self._source, self._run_id, _OPTIONS, Silent())
            except GuardError as error:
                problems.append(f"it was not taken back: {error.message}")
            else:
                if outcome.exit_code:
                    problems.append(f"it was not taken back: {outcome.message}")
        problems += self._state.differences(await State.read(self._lock.connection, self._tables))
        return tuple(dict.fromkeys(problems))
