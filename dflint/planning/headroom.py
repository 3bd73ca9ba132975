"""Whether there is disk space enough for a plan."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.model.errors import InputError
from dflint.model.plan import Plan
from dflint.planning.work import amount

#: A server whose disk is full stops: so much of what is free stays so.
_KEPT: Final = 0.1


def needed(plan: Plan) -> int:
    """Bytes of disk space that a plan may need at its peak, as far as that can be told.

    The log of all steps counts, because standbys, slots and archiving may keep it; so do the new files of all steps,
    because some stay.
    """
    known = [step.estimate for step in plan.steps if step.estimate is not None]
    return sum((each.wal_bytes or (0, 0))[1] + (each.disk_bytes or (0, 0))[1] for each in known)


def with_headroom(plan: Plan, free: int | None) -> Plan:
    """The plan, if there is space enough; steps of which that is not known say so.

    Args:
        free: bytes; None: nobody knows, and nothing is looked at.

    Raises:
        InputError: there is not.
    """
    if free is None:
        return plan
    most = needed(plan)
    if most > free * (1 - _KEPT):
        raise InputError(
            f"the plan may need {amount(most)} of disk space, by estimate, and {amount(free)} are free, of which a "
            "tenth has to stay so",
            remedy="make room, or do it in parts",
        )
    note = "how much disk space it needs is not known"
    return replace(
        plan,
        steps=tuple(
            replace(step, notes=(*step.notes, note))
            if step.estimate is None and step.kind not in ("manual", "check")
            else step
            for step in plan.steps
        ),
    )
