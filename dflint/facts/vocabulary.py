"""The table of all named conditions: what ``when`` may ask, and its documentation."""

from __future__ import annotations

from collections.abc import Mapping

from dflint.facts import circumstances, columns, judgments
from dflint.facts.condition import Condition
from dflint.model.locks import MODES


def vocabulary() -> Mapping[str, Condition]:
    """All named conditions by name."""
    table = (*circumstances.CONDITIONS, *columns.CONDITIONS, *judgments.CONDITIONS)
    return {condition.name: condition for condition in table}


def document(conditions: Mapping[str, Condition]) -> str:
    """A Markdown table of the conditions."""
    lines = ["| condition | value | what |", "|---|---|---|"]
    for condition in conditions.values():
        one_word = len(condition.values) == 1
        values = (
            "lock mode"
            if condition.values == MODES
            else condition.values[0]
            if one_word
            else ", ".join(f"`{word}`" for word in condition.values)
        )
        values += " or `null`" if condition.null else ""
        lines.append(f"| `{condition.name}` | {values} | {condition.documentation} |")
    return "\n".join(lines) + "\n"
