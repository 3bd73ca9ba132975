"""Hashes of what a plan executes: the same for the same statements, however they are laid out.

What is predicted (locks, estimates, undo, notes) does not count, and neither do timeouts: a migration file makes the
same plan again after it was applied, and one whose timeouts were raised is still the one that stopped.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dflint.model.plan import Estimate, Plan, PlanTarget, Step
from dflint.planning.statements import parser
from dflint.sql.libpg_query import COMMENT_TOKENS, GrammarError, LibPgQuery
from dflint.sql.split import split


@lru_cache(maxsize=4096)
def normalised(sql: str) -> str:
    """SQL without comments, with one blank between tokens and a semicolon between statements.

    Text that PostgreSQL's scanner gives up stays as it is, but for white space at its ends.
    """
    library, text = parser().library, sql.encode()
    try:
        library.scan(text)
        words = [_words(library, text[start:end]) for start, end in split(library, text)]
    except GrammarError:
        return sql.strip()
    return ";\n".join(words)


def _words(library: LibPgQuery, statement: bytes) -> str:
    tokens = [token for token in library.scan(statement) if token.code not in COMMENT_TOKENS]
    return b" ".join(statement[token.start : token.end] for token in tokens).decode()


def step_hash(step: Step) -> str:
    """SHA-256, in hexadecimal, of what the step executes."""
    return _digest(_executed(step))


def plan_hash(plan: Plan) -> str:
    """SHA-256, in hexadecimal, of what the plan executes, and of the names of the files it was made from."""
    names = [PurePosixPath(path).name for path in plan.source.split(", ")]
    return _digest([names, *[_executed(step) for step in plan.steps]])


def fixed_hash(step: Step, target: PlanTarget) -> str:
    """SHA-256, in hexadecimal, of what nobody may edit by hand: not statements, timeouts, and batches."""
    backfill = None if step.backfill is None else [step.backfill.table, step.backfill.key]
    undo = [step.undo.sql or (), step.undo.irreversible]
    said: Any = msgspec.to_builtins(step)
    for editable in ("sql", "timeouts", "backfill"):
        del said[editable]
    # As they are when they were read from a file.
    estimate = None if step.estimate is None else _figures(step.estimate)
    return _digest(
        [
            msgspec.to_builtins(target),
            said | {"estimate": step.estimate and step.estimate.basis, "undo": None},
            backfill,
            estimate,
            undo,
        ]
    )


def _figures(estimate: Estimate) -> list[float]:
    sizes = (*(estimate.wal_bytes or ()), *(estimate.disk_bytes or ()))
    return [float(each) for each in (estimate.low_s, estimate.high_s, *sizes)]


def _executed(step: Step) -> list[Any]:
    backfill = None if step.backfill is None else [step.backfill.table, step.backfill.key]
    checks = [[check.name, normalised(check.sql)] for check in (*step.pre, *step.post)]
    return [step.kind, normalised(step.sql), sorted(step.settings.items()), backfill, len(step.pre), checks]


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
