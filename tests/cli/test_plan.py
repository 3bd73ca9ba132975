"""``dflint plan`` as its users see it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dflint.planning.plan_file import schema
from tests.catalog.live import execute
from tests.cli.running import run
from tests.servers import TestServer


def migration(folder: Path, sql: str) -> str:
    path = folder / "migration.sql"
    path.write_text(sql)
    return str(path)


def test_the_text_says_what_happens_and_from_where_on_it_stays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = migration(tmp_path, "set work_mem = '1MB';\nalter table t add a int;\nalter table t drop b;\n")
    ran = run(capsys, "plan", path, "--isolated")
    assert ran.status == 0
    lines = ran.stdout.splitlines()
    assert lines[0] == f"{path}: 2 steps for PostgreSQL 18"
    assert "1. one transaction, stops readers and writers" in ran.stdout
    assert "     with     work_mem = 1MB" in lines
    assert "     locks    ACCESS EXCLUSIVE on table:public.t" in lines
    assert "     limits   500 ms for its locks, 30 s for a statement" in lines
    assert "     undo     ALTER TABLE t DROP COLUMN a" in lines
    before, after = ran.stdout.split("--- point of no return")
    assert "1. one" in before
    assert "impossible: the values of column b are lost" in after
    assert "Step 2 cannot be taken back." in lines


def test_json_is_one_document_and_saved_as_it_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    path = migration(tmp_path, "create index concurrently i on t (a);")
    ran = run(capsys, "plan", path, "--isolated", "--format", "json", "--save", str(saved))
    assert ran.status == 0
    document = json.loads(ran.stdout)
    jsonschema.validate(document, json.loads(schema()))
    assert saved.read_text() == ran.stdout
    assert document["steps"][0]["kind"] == "nontx"


def test_what_cannot_be_executed_is_an_error_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = migration(tmp_path, "begin;\ncreate index concurrently i on t (a);\ncommit;\n")
    ran = run(capsys, "plan", path, "--isolated")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}:2: CREATE INDEX CONCURRENTLY cannot run in a transaction")


def test_an_edited_plan_is_judged_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    run(capsys, "plan", migration(tmp_path, "alter table t add a int"), "--isolated", "--save", str(saved))
    document = json.loads(saved.read_text())
    document["hash"] = None
    document["steps"][0]["sql"] = "alter table t add a int, add c int"
    saved.write_text(json.dumps(document, indent=2))
    ran = run(capsys, "plan", str(saved), "--isolated", "--format", "json")
    assert ran.status == 0
    again = json.loads(ran.stdout)
    assert again["hash"] is not None
    assert again["steps"][0]["undo"] == {"sql": ["ALTER TABLE t DROP COLUMN c", "ALTER TABLE t DROP COLUMN a"]}


def test_two_sources_of_what_exists_contradict_each_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = migration(tmp_path, "select 1")
    ran = run(capsys, "plan", path, "--isolated", "--db", "host=x", "--catalog", "y.json")
    assert ran.status == 2
    assert "contradict" in ran.stderr


def test_the_database_is_read_and_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, pg: TestServer
) -> None:
    dsn = pg.new_database()
    execute(dsn, "create table t (a int not null)")
    ran = run(capsys, "plan", migration(tmp_path, "alter table t alter a drop not null"), "--isolated", "--db", dsn)
    assert ran.status == 0
    assert "All steps can be taken back." in ran.stdout
    assert "without knowing the database" not in ran.stdout


@pytest.mark.majors("newest")
def test_estimates_by_the_measured_speed_and_a_disk_that_is_too_small(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, pg: TestServer
) -> None:
    dsn = pg.new_database()
    # Never analyzed: its size is asked for.
    execute(dsn, "CREATE TABLE t AS SELECT g AS n FROM generate_series(1, 50000) g")
    path = migration(tmp_path, "alter table t alter n type bigint;")
    given = ("plan", path, "--isolated", "--db", dsn)
    ran = run(capsys, *given, "--calibrate", "--free-disk", "1GB")
    assert ran.status == 0
    assert "by the speed that was measured on this server" in ran.stdout
    assert "of disk space at its peak, by estimate" in ran.stdout
    ran = run(capsys, *given, "--format", "json")
    estimate = json.loads(ran.stdout)["steps"][0]["estimate"]
    assert estimate["basis"].endswith("by the speed of no server in particular")
    ran = run(capsys, *given, "--free-disk", "10kB")
    assert (ran.status, ran.stdout) == (2, "")
    assert "10 kB are free" in ran.stderr or "10240 bytes are free" in ran.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--free-disk", "much"), "'much' is no size"), (("--calibrate",), "only a server can be measured")],
)
def test_what_cannot_be_measured_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    ran = run(capsys, "plan", migration(tmp_path, "alter table t add a int;"), "--isolated", *options)
    assert (ran.status, ran.stdout) == (2, "")
    assert said in ran.stderr
