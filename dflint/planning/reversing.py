"""The undo of a plan, as a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from dflint.model.errors import InputError
from dflint.model.locks import blocks_writes
from dflint.model.operations.tables import ValidateConstraint
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
        for kind, sql, lets_write in _pieces(step.undo.sql or ()):
            locks = {} if kind == "nontx" else _locks(step, lets_write=lets_write)
            steps.append(
                Step(
                    id=str(len(steps) + 1),
                    sql=sql,
                    kind=kind,
                    group=step.group,
                    locks=locks,
                    lock_class="schema_changes" if lets_write else lock_class(locks, complete=False),
                    timeouts=timeouts_for(kind, "schema_changes") if lets_write else _timeouts(step),
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


def _locks(step: Step, *, lets_write: bool) -> dict[str, str]:
    """What taking a step back locks, as far as can be told: what stopped writers on the way there stops all.

    CREATE INDEX lets readers pass, DROP INDEX does not. A stronger lock taken first is better than one asked for later.
    """
    strongest = "SHARE UPDATE EXCLUSIVE" if lets_write else "ACCESS EXCLUSIVE"
    return {one: strongest if blocks_writes(mode) else mode for one, mode in step.locks.items()}


def _timeouts(step: Step) -> Timeouts:
    usual = timeouts_for("tx", "reads")
    return Timeouts(min(step.timeouts.lock_ms or usual.lock_ms, usual.lock_ms), step.timeouts.statement_ms)


class _Piece(NamedTuple):
    """Statements that are one step; ``lets_write``: nobody who writes waits for it."""

    kind: StepKind
    sql: str
    lets_write: bool


def _pieces(statements: Sequence[str]) -> list[_Piece]:
    """The statements as steps.

    Each that PostgreSQL refuses in a transaction is one for itself, and so is each that validates a constraint: the
    locks of others would last as long. The others are together.
    """
    found: list[_Piece] = []
    for statement in (each for text in statements for each in statements_of(text)):
        operations = operations_of(statement)
        if refused_in_transaction(operations):
            found.append(_Piece("nontx", statement, True))
        elif operations and all(isinstance(each, ValidateConstraint) for each in operations):
            found.append(_Piece("tx", statement, True))
        elif found and not found[-1].lets_write:
            found[-1] = found[-1]._replace(sql=f"{found[-1].sql};\n{statement}")
        else:
            found.append(_Piece("tx", statement, False))
    return found
