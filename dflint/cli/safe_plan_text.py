"""A plan by recipes as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dflint.app.safe_plan import Replaced, SafePlan
from dflint.cli.plan_text import render
from dflint.model.errors import InputError, nearest

_WIDTH = 116


def render_safe(found: SafePlan) -> str:
    """What recipes take the place of, and then the plan."""
    lines: list[str] = []
    for each in found.replaced:
        lines += _wrapped(f"{_statement(each)}", "")
        lines.append(f"  {each.recipe.id}, {_steps(each)}: {each.recipe.title}")
        lines += [line for trade_off in each.recipe.trade_offs for line in _wrapped(f"- {trade_off}", "    ")]
        lines.append("")
    for statement, reason in found.not_followed:
        lines += [*_wrapped(" ".join(statement.split()), ""), *_wrapped(f"as it stands: {reason}", "  "), ""]
    for sentence in found.opened:
        lines += [*_wrapped(sentence, ""), ""]
    if not found.replaced and not found.not_followed:
        lines += ["No statement needs a recipe, or there is none for it.", ""]
    return "\n".join(lines) + render(found.plan)


def explained(found: SafePlan, step: str) -> str:
    """Why one step is done so, and what it means for those who use the database.

    Raises:
        InputError: the plan has no such step.
    """
    ids = [each.id for each in found.plan.steps]
    if step not in ids:
        raise InputError(
            f"the plan has no step {step!r}", remedy=nearest(step, ids) or f"it has the steps {', '.join(ids)}"
        )
    one = found.plan.steps[ids.index(step)]
    by = next((each for each in found.replaced if step in each.steps), None)
    lines = [f"Step {step}: {' '.join(one.sql.split())}", ""]
    if by is None:
        lines += _wrapped(
            "It is a statement of the files as it stands there: there is no recipe, or no need of one.", ""
        )
        return "\n".join(lines) + "\n"
    lines += _wrapped(f"It is a part of the recipe {by.recipe.id} ({by.recipe.title}), in the place of:", "")
    lines += [f"  {_statement(by)}", ""]
    lines += [line for note in one.notes for line in _wrapped(note, "")]
    said = by.recipe.consequences
    for title, words in (
        ("Running code", said.running_code),
        ("Prepared statements", said.prepared_statements),
        ("Logical replication", said.logical_replication),
        ("Row-level security", said.row_level_security),
    ):
        lines += ["", f"{title}:", *_wrapped(words, "  ")]
    if by.recipe.trade_offs:
        lines += [
            "",
            "What it costs:",
            *(line for each in by.recipe.trade_offs for line in _wrapped(f"- {each}", "  ")),
        ]
    return "\n".join(lines) + "\n"


def _statement(each: Replaced) -> str:
    return " ".join(each.statement.split())


def _steps(each: Replaced) -> str:
    return f"step {each.steps[0]}" if len(each.steps) == 1 else f"steps {each.steps[0]} to {each.steps[-1]}"


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
