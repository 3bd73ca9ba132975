"""``dflint assess``: files and operations, levels and the checks they require, text and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from dflint.app.assess_documents import schema
from tests.cli.running import Ran, run
from tests.servers import TestServer

KEPT = Path(__file__).parents[2] / "docs" / "schemas" / "assess.schema.json"
SETUP = """
CREATE TABLE depts (id int PRIMARY KEY, name text);
CREATE TABLE users (id bigint PRIMARY KEY, email text, old text, plain text, dept int REFERENCES depts);
CREATE INDEX users_email ON users (email);
CREATE INDEX users_old ON users (old);
INSERT INTO users (id, email) SELECT i, 'x' || i FROM generate_series(1, 2000) i;
ANALYZE;
"""


@pytest.fixture
def dsn(pg: TestServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute(SETUP)
    return dsn


def asked(capsys: pytest.CaptureFixture[str], dsn: str, *words: str) -> tuple[Ran, dict[str, Any], dict[str, Any]]:
    """The run, its assessment, and name -> ``passed`` of each check."""
    ran = run(capsys, "assess", *words, "--db", dsn, "--format", "json", "--isolated")
    document = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(json.loads(schema())).validate(document)
    (assessment,) = document["assessments"]
    return ran, assessment, {check["name"]: check["passed"] for check in document["checks"]}


def test_the_schema_in_the_documentation_is_current() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))
    assert KEPT.read_bytes() == schema(), "run docs/schemas/generate.py"


@pytest.mark.majors("ends")
def test_an_operation(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found, checks = asked(capsys, dsn, "drop_column", "users", "column_name=old")
    assert ran.status == 0  # HIGH is below the level that fails
    assert (found["level"], found["matrix_level"], found["safety_level"]) == ("HIGH", "HIGH", 3)
    assert not checks
    for category in found["categories"].values():
        assert category["score"] == sum(factor["points"] for factor in category["factors"])
    assert asked(capsys, dsn, "drop_column", "users", "column_name=old", "--fail-level", "high")[0].status == 1
    assert next(iter(json.loads(ran.stdout))) == "schema_version"


def test_a_file_is_assessed_as_a_whole(capsys: pytest.CaptureFixture[str], dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_drop.sql"
    file.write_text("ALTER TABLE users ADD COLUMN nick text;\nDROP TABLE users;\n", encoding="utf-8")
    ran, found, _ = asked(capsys, dsn, str(file))
    assert ran.status == 1
    assert found["level"] == "CRITICAL"
    assert any(factor["rule"] == "rows-lost" for factor in found["categories"]["data_loss"]["factors"])


def test_the_same_database_gives_the_same_bytes(capsys: pytest.CaptureFixture[str], dsn: str, tmp_path: Path) -> None:
    taken = tmp_path / "schema.json"
    assert run(capsys, "snapshot", "take", "--db", dsn, "-o", str(taken)).status == 0
    words = ("assess", "change_column_type", "users", "column=old", "type=varchar(3)", "--catalog", str(taken))
    first, second = (run(capsys, *words, "--format", "json", "--isolated") for _ in range(2))
    assert first == second
    assert json.loads(first.stdout)["assessments"][0]["basis"] == "snapshot"


def test_a_lower_level_than_the_matrix_asks_for_fails(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    words = ("drop_index", "users", "index_name=users_old")
    ran, found, checks = asked(capsys, dsn, *words, "--level", "1")
    assert found["safety_level"] == 2
    assert ran.status == 1
    assert checks["safety-level"] is False
    ran, _, checks = asked(capsys, dsn, *words, "--level", "2")
    assert (ran.status, checks) == (0, {"dependencies": True, "index-usage": True})


def test_dropping_an_index_reads_its_usage(capsys: pytest.CaptureFixture[str], pg: TestServer, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        for _ in range(3):
            connection.execute("SELECT id FROM users WHERE email = 'x7'", prepare=False)
        if pg.major >= 15:
            connection.execute("SELECT pg_stat_force_next_flush()")
    ran, found, checks = asked(capsys, dsn, "drop_index", "users", "index_name=users_email", "--level", "2")
    assert checks["index-usage"] is False
    assert ran.status == 1
    (lost,) = [each for each in found["categories"]["performance"]["factors"] if each["rule"] == "index-lost"]
    assert lost["evidence"][0]["value"] >= 1


def test_level_3_asks_for_a_rehearsal(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, _, checks = asked(capsys, dsn, "drop_column", "users", "column_name=plain", "--level", "3")
    assert checks == {"dependencies": True, "risk": True, "rehearsal": None}
    assert ran.status == 2
    text = run(capsys, "assess", "drop_column", "users", "column=old", "--db", dsn, "--level", "3", "--isolated").stdout
    assert "dflint trace" in text


def test_a_rehearsal_is_of_the_same_statements(capsys: pytest.CaptureFixture[str], dsn: str, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SETUP, encoding="utf-8")
    file, trace = tmp_path / "0001_drop.sql", tmp_path / "trace.json"
    file.write_text("ALTER TABLE users DROP COLUMN plain;\n", encoding="utf-8")
    words = ("--schema", "schema.sql", "-o", str(trace), "--runner", "psql", "--isolated", "-q")
    assert run(capsys, "trace", *words, str(file)).status == 0
    ran, _, checks = asked(capsys, dsn, str(file), "--level", "3", "--rehearsal", str(trace))
    assert (ran.status, checks["rehearsal"]) == (0, True)
    file.write_text("ALTER TABLE users DROP COLUMN email;\n", encoding="utf-8")
    ran, _, checks = asked(capsys, dsn, str(file), "--level", "3", "--rehearsal", str(trace))
    assert (ran.status, checks["rehearsal"]) == (1, False)


def test_rows_in_the_way_of_not_null(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute("ALTER TABLE users ALTER COLUMN old SET NOT NULL")
    ran, _, checks = asked(capsys, dsn, "set_not_null", "users", "column=old", "--level", "2")
    assert checks["not-null-handler"] is False
    assert ran.status == 1
    assert asked(capsys, dsn, "set_not_null", "users", "column=email", "--level", "2")[2]["not-null-handler"] is True
    new = ("add_not_null_column", "users", "column=n", "type=int", "--level", "2")
    assert asked(capsys, dsn, *new)[2]["not-null-handler"] is False
    assert asked(capsys, dsn, *new, "default=0")[2]["not-null-handler"] is True


def test_rows_without_the_row_they_refer_to(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    words = ("add_foreign_key", "users", "column=id", "references_table=depts", "references_column=id", "--level", "2")
    ran, _, checks = asked(capsys, dsn, *words)
    assert (ran.status, checks["validation"]) == (1, False)
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO depts (id) SELECT id FROM users")
    ran, _, checks = asked(capsys, dsn, *words)
    assert (ran.status, checks["validation"]) == (0, True)


def test_what_the_server_refuses_has_no_score(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found, checks = asked(capsys, dsn, "drop_table", "depts", "--level", "3")
    assert ran.status == 1
    assert found["score"] is None
    assert found["will_fail"]["sqlstate"] == "2BP01"
    assert checks["validation"] is False


def test_supposed_rows(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    words = ("change_column_type", "users", "column=dept", "type=bigint")
    few, many = (
        asked(capsys, dsn, *words, "--rows", f"users={rows}")[1]["evidence_score"] for rows in (10, 100_000_000)
    )
    assert few < many


def test_a_matrix_of_ones_own(capsys: pytest.CaptureFixture[str], dsn: str, tmp_path: Path) -> None:
    (tmp_path / "project" / "own").mkdir(parents=True)
    (tmp_path / "project" / "own" / "matrix.yaml").write_text(
        "matrix:\n  - {row: nick, title: Nicknames, operations: [add_column], level: CRITICAL, safety_level: 1,"
        " checks: [validation]}\n",
        encoding="utf-8",
    )
    config = tmp_path / "project" / "dflint.toml"
    config.write_text('rule-paths = ["own"]\n', encoding="utf-8")
    words = ("assess", "add_nullable_column", "users", "column=nick", "type=text", "--db", dsn)
    ran = run(capsys, *words, "--config", str(config), "--level", "1")
    assert ran.status == 1
    assert "The decision matrix says CRITICAL" in ran.stdout
    assert run(capsys, *words, "--isolated").status == 0


def test_text_gives_reasons(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran = run(capsys, "assess", "drop_column", "users", "column_name=old", "--db", dsn, "--isolated")
    assert "Risk: HIGH" in ran.stdout
    assert "[values-lost]" in ran.stdout
    assert "the values of column old are lost" in ran.stdout


def test_estimates_by_the_speed_of_the_server(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    words = ("assess", "create_index", "users", "columns=email", "--rows", "users=1000000", "--isolated", "--db", dsn)
    for more, said in (((), "no server in particular"), (("--calibrate",), "measured on this server")):
        assert said in run(capsys, *words, "--format", "json", *more).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("drop_everything", "users"), "drop_everything"),
        (("drop_column", "users"), "column_name"),
        (("drop_column", "users", "column_name"), "column_name"),
        (("drop_column",), "table"),
        (("drop_column", "users", "column_name=old", "--rows", "users=many"), "users=many"),
        (("drop_index", "users", "index_name=users_old", "shape=round"), "shape"),
    ],
)
def test_what_cannot_be_understood(
    capsys: pytest.CaptureFixture[str], dsn: str, words: tuple[str, ...], message: str
) -> None:
    ran = run(capsys, "assess", *words, "--db", dsn, "--isolated")
    assert ran.status == 2
    assert message in ran.stderr
    assert not ran.stdout
