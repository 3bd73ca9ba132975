"""Plans for tests of what runs them."""

from __future__ import annotations

from dflint.guard.ledger import Ledger
from dflint.model.plan import Plan, PlanTarget, Step
from dflint.model.run import Run


def plan(*statements: str, hash: str | None = "a-hash") -> Plan:
    steps = tuple(Step(id=str(n), sql=sql, kind="tx", group="test") for n, sql in enumerate(statements, start=1))
    return Plan(source="test", target=PlanTarget(18), steps=steps, hash=hash)


async def new_run(ledger: Ledger, *statements: str, run_id: str | None = None) -> Run:
    hashes = [f"hash of {statement}" for statement in statements]
    return await ledger.create_run(plan(*statements), "0.0", step_hashes=hashes, run_id=run_id)
