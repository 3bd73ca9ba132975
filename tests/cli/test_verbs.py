from __future__ import annotations

from pathlib import Path

import pytest

from dflint import __version__
from dflint.cli.main import VERBS
from tests.cli.running import run, spawn


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"dflint {__version__}\n", "")
    status, text, _ = run(capsys, "--help")
    assert status == 0
    assert all(f"  {verb}" in text for verb in VERBS)
    for verb in VERBS:
        assert run(capsys, verb, "--help").status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lnt"], "'lnt' is neither a command nor an existing path (did you mean 'lint'?)"),
        (
            ["xyzzy"],
            f"'xyzzy' is neither a command nor an existing path (commands: {', '.join(VERBS)})",
        ),
        (["--formt", "json"], "No such option '--formt'. Did you mean '--format'? (see dflint lint --help)"),
        (["lint", "--pg-version", "9"], "Invalid value for '--pg-version'"),
        (["lint", "--fail-level", "bad"], "Invalid value for '--fail-level'"),
        (["lint", "--format", "jsn"], "there is no output format 'jsn' (did you mean 'json'?)"),
        (["lint", "--select", "a,,b"], "--select has an empty name"),
        (["lint", "--isolated", "--config", "x"], "--config and --isolated contradict each other"),
        (["lint", "-", "x"], "'-' stands for standard input"),
        (["lint", "--stdin-filename", "x"], "--stdin-filename needs the path '-'"),
        (["lint", "--config", "missing.toml"], "missing.toml: cannot be read: No such file or directory"),
        (["rules", "chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["rule"], "Missing argument 'ID'"),
        (["rule", "creat-index-blocking"], "no rule is named 'creat-index-blocking' (did you mean"),
    ],
)
def test_misuse_is_one_line_and_exit_status_2(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_path_needs_no_verb(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_verb = run(capsys, "lint", "migrations")
    assert with_verb.status == 1
    for arguments in (["migrations"], ["migrations/"], ["./migrations"], [], ["-q", "--no-assume-in-transaction"]):
        ran = run(capsys, *arguments)
        assert ran.status == 1
        assert ran.stdout.splitlines()[0] == with_verb.stdout.splitlines()[0]


FAILING = """\
from dflint.model.errors import ConfigError, ConfigErrors, SourceError
from dflint.plugin import hookimpl

@hookimpl
def dflint_reporters():
    return {name: f"failing_formats:{name}" for name in ("bug", "interrupt", "several", "source", "odd")}

def bug(report, output):
    raise RuntimeError("gone wrong")

def interrupt(report, output):
    raise KeyboardInterrupt

def several(report, output):
    second = ConfigError("second", file="a.toml", line=1, remedy="do it")
    raise ConfigErrors([ConfigError("first", file="a.toml", line=2), second])

def source(report, output):
    raise SourceError("a NUL byte", file="x.sql", line=3, column=7, remedy="remove it")

def odd(report, output):
    raise SourceError("odd \\ud800", file="x.sql")
"""


@pytest.fixture
def failing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output formats that fail, each in its own way."""
    (project / "failing_formats.py").write_text(FAILING)
    (project / "dflint.toml").write_text('plugins = ["failing_formats"]\n')
    monkeypatch.syspath_prepend(str(project))


@pytest.mark.usefixtures("failing")
def test_a_bug_is_reported_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--format", "bug")
    assert (status, out) == (2, "")
    assert err == "dflint: internal error: RuntimeError: gone wrong (please report it, with the output of --debug)\n"
    status, _, err = run(capsys, "--format", "bug", "--debug")
    assert status == 2
    assert err.startswith("Traceback")


@pytest.mark.usefixtures("failing")
def test_an_interruption_has_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--format", "interrupt")
    assert (status, out, err.strip()) == (130, "", "dflint: interrupted")


@pytest.mark.usefixtures("failing")
def test_errors_are_printed_with_place_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    several = "a.toml:1: second (do it)\na.toml:2: first\n"
    assert run(capsys, "--format", "several") == (2, "", several)
    assert run(capsys, "--format", "source") == (2, "", "x.sql:3:7: a NUL byte (remove it)\n")
    assert run(capsys, "--format", "odd") == (2, "", "x.sql: odd \\ud800\n")


def test_python_m_dflint_exits_with_the_status(project: Path) -> None:
    assert spawn("--version", cwd=project).status == 0
    assert spawn("lnt", cwd=project).status == 2
    assert spawn("migrations", cwd=project).status == 1
