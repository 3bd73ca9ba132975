"""Judging a plan again that was edited by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Knowledge
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span, Wrapping
from dflint.model.plan import Plan, Step
from dflint.model.session import Session, Setting
from dflint.planning.making import Called, Maker, PlanFile, as_they_are, conclude
from dflint.planning.settings import search_path
from dflint.sql.source_text import SourceText


def judge_again(
    plan: Plan,
    catalog: Catalog,
    *,
    knowledge: Knowledge,
    called: Called = as_they_are,
    definitions: Mapping[str, str] | None = None,
    path: str | None = None,
    lines: Sequence[int] = (),
) -> Plan:
    """The plan as it stands, with everything that follows from its statements found out anew.

    Args:
        plan: its statements, their order, timeouts and batches stay.
        catalog: before the first step.
        knowledge: the facts.
        called, definitions: as in `make_plan`.
        path: of the file, for errors.
        lines: of the file, where each step's statements are.

    Raises:
        InputError: a statement cannot be executed as it stands, or no longer is of its step's kind.
    """
    version = plan.target.pg_version
    fold = Fold(runner=Runner("dflint"), version=version, knowledge=knowledge, catalog=catalog)
    maker = Maker(fold, called, definitions or {})
    steps: list[Step] = []
    for index, step in enumerate(plan.steps):
        if step.kind in _AS_THEY_ARE:
            steps.append(step)
            continue
        line = lines[index] if index < len(lines) else None
        try:
            judged = maker.judge(_file(step), _session(step))
        except InputError as error:
            place = "" if error.line is None else f", line {error.line - (step.backfill is not None)} of its SQL"
            raise InputError(
                f"step {step.id}{place}: {error.message}", file=path, line=line, remedy=error.remedy
            ) from error
        if len(judged) != 1 or judged[0].kind != step.kind:
            kinds = ", ".join(each.kind for each in judged) or "nothing"
            raise InputError(
                f"step {step.id} is of kind {step.kind}, and its statements now make {kinds} of it",
                file=path,
                line=line,
                remedy="change the migration file, and make the plan anew with dflint plan",
            )
        steps.append(_kept(step, judged[0]))
    return conclude(replace(plan, steps=tuple(steps)), catalog)


#: What no statement's facts say anything about.
_AS_THEY_ARE = frozenset({"check", "manual"})


def _file(step: Step) -> PlanFile:
    mark = ""
    if step.backfill is not None:
        mark = f"-- dflint: backfill key={','.join(step.backfill.key)} batch={step.backfill.batch}\n"
    text = SourceText(step.group, f"{mark}{step.sql}".encode())
    wrapping: Wrapping = "section" if step.kind == "tx" else "none"
    reason = "it is one step"
    section = Section("up", Span(0, len(text.text)), wrapping=wrapping, wire="statement", reason=reason)
    return PlanFile(step.group, text, [section])


def _session(step: Step) -> Session:
    settings = tuple((name, Setting(value)) for name, value in step.settings.items())
    return Session(settings=settings, search_path=search_path(step.settings))


def _kept(step: Step, judged: Step) -> Step:
    return replace(
        step,
        locks=judged.locks,
        lock_class=judged.lock_class,
        estimate=judged.estimate,
        undo=judged.undo,
        notes=judged.notes,
    )
