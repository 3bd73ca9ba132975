"""What ``dflint assess`` is asked, and the answer: assessments, and the checks of a safety level."""

from __future__ import annotations

import os

from msgspec import Struct

from dflint.app.assess import assess_sql, risk_book
from dflint.app.operation_types import OperationType, statement_for
from dflint.app.plan import calibrated, plan_files
from dflint.app.required_checks import Case, CheckResult, required
from dflint.app.surroundings import surroundings_of, table_name
from dflint.model.errors import InputError
from dflint.model.risk import RiskAssessment
from dflint.planning.statements import statements_of


class AssessRequest(Struct, frozen=True, kw_only=True):
    """What is to be assessed.

    Attributes:
        what: a migration file, or a type of operation.
        words: of an operation: its table, then ``name=value`` for each detail.
        dsn, snapshot: what it is assessed against; one of them.
        rows: ``table=number`` each: suppose so many.
        level: do the checks up to this safety level; None: none.
        rehearsal: path of a trace of the same statements.
        calibrate: measure how fast the server of the database is, for estimates.
        plugins: import names of plugin modules.
        rule_paths: further directories or files with risk rules and a matrix.
    """

    what: str
    words: tuple[str, ...] = ()
    dsn: str | None = None
    snapshot: str | None = None
    rows: tuple[str, ...] = ()
    level: int | None = None
    rehearsal: str | None = None
    calibrate: bool = False
    plugins: tuple[str, ...] = ()
    rule_paths: tuple[str, ...] = ()


class Assessed(Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        source: the file or operation.
        assessments: of the file as a whole, or of the operation; one.
        checks: what the safety level requires.
    """

    source: str
    assessments: tuple[RiskAssessment, ...]
    checks: tuple[CheckResult, ...] = ()


async def assessed(request: AssessRequest) -> Assessed:
    """Assess a file or an operation, and do the checks that are asked for.

    Raises:
        InputError, SourceError: what was given cannot be understood.
        ServerError: the database cannot be read.
    """
    operation, sql = await _statements(request)
    surroundings = await surroundings_of(request.dsn, sql, snapshot=request.snapshot, rows=_rows(request.rows))
    calibration = await calibrated(request.dsn, wanted=request.calibrate)
    book = risk_book(request.plugins, request.rule_paths)
    risk = assess_sql(sql, surroundings, operation=operation, book=book, calibration=calibration)
    checks: tuple[CheckResult, ...] = ()
    if request.level is not None:
        case = Case(risk=risk, surroundings=surroundings, dsn=request.dsn, rehearsal=request.rehearsal)
        checks = await required(case, request.level)
    return Assessed(source=request.what, assessments=(risk,), checks=checks)


async def _statements(request: AssessRequest) -> tuple[str | None, str]:
    if os.path.isfile(request.what):
        if request.words:
            raise InputError("a file takes no details", remedy="give one file, or an operation with its table")
        plan = await plan_files([request.what], dsn=request.dsn, snapshot=request.snapshot, plugins=request.plugins)
        parts = [step.sql if len(statements_of(step.sql)) == 1 else _block(step.sql) for step in plan.steps]
        return None, ";\n".join(parts)
    kind = OperationType.parse(request.what)
    if not request.words:
        raise InputError(f"{kind.value} needs a table", remedy=f"dflint assess {kind.value} TABLE NAME=VALUE…")
    details = dict(_pair(word) for word in request.words[1:])
    return kind.value, statement_for(kind, request.words[0], None, details)


def _block(sql: str) -> str:
    return f"BEGIN;\n{sql};\nCOMMIT"


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InputError(f"{word!r} is no detail", remedy="write name=value, such as column_name=email")
    return name, value


def _rows(given: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in given:
        table, equals, number = each.rpartition("=")
        if not equals or not number.isdecimal():
            raise InputError(f"--rows {each!r} is not TABLE=N", remedy="such as --rows users=1000000")
        table_name(table)
        found[table] = int(number)
    return found
