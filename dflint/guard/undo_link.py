"""Which run undoes which: written as an event in both, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock
from dflint.guard.options import Outcome
from dflint.model.run import Run


async def link(ledger: Ledger, fence: int, original: str, undoing: str) -> None:
    """Write both events; the transaction is the caller's."""
    await ledger.event(original, None, fence, "undo", {"run": undoing})
    await ledger.event(undoing, None, fence, "undoes", {"run": original})


async def original_of(ledger: Ledger, run_id: str) -> str | None:
    """The run that this one undoes."""
    found = [event.detail["run"] for event in await ledger.events(run_id) if event.kind == "undoes"]
    return found[0] if found else None


async def undo_run_of(ledger: Ledger, run_id: str) -> Run:
    """The run that undoes this one, which is being undone."""
    found = [event.detail["run"] for event in await ledger.events(run_id) if event.kind == "undo"]
    return await ledger.load_run(found[-1])


def told(outcome: Outcome, original: Run) -> Outcome:
    """The outcome of an undoing, in words about the run that is undone."""
    if outcome.exit_code != 0:
        return outcome
    return replace(outcome, message=f"run {original.run_id} is undone, by run {outcome.run_id}")


def concluding(lock: MigrationLock, original: Run) -> Callable[[], Awaitable[None]]:
    """What is written about the run that was undone, together with the end of its undoing."""

    async def conclude() -> None:
        ledger = Ledger(lock.connection)
        for record in await ledger.steps(original.run_id):
            if record.state == "done":
                await ledger.set_step(original.run_id, record.ord, "undone", fence=lock.fence)
        await ledger.set_run_state(original.run_id, "rolled_back", "undone")
        await ledger.event(original.run_id, None, lock.fence, "rolled_back", {})

    return conclude
