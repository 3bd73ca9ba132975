"""A plan as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dflint.model.plan import Estimate, LockClass, Plan, Step
from dflint.planning.work import amount

_STOPS: dict[LockClass, str] = {
    "none": "stops nobody",
    "schema_changes": "stops other schema changes and VACUUM",
    "writes": "stops writers",
    "reads": "stops readers and writers",
    "unknown": "whom it stops is not known",
}
_KINDS = {
    "tx": "one transaction",
    "nontx": "outside a transaction",
    "backfill": "in batches",
    "check": "a check",
    "manual": "to be done by hand",
}
_LABEL = 9


def render(plan: Plan) -> str:
    """The steps in order, and from where on they cannot be taken back."""
    count = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
    lines = [f"{plan.source}: {count} for PostgreSQL {plan.target.pg_version}"]
    for step in plan.steps:
        lines.append("")
        if step.id == plan.point_of_no_return:
            lines += ["--- point of no return: what follows is not taken back by an undo ---", ""]
        lines += _step(step)
    lines.append("")
    if plan.point_of_no_return is None:
        lines.append("All steps can be taken back.")
    else:
        lines.append(f"Step {plan.point_of_no_return} cannot be taken back.")
    if not plan.target.catalog_fingerprint:
        lines.append("Made without knowing the database: give --db or --catalog to have it all.")
    return "\n".join(lines) + "\n"


def _step(step: Step) -> Iterator[str]:
    yield f"{step.id}. {_KINDS[step.kind]}, {_STOPS[step.lock_class]}  [{step.group}]"
    for number, line in enumerate(step.sql.splitlines()):
        yield f"{' ' * (3 if number == 0 else 5)}{line}".rstrip()
    yield from _labelled("with", (f"{name} = {value}" for name, value in step.settings.items()))
    if step.backfill is not None:
        cut = f"along {', '.join(step.backfill.key)} of {step.backfill.table}, {step.backfill.batch} rows at first"
        yield from _labelled("batches", [cut])
    yield from _labelled("locks", (f"{mode} on {identity}" for identity, mode in step.locks.items()))
    yield from _labelled(
        "limits",
        [f"{_limit(step.timeouts.lock_ms)} for its locks, {_limit(step.timeouts.statement_ms)} for a statement"],
    )
    if step.estimate is not None:
        yield from _labelled("takes", _estimated(step.estimate))
    yield from _labelled("before", (check.name for check in step.pre))
    yield from _labelled("after", (check.name for check in step.post))
    yield from _labelled("undo", _undo(step))
    yield from _labelled("note", step.notes)


def _estimated(estimate: Estimate) -> Iterator[str]:
    yield f"{estimate.low_s:g} to {estimate.high_s:g} s, by estimate: {estimate.basis}"
    for size, what in ((estimate.wal_bytes, "of log"), (estimate.disk_bytes, "of disk space at its peak")):
        if size is not None and size[1]:
            yield f"{amount(size[0])} to {amount(size[1])} {what}, by estimate"


def _undo(step: Step) -> Iterable[str]:
    if step.undo.irreversible is not None:
        return [f"impossible: {step.undo.irreversible}"]
    return [" ".join(statement.split()) for statement in step.undo.sql or ()] or ["nothing to take back"]


def _limit(milliseconds: int) -> str:
    if not milliseconds:
        return "no limit"
    return f"{milliseconds} ms" if milliseconds % 1000 else f"{milliseconds // 1000} s"


def _labelled(label: str, texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield f"     {label if number == 0 else '':{_LABEL}}{text}"
