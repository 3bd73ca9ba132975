"""Statements that use an object, told by PostgreSQL's name rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from dflint.app.impact import ImpactAnalysis, requested
from dflint.app.queries import statements_of_file, uses
from dflint.app.snapshot import read_live
from dflint.cli.main import main
from dflint.model.uses import QueryUse, QueryUses, SeenStatement, SeenStatements
from tests.servers import TestServer

pytestmark = pytest.mark.majors("newest")

SCHEMA = """
CREATE SCHEMA sales;
CREATE TABLE users (id int PRIMARY KEY, email text, name text);
CREATE TABLE orders (id int, email text, user_id int REFERENCES users);
CREATE TABLE sales.invoices (id int, email text);
CREATE TABLE sales.orders (id int, email text);
CREATE VIEW emails AS SELECT email FROM users;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql RETURN upper($1);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE INDEX users_name ON users (name);
CREATE TABLE "say""hi" (id int, "O'Brien" text);
"""

Ask = Callable[..., QueryUses]


@pytest.fixture
def ask(pg: TestServer) -> Ask:
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA)
    catalog = asyncio.run(read_live(dsn))
    analysis = ImpactAnalysis(catalog)

    def ask(change: str, *statements: str) -> QueryUses:
        command, *words = change.split()
        impact = analysis.of(requested(command, tuple(words)))
        seen = tuple(SeenStatement(each, f"f:{number}") for number, each in enumerate(statements))
        return uses(impact, SeenStatements(seen), catalog, ("public",))

    return ask


def one(found: QueryUses) -> QueryUse:
    assert found.incomplete_because == ()
    (use,) = found.statements
    return use


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT email FROM users WHERE id = $1",
        "SELECT * FROM users",
        "SELECT u.* FROM public.users u JOIN orders o ON o.user_id = u.id",
        "UPDATE users SET email = $1",
        "INSERT INTO users (id, email) VALUES ($1, $2)",
        'SELECT 1 FROM orders o WHERE EXISTS (SELECT FROM "users" WHERE users."email" = o.email)',
        "DELETE FROM users USING orders WHERE users.email = orders.email",
        "SELECT e FROM (SELECT email AS e FROM users) x",
    ],
)
def test_uses_of_a_column(ask: Ask, statement: str) -> None:
    use = one(ask("drop-column users email", statement))
    assert use.uses == ("column:public.users.email",)
    assert use.statement == statement


def test_names_that_are_written_in_another_way(ask: Ask) -> None:
    quoted = """SELECT "O'Brien" FROM "say""hi" WHERE id = 1"""
    assert one(ask("""drop-column "say""hi" "O'Brien\"""", quoted)).uses == ("""column:public."say""hi".O'Brien""",)
    escaped = 'SELECT U&"em\\0061il" FROM U&"us\\0065rs"'
    # Where an escaped name stands is not found, but it is not overlooked either.
    assert "could not be read" in ask("drop-column users email", escaped).incomplete_because[0]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT email FROM orders",
        "SELECT email FROM sales.invoices -- users.email",
        "SELECT 'users.email', id FROM users",
        "WITH users AS (SELECT 1 AS email) SELECT email FROM users",
        "SELECT name AS email FROM users",
        "SELECT o.email FROM users u JOIN orders o ON o.user_id = u.id",
        "SELECT id /* email */ FROM users",
    ],
)
def test_no_uses_of_a_column(ask: Ask, statement: str) -> None:
    assert ask("drop-column users email", statement) == QueryUses((), 1)


def test_uses_of_what_goes_with_it(ask: Ask) -> None:
    use = one(ask("drop-table users", "SELECT email FROM emails"))
    assert use.uses == ("view:public.emails",)


def test_uses_of_functions_and_types(ask: Ask) -> None:
    assert one(ask("drop-function shout(text)", "SELECT shout(name) FROM users")).uses == (
        'function:public."shout(text)"',
    )
    assert one(ask("drop-type mood", "SELECT $1::mood")).uses == ("type:public.mood",)
    assert ask("drop-function shout(text)", "SELECT 'shout'").statements == ()


def test_place_and_writing(ask: Ask) -> None:
    use = one(ask("drop-column users email", "UPDATE users\n   SET name = '', email = NULL"))
    assert (use.line, use.column, use.writes, use.certainty) == (2, 19, True, "certain")
    assert not one(ask("drop-column users email", "SELECT email FROM users")).writes


def test_a_name_that_several_schemas_have_is_likely_only(ask: Ask) -> None:
    assert one(ask("drop-table orders", "SELECT id FROM orders")).certainty == "likely"
    assert one(ask("drop-table orders", "SELECT id FROM public.orders")).certainty == "certain"
    assert ask("drop-table orders", "SELECT id FROM sales.orders").statements == ()


def test_a_name_outside_the_search_path_is_possible(ask: Ask) -> None:
    assert one(ask("drop-table sales.invoices", "SELECT 1 FROM invoices")).certainty == "possible"


def test_what_cannot_be_read_is_said(ask: Ask) -> None:
    found = ask("drop-column users email", "SELECT email FROM users WHERE id = :id AND", "SELECT nothing of it FROM")
    assert found.statements == ()
    (reason,) = found.incomplete_because
    assert reason.startswith("statements that hold a name of it could not be read: 1 (")


def test_statements_do_not_name_indexes(ask: Ask) -> None:
    found = ask("drop-index users_name", "SELECT name FROM users WHERE name = ''")
    assert found.incomplete_because == (
        "no statement names an object of its kind (index): which of them rely on it is not known",
    )


def test_a_file_of_statements(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("-- first\nSELECT 1;\n\nSELECT\n 2;;\n")
    found = statements_of_file(str(file))
    assert [(each.text, each.origin) for each in found.statements] == [
        ("SELECT 1", f"{file}:2"),
        ("SELECT\n 2", f"{file}:4"),
    ]


def test_the_command_line(pg: TestServer, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE users (id int, email text)")
    file = tmp_path / "q.sql"
    file.write_text("SELECT email FROM users;\nSELECT id FROM users;\n")
    arguments = ["impact", "drop-column", "users", "email", "--db", dsn]
    assert main(arguments) == 0
    assert main([*arguments, "--queries", str(file)]) == 1
    assert b"Used by 1 statement of 2 looked at" in capsysbinary.readouterr().out
    picture = tmp_path / "out.svg"
    assert main([*arguments, "--format", "svg", "-o", str(picture)]) == 0
    assert picture.read_text().startswith("<?xml")
    assert main([*arguments, "--format", "svgg"]) == 2
    assert b"there is no output format 'svgg'" in capsysbinary.readouterr().err
    assert main([*arguments, "--queries", str(tmp_path / "none.sql")]) == 2
