"""Which migration a transaction belongs to, by what the runner writes into its own table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from dflint.model.trace import TracedStatement, TracedTransaction

#: Between the names of several migrations in one transaction.
_SEPARATOR = ", "

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_CONDITION = re.compile(r"\bwhere\b|\breturning\b", re.IGNORECASE)
#: Checksums, identifiers, times and the like say nothing to people.
_SAYS_NOTHING = re.compile(
    r"[0-9a-fA-F]{32,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[ T].*|[\d.+-]*|[tf]|true|false|now\(\)"
)
_NUMBER = re.compile(r"\d+")
_LONGEST = 80

#: A table into which the runner writes before the migration and not after it.
_WRITTEN_BEFORE = "_prisma_migrations"


def labelled(transactions: Iterable[TracedTransaction]) -> list[TracedTransaction]:
    """The transactions with the names of their migrations.

    A runner writes down what ran when it is over: what comes before, up to the last such note, belongs to it.
    """
    found = list(transactions)
    labels = [_label(transaction.statements) for transaction in found]
    before = any(_WRITTEN_BEFORE in each.sql for t in found for each in t.statements if each.role == "bookkeeping")
    filled = _carried(labels, last=True) if before else _carried(labels[::-1], last=False)[::-1]
    return [replace(transaction, label=label) for transaction, label in zip(found, filled, strict=True)]


def first_name(label: str) -> str:
    """The first migration of a label."""
    return label.partition(_SEPARATOR)[0]


def last_name(label: str) -> str:
    """The last migration of a label."""
    return label.rpartition(_SEPARATOR)[2]


def _carried(labels: Sequence[str | None], *, last: bool) -> list[str | None]:
    """The labels with those that are missing filled from the one before them."""
    carried: str | None = None
    filled: list[str | None] = []
    for label in labels:
        if label is not None:
            carried = last_name(label) if last else first_name(label)
        filled.append(label or carried)
    return filled


def _label(statements: Iterable[TracedStatement]) -> str | None:
    """The names of the migrations that were written down, None where there are none."""
    names: dict[str, None] = {}
    for statement in statements:
        if statement.role != "bookkeeping" or statement.error is not None:
            continue
        if not {"insert", "update"}.isdisjoint(statement.operations):
            name = _name(statement)
            if name is not None:
                names[name] = None
    return _SEPARATOR.join(names) or None


def _name(statement: TracedStatement) -> str | None:
    # Of an UPDATE, what is set; its condition names the migration before.
    text = _CONDITION.split(statement.sql, maxsplit=1)[0]
    literals = [literal.replace("''", "'") for literal in _LITERAL.findall(text)]
    values = [value for value in statement.parameters if value] + literals
    telling = [value for value in values if len(value) < _LONGEST and not _SAYS_NOTHING.fullmatch(value)]
    if telling:
        return ".".join(telling[:2])
    # Known by a number alone, such as a time stamp.
    numbers = [value for value in values if _NUMBER.fullmatch(value)]
    return numbers[0] if numbers and "insert" in statement.operations else None
