"""What the user's own routines do when a migration calls them."""

from __future__ import annotations

import pytest

from dflint.catalog.comparing import differences
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog, Table
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from tests.catalog.live import execute, read
from tests.history.test_fold import NoKnowledge
from tests.history.test_guards import EMPTY
from tests.servers import TestServer


def replayed(text: str) -> Catalog:
    content, parser = text.encode(), Parser(load_library())
    fold = Fold(runner=Runner("psql"), version=18, knowledge=NoKnowledge(), catalog=EMPTY, library=parser.library)
    section = Section("up", Span(0, len(content)))
    for _ in fold.file(content, [section], parser.parse(content, [section])):
        pass
    return fold.catalog


HELPERS = """
CREATE TABLE t (a int, b text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION watch(_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER touched BEFORE UPDATE ON %s FOR EACH ROW
                  WHEN (OLD IS DISTINCT FROM NEW) EXECUTE PROCEDURE touch()', _table);
END $$;
CREATE FUNCTION add_constraint(t_name text, c_name text, definition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.table_constraints
                 WHERE table_schema = 'public' AND table_name = t_name AND constraint_name = c_name) THEN
    EXECUTE definition;
  END IF;
END $$;
CREATE FUNCTION twice(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM watch('t');
  EXECUTE 'CREATE TABLE ' || quote_ident(name) || ' ()';
END $$;
CREATE PROCEDURE clean() LANGUAGE sql AS 'DROP TABLE t';
CREATE FUNCTION written(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  name := name || '_x';
  EXECUTE format('CREATE TABLE %I ()', name);
END $$;
"""


@pytest.mark.majors("newest")
@pytest.mark.parametrize(
    "calls",
    [
        "SELECT watch('t');",
        "SELECT watch('public.t'::regclass);",
        "SELECT add_constraint('t', 'positive', 'ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)');" * 2,
        "SELECT twice('A new one');",
        "CALL clean();",
        "DO $$ BEGIN PERFORM twice('inner'); END $$;",
        "SELECT upper('t'), watch('t');",
    ],
)
def test_calls_with_constants_are_followed(calls: str, pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, HELPERS)
    execute(dsn, calls)
    after = replayed(HELPERS + calls)
    assert after.incomplete == ()
    assert differences(after, read(dsn)) == []


@pytest.mark.parametrize(
    ("call", "who"),
    [
        ("SELECT watch(b::regclass) FROM t;", "function public.watch"),
        ("SELECT written('n');", "function public.written"),
        ("SELECT add_constraint('t', 'c', b) FROM t;", "function public.add_constraint"),
    ],
)
def test_what_is_not_constant_is_doubted_by_name(call: str, who: str) -> None:
    after = replayed(HELPERS + call)
    assert after.incomplete == (f"{who} was called, and what it did is not known",)
    assert isinstance(after.relation(Name("public", "t")), Table)


def test_a_routine_that_changes_no_schema_is_no_doubt() -> None:
    harmless = (
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN x + 1; END'; SELECT f(1), f(a) FROM t;"
    )
    assert replayed(HELPERS + harmless + "SELECT touch(); SELECT now();").incomplete == ()
