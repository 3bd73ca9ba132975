"""``dflint trace FILE…``: migration files on a scratch server, or on one that was given."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import psycopg
import pytest

from dflint.model.trace import Trace, TracedStatement
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.trace.schema_load import load_schema
from tests.cli.running import ROOT
from tests.servers import TestServer
from tests.trace.recording import groups, trace


def traced(cwd: Path, *arguments: str, status: int = 0) -> Trace:
    ran, found = trace(cwd, *arguments)
    assert ran.status == status, ran.stderr
    assert found is not None
    return found


def only(found: Trace) -> TracedStatement:
    (statement,) = [each for t in found.transactions for each in t.statements if each.role == "migration"]
    return statement


def test_the_bundled_examples(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    ran, found = trace(tmp_path, "examples")
    assert ran.status == 0, ran.stderr
    assert found is not None
    assert len(found.files) == 30
    assert found.remarks == ("examples/shop/seed.sql: not run: no runner's migration",)
    concurrently = [t for t in found.transactions if "CONCURRENTLY" in t.statements[0].sql]
    assert {t.kind for t in concurrently} == {"autocommit"}
    assert "└ committed" in ran.stdout
    assert "reads and writes wait" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_transactions_are_those_of_the_runner(tmp_path: Path) -> None:
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "1_a.sql").write_text("-- migrate:up\ncreate table a (i int); create table b (i int);\n-- migrate:down\n")
    (folder / "2_b.sql").write_text(
        "-- migrate:up transaction:false\nalter table a add j int; alter table b add j int;\n-- migrate:down\n"
    )
    (folder / "3_c.sql").write_text(
        "-- migrate:up transaction:false\ncreate index concurrently on a (i);\n-- migrate:down\n"
    )
    found = traced(tmp_path, "db/migrations")
    assert groups(found.transactions) == [
        ("explicit", "committed", ["create table a", "create table b"]),
        ("implicit", "committed", ["alter table a", "alter table b"]),
        ("autocommit", "committed", ["create index concurrently"]),
    ]


def test_earlier_files_of_the_history_run_before(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("create table t (i int primary key);")
    (tmp_path / "2.sql").write_text("begin; alter table t alter i type bigint; rollback; drop table t;")
    found = traced(tmp_path, "2.sql")
    assert found.files == ("2.sql",)
    assert groups(found.transactions, verbose=True) == [
        ("explicit", "rolled_back", ["begin", "alter table t", "rollback"]),
        ("autocommit", "committed", ["drop table t"]),
    ]
    widened = found.transactions[0].statements[1]
    assert (widened.file, widened.line) == ("2.sql", 1)
    assert widened.rewrites == ("table:public.t",)
    assert widened.duration_ms is not None
    assert widened.wal_bytes is not None


SCHEMA = """
SET search_path = '';
\\restrict abc
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE TABLE public.parent (id int PRIMARY KEY, code varchar(5) NOT NULL UNIQUE, amount numeric(6,2) NOT NULL);
ALTER TABLE public.parent OWNER TO somebody;
CREATE TABLE public.child (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id int NOT NULL REFERENCES public.parent, self_id bigint REFERENCES public.child,
    mood public.mood NOT NULL, positive public.positive NOT NULL, tags text[] NOT NULL, span tstzrange NOT NULL,
    state text NOT NULL CHECK (state IN ('new', 'old')), uid uuid NOT NULL, doc jsonb NOT NULL, "odd %name" char(2)
);
CREATE TABLE public.seeded (id int PRIMARY KEY, t text);
COPY public.seeded (id, t) FROM stdin;
1\tone; -- not a comment
\\.
CREATE TABLE public.parted (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.parted_24 PARTITION OF public.parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.parted_25 PARTITION OF public.parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.numbered (id serial PRIMARY KEY);
CREATE TABLE public.negative (x int NOT NULL CHECK (x < 0));
CREATE EXTENSION no_such_extension;
"""


def test_a_schema_with_rows(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "m.sql").write_text("alter table child alter parent_id type bigint;")
    found = traced(tmp_path, "--schema", "schema.sql", "--rows", "500", "m.sql")
    assert found.rows == 500
    assert only(found).rewrites == ("table:public.child",)
    reason = 'new row for relation "negative" violates check constraint "negative_x_check"'
    assert found.remarks == (
        'schema.sql:23: extension "no_such_extension" is not available',
        f"public.negative could not be filled: {reason}",
    )


def test_rows_are_as_many_as_asked_for(tmp_path: Path, pg: TestServer) -> None:
    dsn = pg.new_database()
    assert len(asyncio.run(load_schema(dsn, "x", SCHEMA.encode(), Parser(load_library())))) == 1
    (tmp_path / "m.sql").write_text("select 1;")
    traced(tmp_path, "--db", dsn, "--expendable", "--rows", "300", "m.sql")
    with psycopg.connect(dsn) as connection:
        for table, rows in (
            ("parent", 300),
            ("child", 300),
            ("parted_24", 150),
            ("parted_25", 150),
            ("numbered", 300),
            ("seeded", 1),
        ):
            assert connection.execute(f"select count(*) from {table}".encode()).fetchone() == (rows,), table
        assert connection.execute("select count(distinct parent_id) from child").fetchone() == (300,)
        assert connection.execute("select array_agg(distinct state order by state) from child").fetchone() == (
            ["new", "old"],
        )


@pytest.mark.majors("ends")
def test_rows_on_the_oldest_and_the_newest(tmp_path: Path, pg: TestServer) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table p (id int primary key, r int4range, j json, ip inet, b bytea, t time)")
        connection.execute("create table c (p int references p, q int references p, primary key (p, q))")
        if pg.major >= 14:
            connection.execute("alter table p add m int4multirange not null")
    (tmp_path / "m.sql").write_text("alter table c alter p type bigint;")
    found = traced(tmp_path, "--db", dsn, "--expendable", "--rows", "100", "m.sql")
    assert found.remarks == ()
    assert only(found).rewrites == ("table:public.c",)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from c").fetchone() == (100,)


def test_a_database_that_holds_something_is_refused(tmp_path: Path, pg: TestServer) -> None:
    dsn = pg.new_database()
    (tmp_path / "m.sql").write_text("create table t (i int);")
    traced(tmp_path, "--db", dsn, "m.sql")
    ran, found = trace(tmp_path, "--db", dsn, "m.sql")
    assert ran.status == 2
    assert found is None
    assert "is not empty (public.t), and trace runs the migrations there" in ran.stderr
    traced(tmp_path, "--db", dsn, "--expendable", "m.sql", status=1)


def test_a_statement_that_fails_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "m.sql").write_text(
        "create table t (i int);\nbegin; insert into missing values (1); drop table t; commit;"
    )
    (tmp_path / "n.sql").write_text("drop table t;")
    ran, found = trace(tmp_path, "m.sql", "n.sql")
    assert ran.status == 1
    assert found is not None
    assert [(t.outcome, len(t.statements)) for t in found.transactions] == [("committed", 1), ("failed", 4)]
    failed, after, *_ = found.transactions[1].statements[1:]
    assert failed.error is not None
    assert failed.error.sqlstate == "42P01"
    assert after.not_observed == "not run: an earlier statement failed"
    assert found.remarks == ("transactions after the one that failed, which were not run: 1",)
    assert 'relation "missing" does not exist (42P01)' in ran.stdout


def test_a_history_beforehand(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "1.sql").write_text("create table t (i int);")
    (tmp_path / "new.sql").write_text("alter table t add j int default random();")
    found = traced(tmp_path, "--history", "old", "--rows", "10", "new.sql")
    assert only(found).rewrites == ("table:public.t",)
    (tmp_path / "old" / "2.sql").write_text("create table t (i int);")
    ran, _ = trace(tmp_path, "--history", "old", "new.sql")
    assert ran.status == 2
    assert 'old/2.sql:1: a migration that has to run beforehand fails: relation "t" already exists' in ran.stderr


def test_json(tmp_path: Path) -> None:
    (tmp_path / "m.sql").write_text("create table t (i int);")
    ran, _ = trace(tmp_path, "--format", "json", "m.sql")
    assert json.loads(ran.stdout)["transactions"][0]["statements"][0]["sql"] == "create table t (i int)"


def test_nothing_to_run(tmp_path: Path) -> None:
    ran, _ = trace(tmp_path, ".")
    assert ran.status == 2
    assert "no migrations in ." in ran.stderr
