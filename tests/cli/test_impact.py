from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import psycopg
import pytest

from dflint_reports.impact.document import schema
from tests.cli.running import Ran, run
from tests.servers import TestServer

KEPT = Path(__file__).parents[2] / "docs" / "schemas" / "impact.schema.json"
SETUP = """
CREATE TABLE users (id int PRIMARY KEY, email text, "Mixed Case" int);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users);
CREATE VIEW emails AS SELECT email FROM users;
CREATE FUNCTION count_users() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users';
CREATE FUNCTION literal() RETURNS text LANGUAGE sql AS $$SELECT 'users'::text$$;
CREATE VIEW counted AS SELECT count_users();
"""


@pytest.fixture
def dsn(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute(SETUP)
    return dsn


def asked(capsys: pytest.CaptureFixture[str], dsn: str, *words: str) -> tuple[Ran, dict[str, str]]:
    """The run, and identity -> effect."""
    ran = run(capsys, "impact", *words, "--db", dsn, "--format", "json")
    document = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(json.loads(schema())).validate(document)
    return ran, {each["identity"]: each["effect"] for each in document["dependents"]}


def test_the_schema_in_the_documentation_is_current() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))
    assert KEPT.read_bytes() == schema(), "run docs/schemas/generate.py"


@pytest.mark.majors(13, 15, 18)
def test_dropping_a_table(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found = asked(capsys, dsn, "drop-table", "users")
    assert ran.status == 1
    assert found["fk:public.orders.orders_user_id_fkey"] == "blocks"
    assert found["view:public.emails"] == "blocks"
    assert found["index:public.users_pkey"] == "auto_dropped"
    assert found['function:public."count_users()"'] == "breaks_later"
    assert found["view:public.counted"] == "breaks_later"
    assert 'function:public."literal()"' not in found
    assert next(iter(json.loads(ran.stdout))) == "schema_version"


def test_renaming_breaks_only_what_names_the_table(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found = asked(capsys, dsn, "rename-table", "users", "people")
    assert ran.status == 1
    assert {identity for identity, effect in found.items() if effect != "follows"} == {
        'function:public."count_users()"',
        "view:public.counted",
    }
    assert json.loads(ran.stdout)["new_name"] == "people"


def test_what_follows_is_no_finding(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found = asked(capsys, dsn, "rename-column", "users", '"Mixed Case"', "plain")
    assert (ran.status, found) == (0, {})


def test_a_refusal_for_another_reason_is_one(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran, found = asked(capsys, dsn, "drop-not-null", "users", "id")
    assert ran.status == 1
    assert json.loads(ran.stdout)["refused"] is True
    assert found["constraint:public.users.users_pkey"] == "blocks"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drop-table", "usres"), "did you mean public.users?"),
        (("drop-column", "users", "emial"), "did you mean email?"),
        (("drop-table", "emails"), "is a view, not a table"),
        (("drop-table", "users; drop table orders"), "cannot be read"),
        (("drop-table", "users", "orders"), "takes 1"),
        (("drop-function", "missing(int)"), "there is no function missing"),
    ],
)
def test_what_cannot_be_asked_is_said(
    capsys: pytest.CaptureFixture[str], dsn: str, words: tuple[str, ...], said: str
) -> None:
    ran = run(capsys, "impact", *words, "--db", dsn)
    assert ran.status == 2
    assert said in ran.stderr
    assert ran.stdout == ""


def test_a_snapshot_gives_the_same(capsys: pytest.CaptureFixture[str], dsn: str, tmp_path: Path) -> None:
    file = str(tmp_path / "schema.dflint.json")
    run(capsys, "snapshot", "take", "--db", dsn, "-o", file)
    live = run(capsys, "impact", "drop-table", "users", "--db", dsn, "--format", "json")
    kept = run(capsys, "impact", "drop-table", "users", "--catalog", file, "--format", "json")
    assert kept == live


MIGRATIONS = {
    "001_start.sql": "CREATE TABLE users (id int PRIMARY KEY, email text);\nCREATE TABLE orders (id int PRIMARY KEY);\n",
    "002_more.sql": (
        "ALTER TABLE orders ADD COLUMN user_id int REFERENCES users;\n"
        "CREATE VIEW emails AS SELECT email FROM users;\n"
        "CREATE FUNCTION count_users() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users';\n"
        "CREATE VIEW counted AS SELECT count_users()::bigint AS n;\n"
        "ALTER TABLE users RENAME TO people;\n"
        "ALTER TABLE people RENAME TO users;\n"
    ),
}


def _written(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder)


@pytest.mark.majors(18)
def test_a_history_is_answered_for_as_the_server_that_ran_it(
    capsys: pytest.CaptureFixture[str], pg: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    folder, dsn = _written(tmp_path, MIGRATIONS), pg.new_database()
    with psycopg.connect(dsn) as connection:
        for text in MIGRATIONS.values():
            connection.execute(text.encode())
    for words in (
        ("drop-column", "users", "email"),
        ("rename-column", "users", "email", "mail"),
        ("alter-type", "users", "email", "varchar"),
        ("drop-function", "count_users()"),
        ("drop-table", "users"),
        ("rename-table", "users", "people"),
        ("drop-view", "emails"),
    ):
        _, live = asked(capsys, dsn, *words)
        ran = run(capsys, "impact", *words, "--history", folder, "--format", "json")
        document = json.loads(ran.stdout)
        # Whether a computed column of a view has the table's row type is not known.
        doubted = words[0] in ("drop-table", "rename-table", "drop-view")
        assert document["complete"] == (not doubted), document["incomplete_because"]
        assert "column:public.counted.n" in "".join(document["incomplete_because"]) or not doubted
        assert {each["identity"]: each["effect"] for each in document["dependents"]} == live, words
    missing = run(capsys, "impact", "drop-table", "user", "--history", folder)
    assert missing.status == 2
    assert "users" in missing.stderr


def test_what_a_history_does_not_tell_makes_the_answer_incomplete(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    text = (
        "CREATE TABLE t (a int);\n"
        "CREATE TABLE f (a int PRIMARY KEY);\nCREATE UNIQUE INDEX f_second ON f (a);\n"
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES f (a);\n"
    )
    folder = _written(tmp_path, {"1.sql": text})
    ran = run(capsys, "impact", "drop-column", "t", "a", "--history", folder, "--format", "json")
    assert ran.status == 2
    assert "fk:public.t.t_a_fkey" in json.loads(ran.stdout)["incomplete_because"][0]
    several = run(capsys, "impact", "drop-column", "t", "a", "--history", folder, "--catalog", "x.json")
    assert several.status == 2
    assert "several schemas" in several.stderr
