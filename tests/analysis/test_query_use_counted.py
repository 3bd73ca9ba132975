"""The statements that a server has counted: every version of pg_stat_statements, and when it cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from dflint.app.impact import ImpactAnalysis, requested
from dflint.app.queries import counted_statements, uses
from dflint.app.snapshot import read_live
from dflint.cli.main import main
from dflint.model.uses import SeenStatement, SeenStatements
from dflint.postgres.scratch import Scratch
from tests.servers import TestServer, installation


@pytest.fixture(scope="module", params=[13, 15, 18])
def counting(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    """A server that counts statements."""
    found = installation(request.param)
    if found is None:
        pytest.skip(f"PostgreSQL {request.param} is not here")
    settings = {"shared_preload_libraries": "pg_stat_statements"}
    with Scratch(request.param, providers=[lambda: [found]], settings=settings) as scratch:
        yield TestServer(scratch)


def new_database(server: TestServer, version: str | None = None, schema: str = "public") -> str:
    dsn = server.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        create = sql.SQL("CREATE EXTENSION pg_stat_statements SCHEMA {}").format(sql.Identifier(schema))
        connection.execute(create + sql.SQL("" if version is None else f" VERSION '{version}'"))
        connection.execute("CREATE TABLE users (id int, email text)")
        connection.execute("GRANT SELECT ON users TO public")
        for _ in range(3):
            connection.execute("SELECT email FROM users WHERE id = 1")
        connection.execute("SELECT id FROM users")
    return dsn


def read(dsn: str) -> SeenStatements:
    return asyncio.run(counted_statements(dsn))


def found_in(dsn: str) -> SeenStatement:
    """The statement that every database has run thrice."""
    (found,) = [each for each in read(dsn).statements if each.text.startswith("SELECT email FROM users WHERE id =")]
    return found


def test_statements_are_counted(counting: TestServer) -> None:
    dsn = new_database(counting, schema='Odd "Schema"')
    found = found_in(dsn)
    assert found.text == "SELECT email FROM users WHERE id = $1"
    assert (found.calls, found.origin) == (3, "pg_stat_statements")
    # 13 records neither when counting began nor what sessions run.
    assert (found.counted_since is None) == (counting.major == 13)
    assert read(dsn).incomplete_because == ()


#: Versions of the extension that can be installed: each server has its own and those before it.
VERSIONS = {13: ("1.7", "1.8"), 15: ("1.7", "1.8", "1.9", "1.10"), 18: ("1.7", "1.8", "1.9", "1.10", "1.11", "1.12")}


def test_every_version_of_the_extension(counting: TestServer) -> None:
    for version in VERSIONS[counting.major]:
        assert found_in(new_database(counting, version)).calls == 3, version


def test_what_a_session_ran_last_was_seen_then(counting: TestServer) -> None:
    dsn = new_database(counting)
    assert found_in(dsn).last_seen is None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT email FROM users WHERE id = 1")
        assert (found_in(dsn).last_seen is None) == (counting.major == 13)


def test_statements_of_other_databases_are_left_out(counting: TestServer) -> None:
    new_database(counting)
    assert found_in(new_database(counting)).calls == 3


def test_who_uses_a_column(counting: TestServer) -> None:
    dsn = new_database(counting)
    catalog = asyncio.run(read_live(dsn))
    impact = ImpactAnalysis(catalog).of(requested("drop-column", ("users", "email")))
    found = uses(impact, read(dsn), catalog, ("public",))
    assert [(use.calls, use.uses) for use in found.statements] == [(3, ("column:public.users.email",))]
    assert found.incomplete_because == ()


def test_texts_of_other_roles_are_hidden_and_it_is_said(counting: TestServer) -> None:
    dsn = new_database(counting)
    with psycopg.connect(counting.dsn(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS looker")
        connection.execute("CREATE ROLE looker LOGIN")
    found = read(make_conninfo(dsn, user="looker"))
    assert not any("email" in each.text for each in found.statements)
    assert any("pg_read_all_stats" in reason for reason in found.incomplete_because)


def test_a_view_that_may_not_be_read(counting: TestServer) -> None:
    dsn = new_database(counting)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("REVOKE ALL ON pg_stat_statements FROM public")
        connection.execute("DROP ROLE IF EXISTS looker")
        connection.execute("CREATE ROLE looker LOGIN")
    found = read(make_conninfo(dsn, user="looker"))
    assert found.statements == ()
    assert found.incomplete_because[0].startswith("this role may not read pg_stat_statements: permission denied")


@pytest.mark.majors("ends")
def test_without_the_extension_or_the_library(pg: TestServer) -> None:
    dsn = pg.new_database()
    assert read(dsn).incomplete_because[0].startswith("the extension pg_stat_statements is not installed")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
    assert read(dsn) == SeenStatements(
        (), ("pg_stat_statements is not in shared_preload_libraries of this server, so it counts nothing",)
    )


def test_the_command_line(counting: TestServer, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    dsn, plain = new_database(counting), counting.new_database()
    change = ["impact", "drop-column", "users", "email"]
    assert main([*change, "--db", dsn]) == 0
    assert main([*change, "--db", dsn, "--statements"]) == 1
    out = capsysbinary.readouterr().out.decode()
    assert "pg_stat_statements, 3 calls" in out
    assert "SELECT email FROM users WHERE id = $1" in out
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE TABLE users (id int, email text)")
    assert main([*change, "--db", plain, "--statements"]) == 2
    assert b"pg_stat_statements is not installed in this database" in capsysbinary.readouterr().err
    snapshot = str(tmp_path / "s.json")
    assert main(["snapshot", "take", "--db", plain, "-o", snapshot]) == 0
    assert main([*change, "--catalog", snapshot, "--statements"]) == 2
    assert b"a snapshot has counted no statements" in capsysbinary.readouterr().err
