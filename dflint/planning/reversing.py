"""The undo of a plan, as a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from dflint.model.errors import InputError
from dflint.model.locks import blocks_writes
from dflint.model.plan import Plan, Step, StepKind, Timeouts, Undo
from dflint.planning.hashes import plan_hash
from dflint.planning.locking import lock_class, timeouts_for
from dflint.planning.statements import operations_of, refused_in_transaction, statements_of

_NOT_AGAIN: Final = Undo(irreversible="it is the undo of another step; run that one again")


def reverse(plan: Plan, done: Sequence[str]) -> Plan:
    """The steps that take back those of the plan that are done, the last one first.

    Args:
        done: ids of the steps that are applied, in any order.

    Raises:
        InputError: one of them cannot be taken back, or is no step of the plan.
    """
    wanted = set(done)
    unknown = wanted - {step.id for step in plan.steps}
    if unknown:
        raise InputError(f"the plan has no step {sorted(unknown)[0]}")
    steps: list[Step] = []
    for step in reversed(plan.steps):
        if step.id not in wanted:
            continue
        if step.undo.irreversible is not None:
            raise InputError(f"step {step.id} cannot be taken back: {step.undo.irreversible}")
        for kind, sql in _pieces(step.undo.sql or ()):
            steps.append(
                Step(
                    id=str(len(steps) + 1),
                    sql=sql,
                    kind=kind,
                    group=step.group,
                    locks=_locks(step) if kind == "tx" else {},
                    lock_class=lock_class(_locks(step), complete=False) if kind == "tx" else "schema_changes",
                    timeouts=_timeouts(step) if kind == "tx" else timeouts_for(kind, "schema_changes"),
                    undo=_NOT_AGAIN,
                    settings=step.settings,
                    notes=(f"takes back step {step.id}",),
                )
            )
    reversed_ = Plan(
        source=f"undo of {plan.source}",
        target=replace(plan.target, catalog_fingerprint=""),
        steps=tuple(steps),
        point_of_no_return=steps[0].id if steps else None,
    )
    return replace(reversed_, hash=plan_hash(reversed_))


def _locks(step: Step) -> dict[str, str]:
    """What taking a step back locks, as far as can be told: what stopped writers on the way there stops all.

    CREATE INDEX lets readers pass, DROP INDEX does not. A stronger lock taken first is better than one asked for later.
    """
    return {one: "ACCESS EXCLUSIVE" if blocks_writes(mode) else mode for one, mode in step.locks.items()}


def _timeouts(step: Step) -> Timeouts:
    usual = timeouts_for("tx", "reads")
    return Timeouts(min(step.timeouts.lock_ms or usual.lock_ms, usual.lock_ms), step.timeouts.statement_ms)


def _pieces(statements: Sequence[str]) -> list[tuple[StepKind, str]]:
    """The statements as steps: each that PostgreSQL refuses in a transaction for itself, the others together."""
    found: list[tuple[StepKind, str]] = []
    for statement in (each for text in statements for each in statements_of(text)):
        kind: StepKind = "nontx" if refused_in_transaction(operations_of(statement)) else "tx"
        if kind == "tx" and found and found[-1][0] == "tx":
            found[-1] = ("tx", f"{found[-1][1]};\n{statement}")
        else:
            found.append((kind, statement))
    return found
