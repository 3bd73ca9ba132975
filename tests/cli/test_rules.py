from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run

RULE = """\
id: no-drops
title: Nothing is dropped here
hazards: []
level: error
operations: [drop_table]
message: "{target} is dropped."
why: The company wants it so.
fix: Leave it.
examples:
  bad: [DROP TABLE t;]
  good: [SELECT 1;]
"""


def test_rule_explains(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "rule", "create-index-blocking")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("# create-index-blocking\n")
    assert "CREATE INDEX CONCURRENTLY" in ran.stdout
    assert run(capsys, "rule", "H001").stdout.startswith("# create-index-blocking\n")


def test_rules_lists_with_the_level_here(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dflint.toml").write_text(
        "ignore = ['reindex-blocking']\n[severity]\ncreate-index-blocking = 'info'\n", encoding="utf-8"
    )
    ran = run(capsys, "rules")
    levels = {line.split()[0]: line.split()[1] for line in ran.stdout.splitlines()}
    assert levels["create-index-blocking"] == "info"
    assert levels["reindex-blocking"] == "off"
    assert list(levels) == sorted(levels)
    assert run(capsys, "rules", "list") == ran


def test_the_projects_own_rules_are_checked_and_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "rules").mkdir()
    (project / "rules" / "no-drops.yaml").write_text(RULE)
    (project / "dflint.toml").write_text('rule-paths = ["rules"]\n')
    (project / "migrations" / "0003_a.sql").write_text("DROP TABLE t;\n")
    assert run(capsys, "rules", "check").stdout.endswith(", 1 of them this project's\n")
    assert "migrations/0003_a.sql:1:1: error no-drops t is dropped.\n" in run(capsys, "lint").stdout


def test_a_malformed_rule_names_file_and_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = project / "own" / "no-drops.yaml"
    rule.parent.mkdir()
    rule.write_text(RULE.replace("level: error", "level: eror").replace("drop_table", "drop_tabel"))
    status, out, err = run(capsys, "rules", "check", "own")
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert "no-drops.yaml:4" in lines[0]
    assert "no-drops.yaml:5" in lines[1]


def test_risk_rules_and_the_matrix_are_checked_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = project / "own" / "matrix.yaml"
    matrix.parent.mkdir()
    row = "{row: a, title: A, operations: [add_column], level: HIGH, safety_level: 1, checks: [validation]}"
    matrix.write_text(f"matrix:\n  - {row}\n")
    assert run(capsys, "rules", "check", "own").stdout.endswith(", and 1 other files of it\n")
    wrong = project / "wrong" / "matrix.yaml"
    wrong.parent.mkdir()
    wrong.write_text(f"matrix:\n  - {row.replace('HIGH', 'HIHG')}\n")
    status, out, err = run(capsys, "rules", "check", "wrong")
    assert (status, out) == (2, "")
    assert "matrix.yaml:2" in err


def test_check_needs_rules_to_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "rules", "check", "migrations")
    assert (status, err) == (2, "dflint: no rule files in migrations (rule files end in .yaml)\n")


def test_docs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "| `create-index-blocking` | error | H001, H007 |" in run(capsys, "rules", "docs").stdout
    assert run(capsys, "rules", "docs", "-o", "pages") == (0, "", "")
    assert (project / "pages" / "index.md").exists()
    assert (project / "pages" / "create-index-blocking.md").read_text().startswith("# create-index-blocking\n")
