"""What an execution prints: a line for each thing that happens, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from dflint.app.execute import GuardError, Outcome
from dflint.app.runs import RunReport
from dflint.cli import exit_codes
from dflint.model.run import Run

_SYMBOLS = {
    "done": "done",
    "undone": "undone",
    "skipped": "skipped",
    "failed": "failed",
    "running": "begun",
    "intent": "begun",
    "unknown": "unknown",
    "pending": "to do",
}


_ACTIONS = {
    "run": "would run",
    "skip": "is done",
    "done": "needs nothing to be done",
    "wait": "would wait",
    "repair": "would repair, then run",
    "needs_operator": "would stop for a person to decide",
}


class Lines:
    """Prints events, one line each.

    Attributes:
        interrupted: the outcome, should a signal end it now.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._ids: dict[Any, str] = {}
        self.interrupted = Outcome(
            run_id=None,
            state="paused",
            exit_code=exit_codes.INTERRUPTED,
            message="interrupted",
            state_line="nothing was changed",
            next="execute it again",
        )

    def event(self, kind: str, **detail: Any) -> None:
        """Print it, if people want to know."""
        if kind == "ending":
            self.interrupted = replace(
                self.interrupted, run_id=detail["run"], state_line=detail["state"], next=detail["next"]
            )
        if kind == "step":
            self._ids[detail.get("ord")] = detail["id"]
        write = _WRITERS.get(kind)
        if write is not None:
            ord = detail.get("ord")
            step = "" if ord is None else f"step {self._ids.get(ord, str(ord + 1))}: "
            self._say(step + write(detail))


def _step(detail: dict[str, Any]) -> str:
    return f"{detail['step_kind']}, of {detail['of']}: {detail['sql']}"


def _done(detail: dict[str, Any]) -> str:
    attempts = detail.get("attempts") or 1
    text = "done" if attempts == 1 else f"done in {attempts} attempts"
    return f"{text}; {detail['why']}" if detail.get("why") else text


def _attempt(detail: dict[str, Any]) -> str:
    said = detail["error"]
    text = f"attempt {detail['number']} failed: {said['message']} ({said.get('sqlstate')})"
    if detail.get("cancelled_because"):
        text += f"; cancelled because {detail['cancelled_because']}"
    if detail.get("blockers"):
        text += f"; in the way: {'; '.join(detail['blockers'])}"
    return text


def _would(detail: dict[str, Any]) -> str:
    locks = ", ".join(f"{mode} on {identity}" for identity, mode in sorted(detail["locks"].items()))
    parts = [f"{_ACTIONS[detail['action']]} ({detail['step_kind']}): {detail['sql']}"]
    if detail.get("why"):
        parts.append(detail["why"])
    if locks:
        parts.append(f"locks: {locks}")
    if detail.get("irreversible"):
        parts.append(f"cannot be taken back: {detail['irreversible']}")
    return "; ".join(parts)


_WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "started": lambda detail: f"run {detail['run']} begins",
    "resumed": lambda detail: f"run {detail['run']} goes on",
    "step": _step,
    "done": _done,
    "attempt": _attempt,
    "would": _would,
    "repair": lambda detail: f"repairing: {detail['why']}",
    "waiting": lambda detail: f"waiting: {detail.get('why') or '; '.join(detail.get('blockers', ()))}",
    "concern": lambda detail: f"{detail['severity']}: {detail['message']}",
    "connection_lost": lambda detail: f"the connection was lost: {detail['reason']}; looking how far it came",
    "note": lambda detail: str(detail["text"]),
}


def of_error(error: GuardError) -> Outcome:
    """An error from before anything was begun, as an outcome."""
    return Outcome(
        run_id=None,
        state="planned",
        exit_code=error.exit_code,
        message=error.message,
        state_line=error.state,
        blocked=error.blocked,
        next=error.next,
    )


def run_line(run: Run) -> str:
    """A run in a line."""
    reason = f"  {run.reason}" if run.reason else ""
    return f"{run.run_id}  {_time(run.created_at)}  {run.state:<14}  {run.plan.source}{reason}"


def report_text(report: RunReport, *, events: bool) -> str:
    """A run and its steps."""
    run = report.run
    lines = [f"run {run.run_id}: {run.state}" + (f" ({run.reason})" if run.reason else "")]
    lines += [f"of {run.plan.source}, begun {_time(run.created_at)} by dflint {run.tool_version}"]
    if run.state in {"running", "rolling_back"} and not report.at_work:
        lines.append(f"nobody is at work on it: dflint exec resume {run.run_id} goes on")
    for record in report.steps:
        step = run.plan.steps[record.ord]
        sql = " ".join(step.sql.split())
        progress = ""
        cursor = report.cursors.get(record.ord)
        if cursor is not None:
            progress = f" ({cursor.rows_done:,} rows)"
        lines.append(f"  {record.step_id:>3}  {_SYMBOLS[record.state]:<7}{progress}  {step.kind:<8}  {sql[:90]}")
        if record.error:
            lines.append(f"       {record.error.get('message')} ({record.error.get('sqlstate')})")
    trail = f"audit trail: {len(report.events)} events"
    lines.append(f"{trail}, tampered with: {report.tampered}" if report.tampered else f"{trail}, unbroken")
    if events:
        lines += [f"  {one.seq:>4}  {_time(one.at)}  {one.kind}" + _at(one.ord, report) for one in report.events]
    return "".join(f"{line}\n" for line in lines)


def _at(ord: int | None, report: RunReport) -> str:
    return "" if ord is None else f"  step {report.steps[ord].step_id}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
