"""The page on risk names everything there is, as it is."""

from __future__ import annotations

from pathlib import Path

from dflint.analysis.risk.harms import KINDS
from dflint.app.assess import risk_book
from dflint.app.operation_types import OperationType
from dflint.app.required_checks import CHECKS

PAGE = (Path(__file__).parents[2] / "docs" / "risk.md").read_text(encoding="utf-8")


def test_rules_rows_checks_and_kinds_are_on_the_page() -> None:
    book = risk_book()
    for rule in book.rules:
        points = f"{rule.points:g}"
        if rule.scale is not None:
            points += f", and {rule.scale.points:g} for each power of ten of {rule.scale.of} above"
        assert f"| `{rule.id}` | {rule.category.value.replace('_', ' ')} | {points}" in PAGE, rule.id
    for row in book.rows:
        checks = ", ".join(f"`{each}`" for each in row.checks)
        assert f"| {row.title} | {row.level} | {row.safety_level} | {checks} |" in PAGE, row.id
    for name, (passes, _) in CHECKS.items():
        assert f"| `{name}` | {passes} |" in PAGE, name
    for kind, words in KINDS.items():
        assert f"| `{kind}` | {words} |" in PAGE, kind
    for each in OperationType:
        assert f"`{each.value}`" in PAGE, each
