"""What renames and moves do to texts: cases that the judge over random schemas has found, or rarely meets."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from dflint.app.impact import ImpactAnalysis, requested, single_operation
from dflint.app.snapshot import read_live
from tests.servers import TestServer

pytestmark = pytest.mark.majors("newest")

SCHEMA = """
CREATE SCHEMA other;
CREATE TABLE t (id int CONSTRAINT own UNIQUE, a int, b int);
CREATE TABLE u (id int, c int);
CREATE TABLE "say ""x"" hi" (id int);
CREATE TYPE mood AS ENUM ('good');
CREATE SEQUENCE numbers;
CREATE VIEW seen AS SELECT 1 AS one;
CREATE FUNCTION bare() RETURNS bigint LANGUAGE sql AS 'SELECT count(c) FROM t, u';
CREATE FUNCTION outer_column() RETURNS bigint LANGUAGE sql AS
  'SELECT count(*) FROM u WHERE EXISTS (SELECT FROM t WHERE a > c)';
CREATE FUNCTION conflict() RETURNS void LANGUAGE sql AS
  'INSERT INTO t SELECT WHERE false ON CONFLICT ON CONSTRAINT own DO NOTHING';
CREATE FUNCTION quoted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM "say ""x"" hi"';
CREATE FUNCTION next() RETURNS bigint LANGUAGE sql AS $$SELECT nextval('public.numbers')$$;
CREATE FUNCTION feels() RETURNS text LANGUAGE plpgsql AS 'DECLARE m public.mood; BEGIN RETURN m; END';
CREATE FUNCTION feels(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION asks() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN feels(); END';
CREATE FUNCTION asks_other() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN feels('x'); END$$;
CREATE FUNCTION row_only() RETURNS int LANGUAGE plpgsql AS 'DECLARE s seen%ROWTYPE; BEGIN RETURN s.one; END';
CREATE FUNCTION dynamic() RETURNS int LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DROP TABLE ' || $1; RETURN 1; END$$;
CREATE FUNCTION calls_dynamic() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN dynamic(); END';
CREATE FUNCTION names() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t';
CREATE FUNCTION with_path() RETURNS bigint LANGUAGE sql SET search_path = public, other AS 'SELECT names()';
CREATE VIEW calls AS SELECT feels() AS called;
CREATE MATERIALIZED VIEW kept AS SELECT feels() AS called;
CREATE VIEW reads_kept AS SELECT called FROM kept;
"""


@pytest.fixture(scope="module")
def analyses() -> dict[str, ImpactAnalysis]:
    return {}


@pytest.fixture
def analysis(pg: TestServer, analyses: dict[str, ImpactAnalysis]) -> ImpactAnalysis:
    if "made" not in analyses:
        dsn = pg.new_database()
        with psycopg.connect(dsn) as connection:
            connection.execute("SET check_function_bodies = off")
            connection.execute(SCHEMA.replace("|| $1", "|| current_user"))
        analyses["made"] = ImpactAnalysis(asyncio.run(read_live(dsn)))
    return analyses["made"]


def effects(analysis: ImpactAnalysis, change: str) -> dict[str, str]:
    """Names of dependents without kind and schema -> their effect, as far as it is none that everything has."""
    command, *words = change.split()
    found = analysis.of(requested(command, tuple(words)))
    return {
        each.identity.partition(".")[2].strip('"').removesuffix("()"): each.effect
        for each in found.dependents
        if each.effect != "follows" and "dynamic" not in each.identity
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("rename-column t a z", {"outer_column": "breaks_later"}),
        # Two columns of one name.
        ("rename-column t a c", {"bare": "breaks_later", "outer_column": "breaks_later"}),
        ("rename-column t b x", {}),
        ("rename-constraint t own mine", {"conflict": "breaks_later"}),
        ("rename-index own mine", {"conflict": "breaks_later"}),
        ("rename-sequence numbers n", {"next": "breaks_later"}),
        ("rename-view seen s", {"row_only": "breaks_later"}),
        (
            "rename-type mood m",
            dict.fromkeys(("feels", "asks", "calls", "kept"), "breaks_later"),
        ),
        ("rename-function feels() f", {"asks": "breaks_later"}),
        ("rename-function feels(text) f", {"asks_other": "breaks_later"}),
        ("set-function-schema feels() other", {"asks": "breaks_later"}),
        ("set-type-schema mood other", dict.fromkeys(("feels", "asks", "calls", "kept"), "breaks_later")),
        (
            "set-schema t other",
            {
                **dict.fromkeys(("bare", "outer_column", "conflict", "names"), "breaks_later"),
                # What it calls runs with its own search_path, and finds the table.
                "with_path": "unknown",
            },
        ),
    ],
)
def test_renames_and_moves(analysis: ImpactAnalysis, change: str, expected: dict[str, str]) -> None:
    assert effects(analysis, change) == expected


def test_names_with_quotes_are_found(analysis: ImpactAnalysis) -> None:
    operation = single_operation('ALTER TABLE "say ""x"" hi" RENAME TO hi')
    assert operation is not None
    found = {each.identity: each.effect for each in analysis.of(operation).dependents}
    assert found['function:public."quoted()"'] == "breaks_later"


def test_what_calls_something_unknown_is_unknown(analysis: ImpactAnalysis) -> None:
    found = {each.identity: each.effect for each in analysis.of(requested("rename-table", ("u", "v"))).dependents}
    assert found['function:public."dynamic()"'] == "unknown"
    assert found['function:public."calls_dynamic()"'] == "unknown"
