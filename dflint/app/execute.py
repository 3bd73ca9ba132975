"""The use cases of ``dflint exec``: execute a file or a plan, go on with a run, give it up, or take it back."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from dflint.app.plan import load_plan, plan_files
from dflint.guard import executor, runs_of_plan, undo_losses, undoing
from dflint.guard import resume as resuming
from dflint.guard.errors import GuardError, GuardRefused
from dflint.guard.journal_file import DEFAULT_DIRECTORY, JournalFile
from dflint.guard.lag import LagLimits
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Progress, Several
from dflint.model.errors import InputError
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource

__all__ = [
    "ExecRequest",
    "GuardError",
    "LagLimits",
    "Options",
    "Outcome",
    "abort",
    "execute",
    "is_applied",
    "losses",
    "plan_of",
    "refused",
    "resume",
    "undo",
]


class ExecRequest(Struct, frozen=True, kw_only=True):
    """What is to be executed, and where.

    Attributes:
        dsn: of the database.
        path: a migration file, or a plan saved by ``dflint plan``.
        runner: name of the migration runner by whose rules the file is split; None: detected.
        plugins: import names of plugin modules.
        options: how.
        journal: directory of the journal on disk; None: none is kept.
    """

    dsn: str
    path: str = ""
    runner: str | None = None
    plugins: tuple[str, ...] = ()
    options: Options = Options()
    journal: Path | None = DEFAULT_DIRECTORY


async def plan_of(request: ExecRequest) -> Plan:
    """The plan that a file is, or is made into.

    Raises:
        InputError, SourceError: it cannot be read, or is no plan.
        ServerError: there is no connection.
    """
    try:
        content = Path(request.path).read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", file=request.path) from error
    if _is_plan(content):
        return await load_plan(content, request.path, dsn=request.dsn)
    return await plan_files([request.path], dsn=request.dsn, runner=request.runner, plugins=request.plugins)


def _is_plan(content: bytes) -> bool:
    """Whether a file is a saved plan and no SQL: no statement begins with a brace, but templates do with two."""
    start = content.lstrip()[:2]
    return start.startswith(b"{") and start != b"{{"


async def execute(request: ExecRequest, plan: Plan, progress: Progress) -> Outcome:
    """See `dflint.guard.executor.execute`."""
    source = ConnectionSource.coerce(request.dsn)
    return await executor.execute(plan, source, request.options, _with_journal(request, progress))


async def is_applied(request: ExecRequest, plan: Plan) -> bool:
    """Whether executing the plan would do nothing, because that was done and is not wanted again."""
    return not request.options.again and await runs_of_plan.is_applied(ConnectionSource.coerce(request.dsn), plan)


async def resume(request: ExecRequest, run_id: str | None, progress: Progress) -> Outcome:
    """See `dflint.guard.resume.resume`."""
    source = ConnectionSource.coerce(request.dsn)
    return await resuming.resume(source, run_id, request.options, _with_journal(request, progress))


async def abort(request: ExecRequest, run_id: str | None) -> Outcome:
    """See `dflint.guard.resume.abort`."""
    return await resuming.abort(ConnectionSource.coerce(request.dsn), run_id, request.options)


async def losses(request: ExecRequest, run_id: str | None) -> tuple[str, ...]:
    """See `dflint.guard.undo_losses.losses`."""
    return await undo_losses.losses(ConnectionSource.coerce(request.dsn), run_id)


async def undo(request: ExecRequest, run_id: str | None, progress: Progress) -> Outcome:
    """See `dflint.guard.undoing.undo`."""
    source = ConnectionSource.coerce(request.dsn)
    return await undoing.undo(source, run_id, request.options, _with_journal(request, progress))


def _with_journal(request: ExecRequest, progress: Progress) -> Progress:
    if request.journal is None or request.options.dry_run:
        return progress
    return Several([_Journal(request.journal), progress])


#: There is one for each step; a fsync would cost as much as the step's own commit.
_ALSO_IN_LEDGER = frozenset({"step", "done", "progress"})


class _Journal:
    """Writes what happens to the run's file; first, so that it is on disk before anybody is told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, JournalFile] = {}

    def event(self, kind: str, **detail: object) -> None:
        """One line; what belongs to no run is not kept."""
        run = detail.pop("run", None)
        # Looks at the server are for whoever is looking on; there are ten a second.
        if isinstance(run, str) and kind != "sample":
            if run not in self._files:
                self._files[run] = JournalFile(run, self._directory)
            self._files[run].append(kind, detail, sync=kind not in _ALSO_IN_LEDGER)


def refused(message: str, next: str) -> GuardRefused:
    """The error for what its user did not confirm."""
    return GuardRefused(message, next=next)
