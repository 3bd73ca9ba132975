"""What a plan needs of what a business has: minutes without writers, a way back, data that is not lost."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.mitigation import OperationContext
from dflint.model.plan import Plan


def stopped_seconds(plan: Plan) -> float | None:
    """How long others may be stopped by a plan's steps together; None where a step's time is not known."""
    seconds = 0.0
    for step in plan.steps:
        if step.lock_class not in ("reads", "writes", "unknown"):
            continue
        if step.estimate is None or step.lock_class == "unknown":
            return None
        seconds += step.estimate.high_s
    return seconds


def loses_data(plan: Plan) -> str | None:
    """Why an undo of the plan would not bring everything back; None where it would."""
    lost = next((step for step in plan.steps if step.undo.irreversible is not None), None)
    return None if lost is None else f"step {lost.id} cannot be taken back: {lost.undo.irreversible}"


def unmet(plan: Plan, context: OperationContext, undo: Plan | None) -> Iterator[str]:
    """Requirements that a plan does not meet, with by how much.

    Args:
        undo: the plan that takes it back; None where nobody could make it.
    """
    yield from _downtime(plan, context.max_downtime_minutes)
    limit = context.rollback_time_limit_minutes
    if limit is not None:
        back = None if undo is None else _seconds(undo)
        if loses_data(plan) is not None and undo is None:
            yield f"rollback_time_limit_minutes: {loses_data(plan)}"
        elif back is None:
            yield f"rollback_time_limit_minutes: how long taking it back lasts is not known, {limit:g} are allowed"
        elif back > limit * 60:
            yield (
                f"rollback_time_limit_minutes: taking it back may last {back / 60:.3g} minutes, "
                f"{back / 60 - limit:.3g} more than {limit:g}"
            )
    if context.data_consistency_critical and (reason := loses_data(plan)) is not None:
        yield f"data_consistency_critical: {reason}"


def _downtime(plan: Plan, limit: float | None) -> Iterator[str]:
    if limit is None:
        return
    seconds = stopped_seconds(plan)
    if seconds is None:
        yield f"max_downtime_minutes: how long others are stopped is not known, {limit:g} minutes are allowed"
    elif seconds > limit * 60:
        yield (
            f"max_downtime_minutes: others may be stopped for {seconds / 60:.3g} minutes, "
            f"{seconds / 60 - limit:.3g} more than {limit:g}"
        )


def _seconds(plan: Plan) -> float | None:
    """Of all steps."""
    times = [step.estimate.high_s if step.estimate is not None else None for step in plan.steps]
    return None if any(each is None for each in times) else sum(each for each in times if each is not None)
