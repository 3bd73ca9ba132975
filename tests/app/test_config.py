from __future__ import annotations

from pathlib import Path

import pytest

from dflint.app.config import Project, find, load
from dflint.app.request import LintRequest
from dflint.model.errors import ConfigError, ConfigErrors

EVERYTHING = """\
select = ["H001", "drop-*"]
ignore = ["drop-table"]
fail-level = "warning"
pg-version = 15
runner = "flyway@10.2"
assume-in-transaction = true
baseline = { before = "0398" }
exclude = ["legacy/**"]
require-suppression-reason = true
plugins = ["company_dflint"]
rule-paths = ["rules", "../shared"]
processes = 2

[severity]
drop-index-blocking = "error"
"short-lock" = "off"

[checks]
no-money = "company.checks:no_money"
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is a repository, so that nothing above it is looked at."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(text: str, name: str = "dflint.toml") -> Project:
    Path(name).write_text(text, encoding="utf-8")
    return load(".", name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dflint.toml", EVERYTHING),
        (
            "pyproject.toml",
            "[project]\nname = 'x'\n[tool.dflint]\n"
            + EVERYTHING.replace("[severity]", "[tool.dflint.severity]").replace("[checks]", "[tool.dflint.checks]"),
        ),
    ],
)
def test_every_setting_reaches_the_request(directory: Path, name: str, text: str) -> None:
    project = settings(text, name)
    assert project.config.fail_level == "warning"
    assert project.request() == LintRequest(
        select=("H001", "drop-*"),
        ignore=("drop-table",),
        pg_version=15,
        runner="flyway",
        runner_version="10.2",
        assume_in_transaction=True,
        baseline="0398",
        exclude=("legacy/**",),
        require_suppression_reason=True,
        plugins=("company_dflint",),
        rule_paths=(str(directory / "rules"), str(directory.parent / "shared")),
        processes=2,
        severity={"drop-index-blocking": "error", "short-lock": "off"},
        checks={"no-money": "company.checks:no_money"},
        project=str(directory),
    )


def test_without_a_file_there_are_defaults(directory: Path) -> None:
    assert load("db/migrations").request() == LintRequest(project=str(directory))


@pytest.mark.parametrize("start", ["db/migrations", "db/migrations/0001.sql", "db/migrations/new.sql", "db"])
def test_the_nearest_file_upwards_is_taken(directory: Path, start: str) -> None:
    (directory / "dflint.toml").write_text("")
    (directory / "db" / "migrations" / "0001.sql").write_text("")
    assert find(start) == "dflint.toml"
    (directory / "db" / "pyproject.toml").write_text("[project]\nname = 'dflint-user'\n")
    assert find(start) == "dflint.toml"
    (directory / "db" / "pyproject.toml").write_text("[tool . dflint]\n")
    assert find(start) == "db/pyproject.toml"


def test_the_search_ends_at_the_repository(directory: Path) -> None:
    (directory / "dflint.toml").write_text("")
    (directory / "db" / ".git").mkdir()
    assert find("db/migrations") is None


def test_two_configurations_in_one_directory_are_refused(directory: Path) -> None:
    (directory / "dflint.toml").write_text("")
    (directory / "pyproject.toml").write_text("[tool.dflint]\n")
    with pytest.raises(ConfigError) as caught:
        load(".")
    assert str(caught.value) == "dflint.toml: there is a dflint.toml and a [tool.dflint] beside it (keep one of them)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\nignroe = ['x']\n", "c.toml:2: unknown key 'ignroe' (did you mean 'ignore'?)"),
        ("qqqqq = 1", "c.toml:1: unknown key 'qqqqq'"),
        ("pg-version = 12", "c.toml:1: pg-version must be a PostgreSQL major version from 13 to 18, not 12"),
        ("pg-version = '16'", "c.toml:1: pg-version must be a PostgreSQL major version from 13 to 18, not '16'"),
        ("pg-version = true", "c.toml:1: pg-version must be a PostgreSQL major version from 13 to 18, not true"),
        ("# x\nselect = 'H001'", "c.toml:2: select must be a list, not 'H001'"),
        ("select = ['a', 1]", "c.toml:1: select must be text, not 1"),
        ("select = ['']", "c.toml:1: select must be text, not ''"),
        ("fail-level = 'eror'", "c.toml:1: fail-level must be one of 'error', 'warning', 'info', 'never', not 'eror'"),
        (
            "[severity]\nx = 'error'\ny = 'high'",
            "c.toml:3: severity.y must be one of 'error', 'warning', 'info', 'off', not 'high'",
        ),
        ("severity = []", "c.toml:1: severity must be a table, not a list"),
        ("baseline = '0398'", "c.toml:1: baseline must be a table, not '0398'"),
        ("baseline = {}", "c.toml:1: baseline needs 'before'"),
        ("[baseline]\n\nafter = 'x'\nbefore = 'x'", "c.toml:3: unknown key 'after'"),
        ("baseline.before = 398", "c.toml:1: baseline.before must be text, not 398"),
        ("processes = 0", "c.toml:1: processes must be a number above 0, not 0"),
        ("assume-in-transaction = 1", "c.toml:1: assume-in-transaction must be true or false, not 1"),
        (
            "[checks]\na = 'no reference'",
            "c.toml:2: checks.a must be text like module:function, not 'no reference'",
        ),
        ("a = = 1", "c.toml:1:5: not valid TOML: Invalid value"),
        ("a = 1\nb = ", "c.toml:2: not valid TOML: Invalid value"),
        ("x = 1\nx = 2\n", "c.toml:2:6: not valid TOML: Cannot overwrite a value"),
    ],
)
def test_one_thing_wrong_is_told_with_its_place(directory: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text, "c.toml")
    assert str(caught.value) == says


def test_all_that_is_wrong_is_told_at_once(directory: Path) -> None:
    text = (
        "[tool.dflint]\nprocesses = 0\n[tool.dflint.severity]\na = 'x'\nb = 'y'\n[tool.dflint.basline]\nbefore = 'x'\n"
    )
    with pytest.raises(ConfigErrors) as caught:
        settings(text, "pyproject.toml")
    assert [(error.line, error.message.split(" ")[0]) for error in caught.value.errors] == [
        (2, "processes"),
        (4, "severity.a"),
        (5, "severity.b"),
        (6, "unknown"),
    ]


def test_a_named_file_must_speak_of_dflint(directory: Path) -> None:
    with pytest.raises(ConfigError, match="there is no"):
        settings("[project]\n", "pyproject.toml")
    with pytest.raises(ConfigError, match=r"missing.toml: cannot be read"):
        load(".", "missing.toml")


def test_odd_encodings(directory: Path) -> None:
    Path("dflint.toml").write_bytes(b"\xef\xbb\xbfpg-version = 14\r\nprocesses = 3\r\n")
    assert load(".").config.processes == 3
    Path("dflint.toml").write_bytes(b"\n\nrunner = '\xff'\n")
    with pytest.raises(ConfigError) as caught:
        load(".")
    assert (caught.value.file, caught.value.line) == ("dflint.toml", 3)


def test_a_configuration_elsewhere_leads_its_paths(directory: Path) -> None:
    (directory / "conf").mkdir()
    project = settings("rule-paths = ['rules']", "conf/dflint.toml")
    assert project.request().rule_paths == (str(directory / "conf" / "rules"),)
