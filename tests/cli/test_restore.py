"""``dflint restore`` on real tables."""

from __future__ import annotations

import psycopg
import pytest

from tests.cli.running import run
from tests.servers import TestServer

SETUP = """
CREATE TABLE "Users" (id int PRIMARY KEY, name text);
INSERT INTO "Users" VALUES (1, 'a'), (2, 'b');
CREATE SCHEMA dflint_trash;
CREATE TABLE dflint_trash.copy AS TABLE "Users";
CREATE TABLE dflint_trash.other AS SELECT 1 AS id;
DELETE FROM "Users" WHERE id = 1;
UPDATE "Users" SET name = 'spoilt';
INSERT INTO "Users" VALUES (3, 'later');
"""


def rows(dsn: str) -> list[tuple[int, str]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute('SELECT id, name FROM "Users" ORDER BY id').fetchall()


@pytest.fixture
def dsn(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("DFLINT_DB", raising=False)
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute(SETUP)
    return dsn


@pytest.mark.majors("ends")
def test_rows_come_back(capsys: pytest.CaptureFixture[str], dsn: str) -> None:
    ran = run(capsys, "restore", "dflint_trash.copy", '"Users"', "--db", dsn)
    assert (ran.status, ran.stdout) == (0, '2 rows of "Users" written or deleted\n')
    assert rows(dsn) == [(1, "a"), (2, "b"), (3, "later")]
    ran = run(capsys, "restore", "dflint_trash.copy", '"Users"', "--db", dsn, "--remove-later")
    assert ran.status == 0
    assert rows(dsn) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("backup", "table", "said"),
    [
        ("dflint_trash.gone", '"Users"', "there is no table dflint_trash.gone"),
        ("dflint_trash.copy", "users", "there is no table users"),
        ("dflint_trash.other", '"Users"', "has other columns"),
    ],
)
def test_what_cannot_be_restored_is_left_alone(
    capsys: pytest.CaptureFixture[str], dsn: str, backup: str, table: str, said: str
) -> None:
    before = rows(dsn)
    ran = run(capsys, "restore", backup, table, "--db", dsn)
    assert ran.status == 2
    assert said in ran.stderr
    assert rows(dsn) == before
