"""What is generated is current, and what the README promises is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    return [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv ")]


def test_the_readme_has_one_command_to_try_and_one_to_test() -> None:
    lint, tests = commands()
    assert lint.endswith(".venv/bin/dflint lint examples --exit-zero")
    assert tests.endswith(".venv/bin/python -m tests")


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    (pattern,) = [line for line in script.splitlines() if line.startswith("command=")]
    found = subprocess.run(
        ["bash", "-c", f'{pattern}; printf %s "$command"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == commands()[1]


def test_the_list_of_rules_is_current() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "dflint", "rules", "docs", "--isolated"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "rules.md").read_text() == printed, "dflint rules docs --isolated > docs/rules.md"


def test_the_list_of_recipes_is_current() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "dflint", "rules", "recipes", "--isolated"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "recipes.md").read_text() == printed, "dflint rules recipes --isolated > docs/recipes.md"


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    import re

    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"
