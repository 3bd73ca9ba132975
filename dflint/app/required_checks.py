"""What the safety levels of the decision matrix require, each something that is really done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from dflint.analysis.mitigation import looking
from dflint.app.assess import statements_with_contexts
from dflint.app.fingerprints import normalised
from dflint.app.locks import looks
from dflint.app.mitigation import mitigation
from dflint.app.plan import plan_sql
from dflint.app.surroundings import Surroundings
from dflint.catalog.first_row import finds_row
from dflint.model.errors import InputError
from dflint.model.mitigation import OperationContext
from dflint.model.operations.base import Operation
from dflint.model.risk import RiskAssessment, RiskFactor
from dflint.planning.statements import statements_of
from dflint.postgres.source import ConnectionSource
from dflint.sql.clauses import clauses_of
from dflint.trace.trace_file import load as load_trace

#: A lock that stops others for longer than that is long, in seconds.
_LONG_S: Final = 1.0


class CheckResult(Struct, frozen=True, kw_only=True):
    """How one check ended; ``passed`` is None where it could not be told."""

    name: str
    passed: bool | None
    message: str


class Case(Struct, frozen=True, kw_only=True):
    """What checks look at.

    Attributes:
        risk: the assessment.
        surroundings: what it was assessed against.
        dsn: the database; None: there is a snapshot only.
        rehearsal: path of a trace of the same statements; None: there is none.
    """

    risk: RiskAssessment
    surroundings: Surroundings
    dsn: str | None
    rehearsal: str | None

    def factors(self, *rules: str) -> list[RiskFactor]:
        """The factors that these rules gave."""
        found = (factor for each in self.risk.category_risks.values() for factor in each.risk_factors)
        return [factor for factor in found if factor.rule in rules]


async def required(case: Case, level: int) -> tuple[CheckResult, ...]:
    """Do the checks that the matrix requires for an operation.

    An operation of a higher safety level than was asked for fails: it needs more than that.

    Args:
        case: what they look at.
        level: 1 to 3.

    Raises:
        InputError: the rehearsal's file is no trace.
    """
    needed = case.risk.safety_level
    found = []
    if needed is not None and needed > level:
        message = f"the decision matrix asks for safety level {needed}, and only {level} was asked for"
        found.append(CheckResult(name="safety-level", passed=False, message=message))
    for name in case.risk.required_checks:
        passed, message = await CHECKS[name][1](case)
        found.append(CheckResult(name=name, passed=passed, message=message))
    return tuple(found)


_Answer = tuple[bool | None, str]


def _absent(found: Sequence[RiskFactor], fine: str) -> _Answer:
    return (not found, "; ".join(factor.description for factor in found) or fine)


async def _validation(case: Case) -> _Answer:
    """By the catalog, and by the rows: the server tells of those only when the statement runs, or when it is asked."""
    refusal = case.risk.will_fail
    if refusal is not None:
        return False, f"the server refuses it: {refusal.reason} ({refusal.sqlstate})"
    queries = list(_looks(case))
    if not queries:
        return True, "the server accepts it as things stand"
    if case.dsn is None:
        return None, "a snapshot does not tell whether a row is in the way"
    for query in queries:
        found = await finds_row(ConnectionSource.coerce(case.dsn), query)
        if found is None:
            return None, f"whether a row is in the way could not be told in time: {query}"
        if found:
            return False, f"the server will refuse it for the rows that this query finds: {query}"
    return True, "the server accepts it as things stand, and no row is in the way"


def _looks(case: Case) -> Iterator[str]:
    """Queries for rows that are in the way."""
    start, surroundings = case.surroundings.catalog, case.surroundings
    plan = plan_sql(case.risk.sql, start, version=surroundings.version)
    for statement, contexts in statements_with_contexts(plan, surroundings):

        def condition(operation: Operation, statement: str = statement) -> str:
            return clauses_of(statement, operation.clause).expression

        for context in contexts:
            target = context.operation.target
            # A table that the statements make themselves cannot be asked.
            if target is not None and start.relation(context.resolve(target)) is not None:
                yield from looking.looks(context, condition)


async def _dependencies(case: Case) -> _Answer:
    found = case.factors("dependents-break", "dependents-change", "dependents-unknown", "dropped-along")
    return _absent(found, "no other object breaks or goes")


async def _risk(case: Case) -> _Answer:
    if case.risk.unknown:
        return None, f"not known: {'; '.join(case.risk.unknown)}"
    return True, f"assessed: {case.risk.overall_risk_level}"


async def _mitigation(case: Case) -> _Answer:
    plan = mitigation(case.risk.sql, case.surroundings, OperationContext(), operation=case.risk.operation)
    if plan.plan is None:
        return False, plan.reasons[0]
    return True, f"{plan.reasons[0]}; with all measures the risk falls by {plan.estimated_risk_reduction:g} %"


async def _rename(case: Case) -> _Answer:
    return _absent(
        case.factors("dependents-break", "dependents-unknown"), "no object of the database goes by the old name"
    )


async def _foreign_keys(case: Case) -> _Answer:
    found = [
        factor
        for factor in case.factors("dropped-along", "unchecked")
        if any(each.startswith("fk:") for each in factor.objects)
    ]
    return _absent(found, "no foreign key goes")


async def _performance(case: Case) -> _Answer:
    long = [
        factor
        for factor in case.factors("readers-wait", "writers-wait")
        if any(
            each.kind == "missing" or (each.kind == "estimate" and (each.value or 0) > _LONG_S)
            for each in factor.evidence
        )
    ]
    return _absent(long, f"others are stopped for less than {_LONG_S:g} s")


async def _index_usage(case: Case) -> _Answer:
    found = case.factors("index-lost")
    if not found:
        return True, "an index of the same shape remains"
    evidence = [each for factor in found for each in factor.evidence]
    words = "; ".join(each.detail for each in evidence)
    if any(each.kind == "missing" for each in evidence):
        return None, words
    return not any(each.value for each in evidence), words


async def _lock(case: Case) -> _Answer:
    if case.dsn is None:
        return None, "a snapshot does not tell who holds the migration lock"
    async for report in looks(case.dsn, None):
        if report.holders:
            holder = report.holders[0]
            return False, f"run {holder.run_id} holds the migration lock"
    return True, "nobody holds the migration lock"


async def _snapshot(case: Case) -> _Answer:
    reasons = case.surroundings.catalog.incomplete
    return (None, "; ".join(reasons)) if reasons else (True, "the catalog was read whole")


async def _rehearsal(case: Case) -> _Answer:
    if case.rehearsal is None:
        return None, "no rehearsal was named: run dflint trace on the migration, and give its file as --rehearsal"
    try:
        trace = load_trace(Path(case.rehearsal).read_bytes(), case.rehearsal)
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", file=case.rehearsal) from error
    ran = {
        normalised(statement.sql.encode()): statement
        for transaction in trace.transactions
        for statement in transaction.statements
    }
    for sql in statements_of(case.risk.sql):
        statement = ran.get(normalised(sql.encode()))
        if statement is None:
            if sql.strip().upper() in ("BEGIN", "COMMIT"):
                continue
            return False, f"the rehearsal did not run: {sql}"
        if statement.error is not None:
            return False, f"it failed in the rehearsal: {statement.error.message}"
        if statement.differs:
            return False, f"the rehearsal was not as predicted: {sql}"
    return True, f"{case.rehearsal}: all statements ran, as predicted"


#: Names that rows of the matrix may use: what each says, and how it is found out.
CHECKS: Final[dict[str, tuple[str, Callable[[Case], Awaitable[_Answer]]]]] = {
    "validation": ("the server accepts the statement, and no row is in the way", _validation),
    "not-null-handler": ("the server accepts the statement, and no row is in the way", _validation),
    "dependencies": ("no other object breaks, goes, or means something else", _dependencies),
    "risk": ("everything that decides the risk is known", _risk),
    "mitigation": ("there is a plan, and how much less its risk is", _mitigation),
    "rename-analysis": ("no object of the database goes by the old name and fails", _rename),
    "foreign-keys": ("no foreign key goes, or stays unchecked", _foreign_keys),
    "performance": (f"others are stopped for less than {_LONG_S:g} s", _performance),
    "index-usage": ("the server has counted no use of the index that goes", _index_usage),
    "lock": ("nobody holds the migration lock", _lock),
    "snapshot": ("the catalog can be read whole", _snapshot),
    "rehearsal": ("a trace shows that the statements ran as predicted", _rehearsal),
}
