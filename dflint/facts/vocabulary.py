"""The table of all named conditions: what ``when`` may ask, and its documentation."""

from __future__ import annotations

from collections.abc import Mapping

from dflint.facts import (
    circumstances,
    column_refusals,
    columns,
    constraint_refusals,
    dependency_locks,
    foreign_key_refusals,
    judgments,
    object_conditions,
    partition_refusals,
    publication_members,
    refusal_conditions,
    replica_identities,
    row_refusals,
    table_refusals,
    type_conditions,
)
from dflint.facts.condition import Condition
from dflint.model.locks import MODES


def vocabulary() -> Mapping[str, Condition]:
    """All named conditions by name."""
    table = (
        *circumstances.CONDITIONS,
        *columns.CONDITIONS,
        *judgments.CONDITIONS,
        *refusal_conditions.CONDITIONS,
        *column_refusals.CONDITIONS,
        *table_refusals.CONDITIONS,
        *foreign_key_refusals.CONDITIONS,
        *constraint_refusals.CONDITIONS,
        *object_conditions.CONDITIONS,
        *type_conditions.CONDITIONS,
        *dependency_locks.CONDITIONS,
        *partition_refusals.CONDITIONS,
        *replica_identities.CONDITIONS,
        *publication_members.CONDITIONS,
        *row_refusals.CONDITIONS,
    )
    return {condition.name: condition for condition in table}


def document(conditions: Mapping[str, Condition]) -> str:
    """A Markdown table of the conditions."""
    lines = ["| condition | value | what |", "|---|---|---|"]
    for condition in conditions.values():
        null = " or `null`" if condition.null else ""
        lines.append(f"| `{condition.name}` | {_values(condition.values)}{null} | {condition.documentation} |")
    return "\n".join(lines) + "\n"


def _values(values: tuple[str, ...]) -> str:
    if values == MODES:
        return "lock mode"
    return values[0] if len(values) == 1 else ", ".join(f"`{word}`" for word in values)
