"""What to send to dflint's authors when a prediction was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from platform import platform

from dflint import __version__
from dflint.model.trace import Difference, Trace, TracedStatement

_DATA = frozenset({"insert", "update", "delete", "merge", "select", "copy"})


def bug_reports(trace: Trace) -> str:
    """A text with everything that is needed to see each wrong prediction again; empty when there is none."""
    parts: list[str] = []
    before: list[TracedStatement] = []
    for transaction in trace.transactions:
        for statement in transaction.statements:
            if statement.differs or (statement.predicted is not None and statement.predicted.unknown):
                parts.append("\n".join(_report(trace, statement, before, transaction.kind)))
            if statement.role != "noise" and statement.error is None and not _DATA.issuperset(statement.operations):
                before.append(statement)
    return "\n\n".join(parts) + "\n" if parts else ""


def describe(difference: Difference) -> str:
    """One difference, in words."""
    said, seen = difference.predicted or "none", difference.observed or "none"
    about = "" if difference.identity is None else f" {difference.identity}"
    return f"{difference.what.replace('_', ' ')}{about}: predicted {said}, observed {seen}"


def _report(trace: Trace, statement: TracedStatement, before: Sequence[TracedStatement], kind: str) -> Iterator[str]:
    predicted = statement.predicted
    assert predicted is not None
    yield f"## {' '.join(statement.operations) or 'statement'}: prediction and observation differ"
    yield ""
    yield f"dflint {__version__}, PostgreSQL {trace.pg_version}, {platform(terse=True)}; transaction: {kind}"
    yield ""
    yield "Setup:"
    yield "```sql"
    for each in before:
        yield f"{each.sql};"
    if trace.rows:
        yield f"-- every table filled with {trace.rows} rows"
    yield "```"
    yield "Statement:"
    yield "```sql"
    yield f"{statement.sql};"
    yield "```"
    for difference in statement.differs:
        yield f"- {describe(difference)}"
    for unknown in predicted.unknown:
        yield f"- not predicted: {unknown}"
    yield f"- facts: {', '.join(predicted.facts) or 'none'}"
