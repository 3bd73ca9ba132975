"""The table of all named conditions: what ``when`` may ask, and its documentation."""

from __future__ import annotations

from collections.abc import Mapping

from dflint.facts import circumstances, columns, judgments
from dflint.facts.condition import BOOL, Condition


def vocabulary() -> Mapping[str, Condition]:
    """All named conditions by name."""
    table = (*circumstances.CONDITIONS, *columns.CONDITIONS, *judgments.CONDITIONS)
    return {condition.name: condition for condition in table}


def document(conditions: Mapping[str, Condition]) -> str:
    """A Markdown table of the conditions."""
    lines = ["| condition | value | what |", "|---|---|---|"]
    for condition in conditions.values():
        words = ", ".join("`" + word + "`" if condition.values not in (BOOL,) else word for word in condition.values)
        values = words if condition.values[0] in condition.values and len(condition.values) > 1 else condition.values[0]
        null = " or `null`" if condition.null else ""
        lines.append(f"| `{condition.name}` | {values}{null} | {condition.documentation} |")
    return "\n".join(lines) + "\n"
