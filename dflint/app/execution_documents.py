"""The JSON documents of ``dflint exec``, ``dflint runs`` and ``dflint locks``, and their schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dflint import __version__
from dflint.app.locks import Branch, LockReport
from dflint.app.runs import RunReport
from dflint.guard.options import Outcome
from dflint.model.plan import StepKind
from dflint.model.run import BackfillCursor, Event, Holder, Run, RunState, StepRecord, StepState


class _Document(Struct, frozen=True, kw_only=True):
    """What all of them begin with."""

    schema_version: Literal[1] = 1
    dflint: str = __version__


class ExecStep(Struct, frozen=True, kw_only=True):
    """How far a step is; ``error`` is what PostgreSQL said when it failed last."""

    id: str
    kind: StepKind
    state: StepState
    attempts: int
    error: dict[str, Any] | None


class Ending(Struct, frozen=True, kw_only=True):
    """The lines STATE, BLOCKED and NEXT of an execution that did not succeed."""

    state: str
    blocked: str | None
    next: str


class ExecDocument(_Document, frozen=True, kw_only=True):
    """How an execution ended. ``run`` is None when none was begun, ``ending`` when all is well."""

    run: str | None
    state: RunState
    exit_code: Literal[0, 10, 11, 12, 13, 14, 130]
    message: str
    steps: tuple[ExecStep, ...]
    ending: Ending | None


class RunLine(Struct, frozen=True, kw_only=True):
    """A run in a list; ``plan`` is the source of its plan."""

    run_id: str
    plan: str
    plan_hash: str
    state: RunState
    reason: str | None
    created_at: str
    finished_at: str | None
    tool_version: str


class RunsDocument(_Document, frozen=True, kw_only=True):
    """The newest runs first."""

    runs: tuple[RunLine, ...]


class RunDocument(_Document, frozen=True, kw_only=True):
    """One run. Of ``dflint exec status`` it has no events, and nothing but ``run: null`` where none is unfinished."""

    run: Run | None
    steps: tuple[StepRecord, ...] | UnsetType = UNSET
    events: tuple[Event, ...] | UnsetType = UNSET
    cursors: dict[str, BackfillCursor] | UnsetType = UNSET
    tampered: str | UnsetType | None = UNSET
    at_work: bool | UnsetType = UNSET


class LocksDocument(_Document, frozen=True, kw_only=True):
    """Who holds the migration lock, and who waits for whom."""

    holders: tuple[Holder, ...]
    trees: tuple[Branch, ...]


def exec_document(outcome: Outcome) -> str:
    """How an execution ended, as JSON in one line."""
    steps = tuple(
        ExecStep(id=each.step_id, kind=each.kind, state=each.state, attempts=each.attempts, error=each.error)
        for each in outcome.steps
    )
    ending = Ending(state=outcome.state_line, blocked=outcome.blocked, next=outcome.next)
    document = {
        "run": outcome.run_id,
        "state": outcome.state,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        "steps": steps,
        "ending": ending if outcome.state_line else None,
    }
    return _written(msgspec.convert(document, ExecDocument, from_attributes=True))


def runs_document(runs: Sequence[Run]) -> str:
    """A list of runs."""
    lines = [{**msgspec.to_builtins(run), "plan": run.plan.source} for run in runs]
    return _written(RunsDocument(runs=tuple(msgspec.convert(line, RunLine) for line in lines)))


def run_document(report: RunReport | None, *, events: bool) -> str:
    """A run; None: that none is unfinished."""
    if report is None:
        return _written(RunDocument(run=None))
    return _written(
        RunDocument(
            run=report.run,
            steps=report.steps,
            events=report.events if events else UNSET,
            cursors={str(ord): cursor for ord, cursor in report.cursors.items()},
            tampered=report.tampered,
            at_work=report.at_work,
        )
    )


def locks_document(report: LockReport) -> str:
    """Who holds and who waits."""
    return _written(LocksDocument(holders=report.holders, trees=report.trees))


_DOCUMENTS: Final[dict[str, type[_Document]]] = {
    "exec": ExecDocument,
    "runs": RunsDocument,
    "run": RunDocument,
    "locks": LocksDocument,
}


def schemas() -> dict[str, bytes]:
    """The JSON Schemas (2020-12), as they are kept in ``docs/schemas``, by the name of the document."""
    found = {}
    for name, kind in _DOCUMENTS.items():
        described = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"The JSON document of {_COMMANDS[name]}, version 1",
            **msgspec.json.schema(kind),
        }
        found[name] = msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"
    return found


_COMMANDS: Final = {
    "exec": "dflint exec",
    "runs": "dflint runs list",
    "run": "dflint runs show and dflint exec status",
    "locks": "dflint locks",
}


def _written(document: _Document) -> str:
    """The version first, all other keys sorted."""
    fields = msgspec.to_builtins(document)
    version = fields.pop("schema_version")
    rest = msgspec.json.encode(fields, order="sorted").decode()
    return f'{{"schema_version":{version},{rest[1:]}\n'
