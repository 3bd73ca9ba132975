"""Conditions of DO blocks, answered by the catalog; a server says what the answers must be."""

from __future__ import annotations

import psycopg
import pytest
from immutables import Map

from dflint.catalog.comparing import differences
from dflint.history.fold import Fold
from dflint.model.catalog import UNKNOWN, Catalog, Table
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from tests.catalog.live import execute, read
from tests.history.test_fold import NoKnowledge
from tests.servers import TestServer

#: An empty database of which everything is known.
EMPTY = Catalog(basis="replay", closed=True, schemas=Map({"public": True}))
SETUP = """
CREATE SCHEMA s;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL DEFAULT 'a', score numeric(5, 2), tags text[]);
ALTER TABLE t ADD CONSTRAINT t_name_check CHECK (name <> '') NOT VALID;
CREATE TABLE s.child (id bigint GENERATED ALWAYS AS IDENTITY, t int CONSTRAINT child_t REFERENCES t, feeling mood);
CREATE INDEX t_name ON t (name);
CREATE VIEW v AS SELECT id FROM t;
CREATE SEQUENCE numbers;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY mine ON t USING (true);
CREATE PUBLICATION news FOR TABLE t;
"""

#: Conditions of which the answer is known when everything is.
CONDITIONS = [
    "EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood')",
    "NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'temper')",
    "EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE typname = 'mood' AND nspname = 's')",
    "EXISTS (SELECT 1 FROM pg_type WHERE typname IN ('mood', 'temper') AND typtype = 'e')",
    "EXISTS (SELECT 1 FROM pg_enum e JOIN pg_type t ON e.enumtypid = t.oid WHERE t.typname = 'mood' AND enumlabel = 'ok')",
    "EXISTS (SELECT 1 FROM pg_enum WHERE enumlabel = 'great' AND enumtypid = 'mood'::regtype)",
    "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'child_t')",
    "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'child_t' AND conrelid = 't'::regclass)",
    "EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 's.child'::regclass AND contype = 'f' AND confrelid = 't'::regclass)",
    "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 't_name_check' AND NOT convalidated)",
    "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'above_zero' AND conrelid = 0)",
    "(SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p') = 0",
    "EXISTS (SELECT 1 FROM pg_class WHERE relname = 'numbers' AND relkind = 'S')",
    "EXISTS (SELECT 1 FROM pg_class c, pg_namespace n WHERE c.relnamespace = n.oid AND relname = 'child' AND nspname = 'public')",
    "EXISTS (SELECT 1 FROM pg_class WHERE oid = 't'::regclass AND relkind = ANY (ARRAY['r', 'p']))",
    "EXISTS (SELECT 1 FROM pg_indexes WHERE schemaname = 'public' AND indexname = 't_name')",
    "EXISTS (SELECT 1 FROM pg_indexes WHERE tablename = 't' AND indexname LIKE 't\\_n%')",
    "EXISTS (SELECT 1 FROM pg_index WHERE indrelid = 't'::regclass AND indisprimary)",
    "EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'name' AND NOT attisdropped)",
    "EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'nothing' AND attnum > 0)",
    "EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'score' AND attnotnull)",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'name')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 's' AND table_name = 't' AND column_name = 'id')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'name' AND is_nullable = 'NO')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'id' AND data_type = 'integer')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 'child' AND column_name = 'id' AND udt_name = 'int4')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'tags' AND data_type = 'ARRAY')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'id' AND column_default IS NULL)",
    "EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'v')",
    "EXISTS (SELECT 1 FROM information_schema.tables WHERE table_name = 'v' AND table_type = 'BASE TABLE')",
    "EXISTS (SELECT 1 FROM information_schema.table_constraints WHERE constraint_name = 'child_t' AND table_name = 'child')",
    "EXISTS (SELECT 1 FROM information_schema.table_constraints WHERE table_name = 't' AND constraint_type = 'FOREIGN KEY')",
    "EXISTS (SELECT 1 FROM information_schema.constraint_column_usage WHERE table_name = 't' AND constraint_name = 'child_t')",
    "EXISTS (SELECT 1 FROM information_schema.key_column_usage WHERE table_name = 'child' AND column_name = 't')",
    "EXISTS (SELECT 1 FROM information_schema.triggers WHERE event_object_table = 't' AND trigger_name = 'touched')",
    "EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name = 's')",
    "EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'touched' AND tgrelid = 't'::regclass AND NOT tgisinternal)",
    "EXISTS (SELECT 1 FROM pg_policies WHERE tablename = 't' AND policyname = 'yours')",
    "EXISTS (SELECT 1 FROM pg_proc p JOIN pg_namespace n ON p.pronamespace = n.oid WHERE proname = 'touch' AND nspname = 'public')",
    "EXISTS (SELECT 1 FROM pg_publication WHERE pubname = 'news')",
    "EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citext')",
    "EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'plpgsql')",
    "EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'public')",
    "EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tablename = 'v')",
    "EXISTS (SELECT 1 FROM pg_views WHERE viewname = 'v')",
    "to_regclass('public.t') IS NOT NULL",
    "to_regclass('child') IS NULL",
    "(SELECT to_regclass('s.child')) IS NOT NULL",
    "to_regclass('t') IS NULL OR EXISTS (SELECT 1 FROM pg_class WHERE relname = 'none')",
    "EXISTS (SELECT 1 FROM pg_class WHERE relname = lower('T')) AND NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'tt')",
]

#: Conditions that a catalog cannot answer.
UNKNOWN_CONDITIONS = [
    "EXISTS (SELECT 1 FROM t)",
    "EXISTS (SELECT 1 FROM pg_class c JOIN t ON t.name = c.relname WHERE c.relname = 't')",
    "EXISTS (SELECT 1 FROM pg_stat_activity)",
    "EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'now')",
    "EXISTS (SELECT 1 FROM pg_class WHERE relname = 'pg_class')",
    "EXISTS (SELECT 1 FROM information_schema.columns WHERE column_name = 'nothing')",
    "EXISTS (SELECT 1 FROM pg_type WHERE typname = 'int4')",
    "EXISTS (SELECT 1 FROM pg_class LEFT JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 't')",
    "EXISTS (SELECT count(*) FROM pg_class WHERE relname = 'none')",
    "EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'somebody')",
    "current_user = 'somebody'",
]


def fold(text: str, catalog: Catalog = EMPTY, *, from_the_start: bool = False) -> Fold:
    found = Fold(
        runner=Runner("psql"), version=18, knowledge=NoKnowledge(), catalog=catalog, from_the_start=from_the_start
    )
    content = text.encode()
    section = Section("up", Span(0, len(content)))
    for _ in found.file(content, [section], Parser(load_library()).parse(content, [section])):
        pass
    return found


def answer(
    condition: str, setup: str = SETUP, catalog: Catalog = EMPTY, *, from_the_start: bool = False
) -> bool | None:
    """Whether the branch is known to run."""
    block = (
        f"DO $$ BEGIN IF {condition} THEN CREATE TABLE met (a int); ELSE CREATE TABLE unmet (a int); END IF; END $$;"
    )
    after = fold(setup + block, catalog, from_the_start=from_the_start).catalog
    met, unmet = [isinstance(after.relation(Name("public", name)), Table) for name in ("met", "unmet")]
    assert not (met and unmet)
    return True if met else False if unmet else None


@pytest.mark.majors("ends")
def test_known_answers_are_the_servers(pg: TestServer) -> None:
    with psycopg.connect(pg.new_database(), autocommit=True) as connection:
        connection.execute(SETUP.encode())
        for condition in CONDITIONS:
            row = connection.execute(f"SELECT {condition}".encode()).fetchone()
            assert row is not None
            assert answer(condition) is row[0], condition


@pytest.mark.parametrize("condition", UNKNOWN_CONDITIONS)
def test_what_no_catalog_can_answer(condition: str) -> None:
    assert answer(condition) is None
    assert answer(f"NOT ({condition})") is None
    assert answer(f"{condition} AND false") is False
    assert answer(f"{condition} OR true") is True


@pytest.mark.parametrize("condition", [*CONDITIONS, *UNKNOWN_CONDITIONS])
def test_learning_a_fact_never_flips_an_answer(condition: str) -> None:
    everything = answer(condition)
    unknown = Catalog.unknown()
    for setup in ("", SETUP, SETUP + "DROP TABLE s.child; DROP TYPE mood;"):
        open_answer = answer(condition, setup, unknown)
        if setup == SETUP and open_answer is not None:
            assert open_answer is everything
        closed_answer = answer(condition, setup)
        assert open_answer is None or open_answer is closed_answer, setup


def test_what_an_open_catalog_knows_to_be_absent() -> None:
    unknown = Catalog.unknown()
    missing = "EXISTS (SELECT 1 FROM pg_class WHERE relname = 'gone' AND relnamespace = 'public'::regnamespace)"
    assert answer(missing, "", unknown) is None
    assert answer(missing, "DROP TABLE gone;", unknown) is False
    column = "EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 't' AND column_name = 'b')"
    assert answer(column, "ALTER TABLE t ADD COLUMN a int;", unknown) is None
    assert answer(column, "CREATE TABLE t (a int);", unknown) is False
    assert answer(column, "CREATE TABLE t (b int);", unknown) is True


def test_a_history_from_the_start_shows_all_but_what_is_doubtful() -> None:
    unknown = Catalog.unknown()
    missing = "EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'c')"
    assert answer(missing, "", unknown, from_the_start=True) is False
    doubtful = """
    CREATE TABLE t (a int);
    DO $$ BEGIN IF EXISTS (SELECT 1 FROM t) THEN ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); END IF; END $$;
    """
    assert answer(missing, doubtful, unknown, from_the_start=True) is None
    assert answer(missing.replace("'c'", "'d'"), doubtful, unknown, from_the_start=True) is False
    anything = "DO $$ BEGIN EXECUTE (SELECT text FROM orders); END $$;"
    assert answer(missing, anything, unknown, from_the_start=True) is None
    extension = "CREATE EXTENSION citext;"
    assert answer("EXISTS (SELECT 1 FROM pg_type WHERE typname = 'citext')", extension, from_the_start=True) is None
    assert answer("to_regclass('public.t') IS NULL", extension, from_the_start=True) is True


#: Blocks whose every branch is known: replayed, they give the server's catalog.
BLOCKS = [
    """IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'kind') THEN
         CREATE TYPE kind AS ENUM ('a'); CREATE TABLE kinds (k kind);
       END IF;""",
    "IF to_regclass('t') IS NULL THEN CREATE TABLE none (); ELSIF to_regclass('v') IS NULL THEN DROP TABLE t CASCADE; ELSE DROP VIEW v; END IF;",
    "IF EXISTS (SELECT 1 FROM pg_class WHERE relname = 't') THEN RETURN; END IF; DROP TABLE t CASCADE;",
    "IF to_regclass('none') IS NOT NULL THEN RETURN; END IF; ALTER TABLE t DROP COLUMN score;",
    """IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name = 't' AND column_name = 'score') THEN
         ALTER TABLE t RENAME COLUMN score TO points;
       ELSE
         ALTER TABLE t DROP COLUMN tags;
       END IF;""",
    "FOR i IN 1..3 LOOP EXECUTE format('CREATE TABLE part_%s (a int CHECK (a > %s))', i, i - 1); END LOOP;",
    """FOREACH name IN ARRAY ARRAY['t', 's.child']::text[] LOOP
         IF to_regclass(name) IS NOT NULL THEN EXECUTE 'ALTER TABLE ' || name || ' ADD COLUMN more int'; END IF;
       END LOOP;""",
    "EXECUTE format('CREATE TABLE %I (a int)', prefix || '_x');",
    """BEGIN
         CREATE TYPE mood AS ENUM ('never');
       EXCEPTION WHEN duplicate_object THEN NULL;
       END;""",
]


@pytest.mark.majors("newest")
@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_leave_what_they_leave_on_the_server(block: str, pg: TestServer) -> None:
    text = f"{SETUP}DO $body$ DECLARE name text; prefix CONSTANT text := 'made'; BEGIN {block} END $body$;"
    after = fold(text).catalog
    dsn = pg.new_database()
    execute(dsn, text)
    live = read(dsn)
    assert after.incomplete == ()
    assert differences(after, live) == []


def test_operations_that_certainly_run_are_not_conditional() -> None:
    text = b"DO $$ BEGIN IF to_regclass('t') IS NULL THEN CREATE TABLE t (); ELSE DROP TABLE t; END IF; END $$;"
    section = Section("up", Span(0, len(text)))
    for catalog, from_the_start, kinds in (
        (EMPTY, False, {"create_table": False}),
        (Catalog.unknown(), False, {"create_table": True, "drop_table": True}),
        # A history shows what it made; what does not run there may run elsewhere.
        (Catalog.unknown(), True, {"create_table": False, "drop_table": True}),
    ):
        folded = Fold(
            runner=Runner("psql"), version=18, knowledge=NoKnowledge(), catalog=catalog, from_the_start=from_the_start
        )
        contexts = folded.file(text, [section], Parser(load_library()).parse(text, [section]))
        conditional = {context.operation.kind: context.operation.conditional for context in contexts}
        assert {kind: conditional[kind] for kind in conditional if kind.endswith("_table")} == kinds


def test_a_name_that_was_doubted_is_said() -> None:
    found = fold("CREATE TABLE t (a int); DO $$ BEGIN IF random() > 0.5 THEN ALTER TABLE t ADD b int; END IF; END $$;")
    assert "b" in found.doubted
    assert found.catalog.relation(Name("public", "t")) is not UNKNOWN


def test_what_a_loop_writes_itself_is_not_constant() -> None:
    body = "FOREACH name IN ARRAY ARRAY['a', 'b'] LOOP name := name || 'x'; EXECUTE format('CREATE TABLE %I ()', name); END LOOP;"
    after = fold(f"DO $$ DECLARE name text; BEGIN {body} END $$;").catalog
    assert after.incomplete != ()
    assert not after.relations
