"""The use cases of ``dflint runs`` and ``dflint exec status``: what was done in a database, and how far it is."""

from __future__ import annotations

from msgspec import Struct

from dflint.guard.holders import holders
from dflint.guard.ledger import Ledger, ledger_exists
from dflint.guard.resume import find
from dflint.guard.session import open_monitor
from dflint.model.errors import InputError
from dflint.model.run import BackfillCursor, Event, Run, StepRecord
from dflint.postgres.source import ConnectionSource


class RunReport(Struct, frozen=True, kw_only=True):
    """A run, as its ledger tells it.

    Attributes:
        run: with its plan.
        steps: how far each is.
        events: the audit trail.
        cursors: of backfills that have begun, by the step's place.
        tampered: where the audit trail is not as it was written; None when it is.
        at_work: somebody holds the migration lock of the database.
    """

    run: Run
    steps: tuple[StepRecord, ...]
    events: tuple[Event, ...]
    cursors: dict[int, BackfillCursor]
    tampered: str | None
    at_work: bool


async def list_runs(dsn: str, limit: int) -> list[Run]:
    """The newest runs of a database first. Writes nothing.

    Raises:
        ServerError: there is no connection.
    """
    async with await open_monitor(dsn, run_id=None) as connection:
        return await Ledger(connection).runs(limit) if await ledger_exists(connection) else []


async def show_run(dsn: str, run_id: str) -> RunReport:
    """One run. Writes nothing.

    Raises:
        InputError: there is no such run.
        ServerError: there is no connection.
    """
    async with await open_monitor(dsn, run_id=None) as connection:
        if not await ledger_exists(connection):
            raise InputError(f"there is no run {run_id}: nothing was ever executed in this database")
        ledger = Ledger(connection)
        run = await ledger.load_run(run_id)
        steps = await ledger.steps(run.run_id)
        cursors = {}
        for record in steps:
            found = await ledger.cursor(run.run_id, record.ord) if record.kind == "backfill" else None
            if found is not None:
                cursors[record.ord] = found
        return RunReport(
            run=run,
            steps=tuple(steps),
            events=tuple(await ledger.events(run.run_id)),
            cursors=cursors,
            tampered=await ledger.verify_chain(run.run_id),
            at_work=bool(await holders(connection)),
        )


async def unfinished(dsn: str, run_id: str | None) -> str | None:
    """The id of the run that is meant where one may be left out; None when none is unfinished.

    Raises:
        GuardRefused: several are unfinished and none was named.
        InputError: there is no such run.
    """
    found = await find(ConnectionSource.coerce(dsn), run_id)
    return None if found is None else found.run_id
