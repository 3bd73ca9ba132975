from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from dflint.cli.lint import Verdict
from dflint.model.finding import Level
from tests.cli.running import run, spawn
from tests.report.reports import EMPTY, FULL, finding

BLOCKING = "migrations/0002_a.sql:1:1: error create-index-blocking "


# --- the exit status ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worst", "fail_level", "status"),
    [
        ("error", "error", 1),
        ("warning", "error", 0),
        ("warning", "warning", 1),
        ("info", "warning", 0),
        ("info", "info", 1),
        ("error", "never", 0),
    ],
)
def test_findings_count_from_the_fail_level_up(worst: Level, fail_level: Level, status: int) -> None:
    report = replace(FULL, findings=(finding(worst),), errors=())
    assert Verdict(fail_level).status(report) == status
    assert Verdict(fail_level, exit_zero=True).status(report) == 0


def test_what_was_not_read_counts_more_than_findings() -> None:
    assert Verdict("error").status(FULL) == 2
    assert Verdict("never", exit_zero=True, allow_empty=True).status(FULL) == 2


def test_nothing_collected() -> None:
    assert Verdict("error").status(EMPTY) == 3
    assert Verdict("error", allow_empty=True).status(EMPTY) == 0
    # A history that is applied as a whole is not nothing.
    assert Verdict("error").status(replace(EMPTY, replayed=4)) == 0


def test_the_status_does_not_depend_on_the_format(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("full", "concise", "json", "github", "sarif"):
        assert run(capsys, "lint", "--format", name).status == 1
        assert run(capsys, "lint", "--format", name, "--exit-zero").status == 0
        assert run(capsys, "lint", "--format", name, "--fail-level", "never").status == 0


def test_an_empty_folder(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "empty").mkdir()
    status, _, err = run(capsys, "empty")
    assert status == 3
    assert err == "dflint: nothing to lint: no migrations in empty (--allow-empty accepts that)\n"
    assert run(capsys, "empty", "--allow-empty")[0::2] == (0, "")


# --- options and configuration ------------------------------------------------------------------------------------


def rules_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    ran = run(capsys, "lint", "--format", "json", *arguments)
    return [each["rule"] for each in json.loads(ran.stdout)["findings"]]


def test_select_and_ignore(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = "create-index-blocking"
    assert rules_of(capsys, "--select", rule) == [rule]
    assert rules_of(capsys, "--select", "H001") == [rule]
    assert rules_of(capsys, "--select", "reindex-blocking, drop-index-blocking") == []
    assert rule not in rules_of(capsys, "--ignore", f"reindex-blocking,{rule}")
    (project / "dflint.toml").write_text(f'ignore = ["{rule}"]\n')
    assert rule not in rules_of(capsys, "--ignore", "reindex-blocking")
    assert rules_of(capsys, "--select", rule) == [rule]
    assert rule in rules_of(capsys, "--isolated")


def test_the_configuration_holds_and_options_win(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dflint.toml").write_text('pg-version = 15\nfail-level = "never"\nrunner = "goose"\n')
    ran = run(capsys, "lint", "migrations", "--format", "json")
    document = json.loads(ran.stdout)
    assert ran.status == 0
    assert document["pg_version"] == {"used": 15, "assumed": False}
    assert document["runner"]["name"] == "goose"
    ran = run(capsys, "lint", "migrations", "--format", "json", "--pg-version", "17", "--runner", "psql@16.2")
    document = json.loads(ran.stdout)
    assert document["pg_version"] == {"used": 17, "assumed": False}
    assert (document["runner"]["name"], document["runner"]["version"]) == ("psql", "16.2")
    assert run(capsys, "lint", "--runner", "psql", "--fail-level", "error").status == 1


def test_a_malformed_configuration_names_file_and_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dflint.toml").write_text("\nignroe = []\n")
    status, out, err = run(capsys, "lint")
    assert (status, out, err) == (2, "", "dflint.toml:2: unknown key 'ignroe' (did you mean 'ignore'?)\n")


def test_the_version_is_said_to_be_assumed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "lint").stdout.endswith("PostgreSQL 18 (assumed)\n")
    assert run(capsys, "lint", "--pg-version", "18").stdout.endswith("PostgreSQL 18\n")


def test_a_reporter_of_the_project_can_be_chosen(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "company_format.py").write_text(
        "from dflint.plugin import hookimpl\n\n"
        "@hookimpl\ndef dflint_reporters():\n    return {'count': 'company_format:count'}\n\n"
        "def count(report, output):\n    return f'{len(report.findings)} {output.source(report.files[0])}'\n"
    )
    monkeypatch.syspath_prepend(str(project))
    (project / "dflint.toml").write_text('plugins = ["company_format"]\nselect = ["create-index-blocking"]\n')
    assert run(capsys, "lint", "migrations", "--format", "count").stdout == "1 CREATE TABLE t (a int);\n"


# --- input and output ---------------------------------------------------------------------------------------------


def test_json_is_all_there_is_on_stdout(project: Path) -> None:
    (project / "migrations" / "0003_a.sql").write_bytes(b"SELECT '\xff';\n")
    ran = spawn("lint", "--format", "json", cwd=project)
    document = json.loads(ran.stdout)
    assert ran.status == 2
    [error] = document["errors"]
    assert (error["file"], error["line"], error["column"]) == ("migrations/0003_a.sql", 1, 9)
    assert "create-index-blocking" in [each["rule"] for each in document["findings"]]
    assert ran.stderr.startswith("migrations/0003_a.sql:1:9: not UTF-8")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["json", "sarif"])
def test_even_a_failed_run_gives_a_document(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    ran = run(capsys, "lint", "missing/", "--format", name)
    assert ran.status == 2
    assert "no such file or directory" in json.dumps(json.loads(ran.stdout))
    assert ran.stderr.startswith("missing/: no such file or directory")


def test_standard_input(project: Path) -> None:
    text = "-- größe\nCREATE INDEX j ON t (a);".encode()
    ran = spawn("-", "--format", "json", "--stdin-filename", "migrations/0003_b.sql", stdin=text, cwd=project)
    [found] = [each for each in json.loads(ran.stdout)["findings"] if each["rule"] == "create-index-blocking"]
    # The earlier migrations are known, so that it is certain.
    assert (found["file"], found["line"], found["level"]) == ("migrations/0003_b.sql", 2, "error")
    assert ran.status == 1
    ran = spawn("-", "--format", "full", stdin=text, cwd=project)
    assert " 2 | CREATE INDEX j ON t (a);" in ran.stdout


def test_full_shows_the_code_without_colours_in_a_pipe(project: Path) -> None:
    ran = spawn("--format", "full", cwd=project)
    assert " 1 | CREATE INDEX i ON t (a);\n   | ^^^^^^^^^^^^^^^^^^^^^^^\n" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert "\x1b[" in spawn("--format", "full", cwd=project, FORCE_COLOR="1").stdout
    assert "\x1b" not in spawn("--format", "full", cwd=project, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" in spawn("--format", "full", "--color", "always", cwd=project, NO_COLOR="1").stdout
    assert "\x1b" not in spawn("--format", "full", "--color", "never", cwd=project, FORCE_COLOR="1").stdout


def test_in_a_pipe_the_format_is_concise(project: Path) -> None:
    ran = spawn("lint", cwd=project)
    assert ran.stdout.startswith(BLOCKING)
    assert ran.stderr == ""
    assert spawn("lint", "-q", "--select", "H001", cwd=project).stdout.count("\n") == 1


def test_on_a_terminal_the_format_is_full(project: Path) -> None:
    import pty
    import subprocess
    import sys

    from tests.cli.running import ROOT

    leader, follower = pty.openpty()
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "dflint"], cwd=project, stdout=follower, stderr=follower, env=environment
    ) as child:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 4096):
                shown += piece
        except OSError:
            pass  # how Linux says that the other end was closed
    os.close(leader)
    assert child.returncode == 1
    assert b" 1 |\x1b[0m CREATE INDEX i ON t (a);" in shown


def test_an_output_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "lint", "-o", "report.txt")
    assert ran == (1, "", "")
    assert (project / "report.txt").read_text().startswith(BLOCKING)
    status, _, err = run(capsys, "lint", "-o", "missing/report.txt")
    assert (status, err.startswith("missing/report.txt: the output cannot be written")) == (2, True)


def test_a_reader_that_goes_away_changes_nothing(project: Path) -> None:
    import subprocess
    import sys

    from tests.cli.running import ROOT

    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "dflint"],
        cwd=project,
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_verbose_says_what_was_taken(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dflint.toml").write_text("")
    err = run(capsys, "lint", "-v").stderr
    assert "configuration: dflint.toml\n" in err
    assert "psql (assumed): " in err
