from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from immutables import Map
from msgspec.structs import replace

from dflint.app.snapshot_files import save_snapshot
from dflint.model.catalog import Catalog, Table
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column
from tests.cli.running import Ran, run, spawn
from tests.servers import TestServer

FILE = "schema.dflint.json"
SETUP = """
CREATE TABLE t (a int, b text);
CREATE INDEX t_a ON t (a);
CREATE VIEW v AS SELECT a FROM t;
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DFLINT_DB", raising=False)
    return tmp_path


@pytest.fixture
def dsn(pg: TestServer) -> str:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP)
    return dsn


def execute(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.encode())


def by_hand(**more: object) -> None:
    """A snapshot file of one table."""
    table = Table(Name("public", "t"), (Column("a", Type(Name("pg_catalog", "int4"))),), rows=3)
    catalog = Catalog(closed=True, version=18, relations=Map({table.name: table}))
    save_snapshot(replace(catalog, **more), FILE)


# --- take, show, verify -------------------------------------------------------------------------------------------


def test_take_show_verify(folder: Path, dsn: str, pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    taken = run(capsys, "snapshot", "take", "--db", f"{dsn} password=hunter2")
    assert (taken.status, taken.stderr) == (0, "")
    assert taken.stdout.startswith(f"{FILE}: ")
    assert taken.stdout.endswith("statistics: schema.dflint.stats.json\n")
    assert "hunter2" not in taken.stdout + (folder / FILE).read_text()

    shown = run(capsys, "snapshot", "show", FILE)
    assert shown.status == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == f"PostgreSQL {pg.major}"
    assert {"1 table", "1 index", "1 view"} <= set(lines)
    one = run(capsys, "snapshot", "show", FILE, "public.t").stdout
    assert "    a  integer\n    b  text\n" in one
    assert run(capsys, "snapshot", "show", FILE, "tt")[::2] == (
        2,
        "dflint: the snapshot has no object 'tt' (did you mean 't'?)\n",
    )

    assert run(capsys, "snapshot", "verify", FILE)[0::2] == (0, "")
    assert run(capsys, "snapshot", "verify", FILE, "--db", dsn)[0::2] == (0, "")
    execute(dsn, "ALTER TABLE t ADD c int; DROP VIEW v; CREATE TABLE n ()")
    differing = run(capsys, "snapshot", "verify", FILE, "--db", dsn)
    assert (differing.status, differing.stderr) == (1, "")
    assert differing.stdout.splitlines() == [
        "added    table:public.n",
        "changed  table:public.t  (columns)",
        "removed  view:public.v",
    ]


def test_the_database_may_come_from_the_environment(folder: Path, dsn: str) -> None:
    taken = spawn("snapshot", "take", "-o", "other.json", cwd=folder, DFLINT_DB=dsn)
    assert (taken.status, taken.stderr) == (0, "")
    assert sorted(each.name for each in folder.glob("*.json")) == ["other.json", "other.stats.json"]


def test_without_a_database(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "snapshot", "take") == Ran(
        2, "", "dflint: no database was named (give --db DSN, or set DFLINT_DB)\n"
    )
    refused = run(capsys, "snapshot", "take", "--db", "host=/nowhere password=hunter2")
    assert refused.status == 2
    assert "hunter2" not in refused.stderr
    assert not list(folder.glob("*.json"))


def test_a_role_that_may_only_connect_takes_the_same(
    folder: Path, dsn: str, pg: TestServer, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(
        dsn,
        "DROP ROLE IF EXISTS snapshot_reader; CREATE ROLE snapshot_reader LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC",
    )
    try:
        assert run(capsys, "snapshot", "take", "--db", dsn).status == 0
        user = f"{psycopg.conninfo.make_conninfo(dsn, user='snapshot_reader')}"
        verified = run(capsys, "snapshot", "verify", FILE, "--db", user)
        assert (verified.status, verified.stdout.count("\n")) == (0, 1), verified
    finally:
        execute(dsn, "DROP ROLE snapshot_reader")


def test_a_changed_file_is_refused_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    path = folder / FILE
    path.write_bytes(path.read_bytes().replace(b'["public","t"]', b'["public","u"]'))
    for verb in ("show", "verify"):
        status, out, err = run(capsys, "snapshot", verb, FILE)
        assert (status, out) == (2, "")
        assert err == (
            f"{FILE}:2: this line was changed after the snapshot was taken (take it again with dflint snapshot take)\n"
        )


def test_what_is_incomplete_says_so_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand(incomplete=("views could not be read: timeout",))
    for command in (("show", FILE), ("show", FILE, "t"), ("verify", FILE)):
        status, _, err = run(capsys, "snapshot", *command)
        assert (status, err) == (2, f"{FILE}: incomplete: views could not be read: timeout\n")


def test_stale_statistics_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    stats = folder / "schema.dflint.stats.json"
    stats.write_bytes(stats.read_bytes().replace(b'"schema":"', b'"schema":"0'))
    status, _, err = run(capsys, "snapshot", "verify", FILE)
    assert (status, err) == (0, "schema.dflint.stats.json: these statistics were taken with another schema\n")


# --- lint with a snapshot -----------------------------------------------------------------------------------------


def migrations(folder: Path, *texts: str) -> None:
    (folder / "m").mkdir()
    for number, text in enumerate(texts, start=1):
        (folder / "m" / f"{number:04}_a.sql").write_text(text)


def findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str, str]]:
    ran = run(capsys, "lint", "--format", "json", *arguments)
    found = [(each["file"], each["rule"], each["basis"]) for each in json.loads(ran.stdout)["findings"]]
    return [each for each in found if each[1] != "missing-lock-timeout"]


INDEX = "CREATE INDEX ON t (a);\n"
CREATE = "CREATE TABLE t (a int);\n"


def test_lint_rests_on_the_snapshot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    migrations(folder, INDEX)
    assert findings(capsys, "m", "--catalog", FILE) == [("m/0001_a.sql", "create-index-blocking", "snapshot")]
    # A table that is not in the snapshot does not exist: IF NOT EXISTS makes it.
    (folder / "m" / "0001_a.sql").write_text("CREATE TABLE IF NOT EXISTS n (a int);\nCREATE INDEX ON n (a);\n")
    assert findings(capsys, "m", "--catalog", FILE) == []
    assert findings(capsys, "m") != []


def test_what_the_snapshot_does_not_allow_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    migrations(
        folder,
        CREATE
        + """
        CREATE TABLE IF NOT EXISTS t (a int);
        ALTER TABLE t DROP COLUMN b;
        ALTER TABLE t DROP COLUMN IF EXISTS b, ADD COLUMN IF NOT EXISTS a int;
        DROP TABLE n;
        ALTER TABLE n ADD COLUMN a int;
        """,
    )
    ran = run(capsys, "lint", "m", "--catalog", FILE, "--select", "refused-by-server", "--format", "json")
    found = json.loads(ran.stdout)["findings"]
    assert [(each["line"], each["level"], each["confidence"], each["basis"]) for each in found] == [
        (line, "error", "high", "snapshot") for line in (1, 4, 6, 7)
    ]
    assert ["42P07" in found[0]["message"], "42703" in found[1]["message"], "42P01" in found[2]["message"]] == [
        True
    ] * 3
    # Without one, only what the file itself shows.
    assert findings(capsys, "m", "--select", "refused-by-server") == [
        ("m/0001_a.sql", "refused-by-server", "replay"),
        ("m/0001_a.sql", "refused-by-server", "replay"),
    ]
    by_hand(incomplete=("views could not be read",))
    assert len(findings(capsys, "m", "--catalog", FILE, "--select", "refused-by-server")) == 2


def test_files_not_named_are_in_the_snapshot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    # Replayed, the first file would leave no table for the second.
    migrations(folder, "DROP TABLE t;\n", INDEX)
    assert findings(capsys, "m/0002_a.sql", "--catalog", FILE) == [
        ("m/0002_a.sql", "create-index-blocking", "snapshot")
    ]


def test_files_up_to_the_baseline_are_in_the_snapshot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    migrations(folder, "DROP TABLE t;\n", "CREATE TABLE n (a int);\n", INDEX + "CREATE INDEX ON n (a);\n")
    (folder / "dflint.toml").write_text(f'catalog = "{FILE}"\nbaseline = {{ before = "0001" }}\n')
    # All that comes after the baseline is one change: n is new, t is not.
    expected = [("m/0003_a.sql", "create-index-blocking", "snapshot")]
    assert findings(capsys, "m") == expected
    assert findings(capsys, "m/0003_a.sql") == expected
    assert findings(capsys, "m", "--processes", "2") == expected
    ran = run(capsys, "lint", "m", "--fail-level", "never")
    assert "(1 earlier file not judged)" in ran.stdout
    (folder / "dflint.toml").write_text(f'catalog = "{FILE}"\nbaseline = {{ before = "0003" }}\n')
    assert run(capsys, "lint", "m").status == 0


def test_the_configured_snapshot_lies_beside_the_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand()
    migrations(folder, INDEX)
    (folder / "dflint.toml").write_text(f'catalog = "{FILE}"\n')
    monkeypatch.chdir(folder / "m")
    assert findings(capsys, ".") == [("0001_a.sql", "create-index-blocking", "snapshot")]
    monkeypatch.chdir(folder)
    assert findings(capsys, "m", "--isolated") == [("m/0001_a.sql", "create-index-blocking", "replay")]


def test_the_version_is_the_snapshots(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand(version=15)
    migrations(folder, INDEX)
    ran = run(capsys, "lint", "m", "--catalog", FILE)
    assert ran.stdout.endswith(f"PostgreSQL 15 with {FILE}\n")
    assert ran.stderr == ""
    document = json.loads(run(capsys, "lint", "m", "--catalog", FILE, "--format", "json").stdout)
    assert document["pg_version"] == {"used": 15, "assumed": False}
    assert document["catalog"] == {"file": FILE, "pg_version": 15, "incomplete": []}
    other = run(capsys, "lint", "m", "--catalog", FILE, "--pg-version", "17")
    assert other.stdout.endswith(f"PostgreSQL 17 with {FILE}\n")
    assert other.stderr == f"dflint: judged for PostgreSQL 17, but {FILE} is of PostgreSQL 15\n"
    by_hand(version=None)
    assert run(capsys, "lint", "m", "--catalog", FILE).stdout.endswith(f"PostgreSQL 18 (assumed) with {FILE}\n")


def test_kept_outcomes_depend_on_the_snapshot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand()
    migrations(folder, "CREATE TABLE IF NOT EXISTS t (a int);\n" + INDEX)
    first = findings(capsys, "m", "--catalog", FILE)
    assert [rule for _, rule, _ in first] == ["create-index-blocking"]
    assert findings(capsys, "m", "--catalog", FILE) == first
    by_hand(relations=Map())
    assert findings(capsys, "m", "--catalog", FILE) == []
    # Tampering is found, also where an outcome was kept.
    by_hand()
    path = folder / FILE
    path.write_bytes(path.read_bytes().replace(b'"t"', b'"u"'))
    assert run(capsys, "lint", "m", "--catalog", FILE).status == 2


def test_an_incomplete_snapshot_makes_every_lint_incomplete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand(incomplete=("views could not be read",))
    migrations(folder, INDEX)
    for _ in range(2):
        ran = run(capsys, "lint", "m", "--catalog", FILE, "--format", "json")
        assert ran.status == 2
        (error,) = json.loads(ran.stdout)["errors"]
        assert (error["file"], error["message"]) == (FILE, "the snapshot is incomplete: views could not be read")
        assert ran.stderr == f"{FILE}:1: the snapshot is incomplete: views could not be read (take it again)\n"


@pytest.mark.parametrize("text", [None, "{}", "CREATE TABLE t ();\n"])
def test_what_is_no_snapshot(folder: Path, text: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    migrations(folder, INDEX)
    if text is not None:
        (folder / FILE).write_text(text)
    status, out, err = run(capsys, "lint", "m", "--catalog", FILE)
    assert (status, out) == (2, "")
    assert err.startswith(f"{FILE}: ")


def test_from_the_database_to_findings(folder: Path, dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "snapshot", "take", "--db", dsn).status == 0
    migrations(folder, CREATE, "ALTER TABLE t ALTER COLUMN a TYPE bigint;\n")
    assert ("m/0002_a.sql", "alter-column-type-rewrite", "snapshot") in findings(
        capsys, "m/0002_a.sql", "--catalog", FILE
    )


def test_linting_with_a_snapshot_needs_no_driver(folder: Path) -> None:
    by_hand()
    migrations(folder, INDEX)
    code = (
        "import sys; from dflint.cli.main import main; main(['lint', 'm', '--catalog', 'schema.dflint.json']);"
        "print(*sorted({'psycopg', 'asyncio', 'hashlib', 'yaml'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, capture_output=True, check=True)  # fills the cache of rules
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == "\n"
