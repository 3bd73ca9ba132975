"""Which migration a transaction belongs to, by what the runner writes into its own table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dflint.model.trace import TracedStatement

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
#: Checksums, times and the like say nothing to people.
_SAYS_NOTHING = re.compile(r"[0-9a-fA-F]{32,}|\d{4}-\d\d-\d\d[ T].*|[\d.+-]*|[tf]|true|false|now\(\)")
_LONGEST = 80


def label_of(statements: Iterable[TracedStatement]) -> str | None:
    """The name of the migration that ran, None where nothing tells; several are joined by commas."""
    found: list[str] = []
    for statement in statements:
        if statement.role != "bookkeeping" or statement.error is not None:
            continue
        if not {"insert", "update"}.intersection(statement.operations):
            continue
        # Of an UPDATE, what is set; its condition names the migration before.
        text = re.split(r"\bwhere\b|\breturning\b", statement.sql, maxsplit=1, flags=re.IGNORECASE)[0]
        literals = [literal.replace("''", "'") for literal in _LITERAL.findall(text)]
        values = [value for value in statement.parameters if value] + literals
        telling = [value for value in values if len(value) < _LONGEST and not _SAYS_NOTHING.fullmatch(value)]
        # A migration known by a number alone, such as a time stamp.
        telling = telling[:2] or values[:1]
        if telling:
            found.append(".".join(telling))
    return ", ".join(found) or None
