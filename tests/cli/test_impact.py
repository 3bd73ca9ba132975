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
