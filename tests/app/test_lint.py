"""The whole way from files to a report."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dflint.app.lint import lint
from dflint.app.request import LintRequest
from dflint.model.errors import ConfigError
from dflint.model.finding import Finding, Report
from dflint.plugin.manager import Plugins
from dflint.sql.library_file import find_library

PLUGINS = Plugins()
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*paths: str, **options: object) -> Report:
    return lint(LintRequest(paths=paths, cache=False, **options), PLUGINS)  # type: ignore[arg-type]


def places(report: Report, rule: str) -> list[tuple[str, int]]:
    return [(finding.file, finding.line) for finding in report.findings if finding.rule == rule]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)


def test_findings_point_into_the_file(folder: Path) -> None:
    write(folder, m1="CREATE TABLE t (a int);", m2="\n-- ä\n  CREATE INDEX i ON t (a);\n")
    (finding,) = [f for f in run(".").findings if f.rule == "create-index-blocking"]
    assert (finding.file, finding.line, finding.column, finding.end_line, finding.end_column) == ("m2.sql", 3, 3, 3, 26)
    assert (finding.operation, finding.target, finding.lock) == ("create_index", "table:public.t", "SHARE")
    assert finding.level == "error"


def test_one_bad_statement_hides_nothing(folder: Path) -> None:
    write(folder, m="SELEC 1;\nCREATE INDEX i ON t (a);\nCREATE INDEX j ON (;\nDROP INDEX i;\n")
    report = run("m.sql")
    assert places(report, "syntax-error") == [("m.sql", 1), ("m.sql", 3)]
    assert places(report, "create-index-blocking") == [("m.sql", 2)]
    assert (report.coverage.statements, report.coverage.typed, report.coverage.rejected) == (4, 2, 2)


def test_earlier_files_are_history_when_one_file_is_linted(folder: Path) -> None:
    write(folder, **{"1_a": "CREATE TABLE t (a int);", "2_b": "CREATE INDEX i ON t (a);", "3_c": "DROP TABLE t;"})
    whole, one = run("."), run("2_b.sql")
    assert [f for f in whole.findings if f.file == "2_b.sql"] == list(one.findings)
    assert one.files == ("2_b.sql",)
    assert one.replayed == 1


def test_text_on_stdin_has_the_history_of_its_file(folder: Path) -> None:
    write(folder, **{"1_a": "CREATE TABLE t (a int); CREATE INDEX old ON t (a);"})
    text = b"CREATE TABLE IF NOT EXISTS t (a int);\nCREATE INDEX i ON t (a);"
    report = lint(LintRequest(stdin=text, stdin_filename="2_b.sql", cache=False), PLUGINS)
    assert places(report, "create-index-blocking") == [("2_b.sql", 2)]
    (finding,) = [f for f in report.findings if f.rule == "create-index-blocking"]
    # The history made the table: IF NOT EXISTS finds it, and the index is built on a table in use.
    assert (finding.level, finding.confidence) != ("warning", "low")


def test_text_without_a_name(folder: Path) -> None:
    report = lint(LintRequest(stdin=b"CREATE INDEX i ON t (a);", cache=False), PLUGINS)
    assert places(report, "create-index-blocking") == [("<stdin>", 1)]


def test_a_baseline_is_replayed_and_never_judged(folder: Path) -> None:
    write(
        folder,
        **{
            "0001_a": "CREATE TABLE t (a int); CREATE INDEX i ON u (a);",
            "0002_b": "CREATE TABLE n (a int);",
            "0003_c": "CREATE INDEX j ON n (a); CREATE INDEX k ON t (a);",
        },
    )
    report = run(".", baseline="0001")
    # Everything after the cut line is one unapplied change: n is new in it, t is not.
    assert places(report, "create-index-blocking") == [("0003_c.sql", 1)]
    assert report.files == ("0002_b.sql", "0003_c.sql")


def test_an_unknown_baseline_is_an_error(folder: Path) -> None:
    write(folder, m="SELECT 1;")
    with pytest.raises(ConfigError, match="baseline"):
        run(".", baseline="0099")


def test_unreadable_files_are_errors_and_the_others_are_linted(folder: Path) -> None:
    write(folder, a="CREATE INDEX i ON t (a);")
    (folder / "b.sql").write_bytes(b"select 1;\0drop table t;")
    (folder / "c.sql").write_bytes(b"select '\xff';")
    report = run(".")
    assert [(error.file, error.line) for error in report.errors] == [("b.sql", 1), ("c.sql", 1)]
    assert places(report, "create-index-blocking") == [("a.sql", 1)]


def test_directories_named_sql_and_odd_names(folder: Path) -> None:
    (folder / "x.sql").mkdir()
    (folder / "x.sql" / "with space.sql").write_text("CREATE INDEX i ON t (a);")
    assert places(run("."), "create-index-blocking") == [("x.sql/with space.sql", 1)]


def test_files_that_the_runner_does_not_run_are_named(folder: Path) -> None:
    write(folder, **{"00001_a": "-- +goose Up\nSELECT 1;", "notes": "SELECT 2;"})
    assert [(item.file, item.reason) for item in run(".").coverage.not_analysed] == [
        ("notes.sql", "goose does not run this file")
    ]


def test_flyway_refuses_to_mix(folder: Path) -> None:
    (folder / "flyway.toml").write_text("[flyway]\n")
    write(
        folder, V1__a="CREATE INDEX CONCURRENTLY i ON t (a);\nSELECT 1;", V2__b="CREATE INDEX CONCURRENTLY j ON t (b);"
    )
    report = run(".")
    assert places(report, "runner-refuses-file") == [("V1__a.sql", 1)]
    assert places(report, "concurrently-in-transaction") == []


def test_if_not_exists_creates_in_a_history_from_its_start(folder: Path) -> None:
    write(folder, **{"1_a": "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX i ON t (a);"})
    (alone,) = [f for f in run(".").findings if f.rule == "create-index-blocking"]
    assert (alone.level, alone.confidence) == ("warning", "low")
    write(folder, **{"2_b": "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX j ON t (a);"})
    assert places(run("."), "create-index-blocking") == [("2_b.sql", 1)]


def test_crlf_and_byte_order_mark(folder: Path) -> None:
    (folder / "m.sql").write_bytes(b"\xef\xbb\xbf-- x\r\nCREATE INDEX i ON t (a);\r\n")
    (finding,) = [f for f in run("m.sql").findings if f.rule == "create-index-blocking"]
    assert (finding.line, finding.column, finding.end_column) == (2, 1, 24)


def test_templates_and_psql(folder: Path) -> None:
    write(
        folder,
        a="CREATE INDEX i ON {{.Schema}}.t (a);",
        b="\\set x 1\n\\i other.sql\nCREATE INDEX i ON :schema.t (a);\nCOPY t FROM stdin;\n1\tit's; drop\n\\.\nSELECT 1;\n",
    )
    report = run(".")
    assert places(report, "create-index-blocking") == [("a.sql", 1), ("b.sql", 3)]
    assert places(report, "syntax-error") == []
    assert "CREATE INDEX on {{.Schema}}.t holds" in report.findings[0].message
    assert [(item.file, item.line) for item in report.coverage.not_analysed] == [("b.sql", 2)]


def test_too_deep_is_opaque_and_reported(folder: Path) -> None:
    write(folder, m="SELECT 1" + "+1" * 100_000 + ";\nCREATE INDEX i ON t (a);")
    report = run("m.sql")
    assert report.coverage.opaque == 1
    assert "too deep" in report.coverage.not_analysed[0].reason
    assert places(report, "create-index-blocking") == [("m.sql", 2)]


def test_the_outcome_cache_gives_the_same_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    first = lint(LintRequest(paths=(str(EXAMPLES),)), PLUGINS)
    kept = list((folder / "cache" / "dflint" / "outcomes").iterdir())
    assert kept
    assert lint(LintRequest(paths=(str(EXAMPLES),)), PLUGINS) == first
    for entry in kept:
        entry.write_bytes(b"damaged")
    assert lint(LintRequest(paths=(str(EXAMPLES),)), PLUGINS) == first
    assert lint(LintRequest(paths=(str(EXAMPLES),), cache=False), PLUGINS) == first


def test_another_parser_judges_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    write(folder, a="SELECT 1;")
    outcomes = folder / "cache" / "dflint" / "outcomes"
    lint(LintRequest(paths=("a.sql",)), PLUGINS)
    copy = folder / "libpg_query.so"
    shutil.copy(find_library(), copy)
    monkeypatch.setenv("DFLINT_LIBPG_QUERY", str(copy))
    lint(LintRequest(paths=("a.sql",)), PLUGINS)
    assert len(list(outcomes.iterdir())) == 2
    lint(LintRequest(paths=("a.sql",)), PLUGINS)
    assert len(list(outcomes.iterdir())) == 2


def test_a_changed_file_is_judged_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    write(folder, a="CREATE INDEX i ON t (a);")
    assert places(lint(LintRequest(paths=("a.sql",)), PLUGINS), "create-index-blocking")
    write(folder, a="CREATE INDEX CONCURRENTLY i ON t (a);")
    assert not places(lint(LintRequest(paths=("a.sql",)), PLUGINS), "create-index-blocking")
    assert places(lint(LintRequest(paths=("a.sql",), runner="goose"), PLUGINS), "runner-refuses-file")


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_change_nothing(processes: int) -> None:
    alone = run(str(EXAMPLES))
    assert run(str(EXAMPLES), processes=processes) == alone
    # One history outweighs all others: its files are parsed in parallel and folded in order.
    one = str(EXAMPLES / "shop" / "migrations")
    assert run(one, processes=processes) == run(one)


# --- properties -------------------------------------------------------------------------------------------------------

STATEMENTS = [
    statement + ";"
    for path in sorted(EXAMPLES.rglob("*.sql"))
    for statement in path.read_text().split(";\n")
    if "$$" not in statement
]
no_check = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def lint_text(text: bytes, **options: object) -> Report:
    return lint(LintRequest(stdin=text, cache=False, **options), PLUGINS)  # type: ignore[arg-type]


@no_check
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(text: bytes) -> None:
    report = lint_text(text)
    assert report.coverage.statements == report.coverage.typed + report.coverage.opaque + report.coverage.rejected


@no_check
@given(st.data())
def test_mutated_statements_never_raise(data: st.DataObject) -> None:
    text = "\n".join(data.draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=6)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        to = data.draw(st.integers(at, min(len(text), at + 12)))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[to:]
    runner = data.draw(st.sampled_from([None, "goose", "dbmate", "prisma", "liquibase", "flyway", "atlas"]))
    report = lint_text(text.encode("utf-8", "ignore"), runner=runner)
    lines = text.count("\n") + 1
    for finding in report.findings:
        assert 1 <= finding.line <= finding.end_line <= lines
        assert (finding.line, finding.column) <= (finding.end_line, finding.end_column)
        assert finding.message


@no_check
@given(st.lists(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4), min_size=2, max_size=5), st.data())
def test_how_files_are_handed_over_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    for number, statements in enumerate(files, 1):
        (folder / f"{number:03}_m.sql").write_text("\n".join(statements))
    before = os.getcwd()
    os.chdir(folder)
    try:
        names = [f"{number:03}_m.sql" for number in range(1, len(files) + 1)]
        whole = judged(run("."))
        order = data.draw(st.permutations(names))
        assert judged(run(*order)) == whole
        single = [finding for name in names for finding in judged(run(name))]
        assert sorted(single, key=key) == whole
    finally:
        os.chdir(before)


def key(finding: Finding) -> tuple[str, int, int, str, int, int]:
    return (finding.file, finding.line, finding.column, finding.rule, finding.end_line, finding.end_column)


def judged(report: Report) -> list[Finding]:
    """The findings; those about a whole run stand at its end and depend on where that is."""
    return sorted((f for f in report.findings if f.operation), key=key)
