"""Schemas as large as they come: others are not delayed, the reader does not wait, and the answers are right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo

from dflint.app.effects import predict
from dflint.catalog.snapshot_file import dump, load
from dflint.model.catalog import Catalog, View
from dflint.model.names import Name
from tests.catalog.live import execute, read, table
from tests.servers import TestServer

#: Tables, and a view for every second one; in transactions of 100, for the sake of their locks.
MANY = """
create procedure make(tables int) language plpgsql as $$
begin
  for n in 0 .. tables - 1 loop
    execute format('create table t%1$s (a int primary key, b text check (b <> ''''), c int)', n);
    execute format('create index on t%1$s ((c + 1))', n);
    if n % 2 = 0 then
      execute format('create view v%1$s as select a, b from t%1$s', n);
    end if;
    if n % 100 = 0 then commit; end if;
  end loop;
end $$;
"""
OTHERS = """
create table lone (a int);
create table held (a int check (a > 0));
create view held_view as select a from held;
"""
HELD = {
    "the CHECK constraints of public.held are not known: it is locked",
    "the query of view public.held_view is not known: a table is locked",
}
CHANGED = "the schema changed while it was read"


@contextmanager
def held(dsn: str) -> Iterator[None]:
    with closing(psycopg.connect(dsn)) as connection:
        connection.execute("lock table held in access exclusive mode")
        yield


def read_at_work(dsn: str, tables: int) -> tuple[Catalog, dict[str, Any]]:
    """The catalog, read while others alter and build, and what they say of it."""
    # In a process of its own: this one is busy making objects.
    command = [sys.executable, "-m", "tests.catalog.ddl_at_work", dsn, str(tables)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        catalog = read(make_conninfo(dsn, application_name="reader"))
        return catalog, json.loads(process.communicate("stop\n")[0])


@pytest.mark.majors("ends")
@pytest.mark.parametrize("tables", [300, pytest.param(10_000, marks=pytest.mark.exhaustive)])
def test_reading_while_others_work(pg: TestServer, tables: int) -> None:
    """Tables, half as many views; alterations, concurrent index builds, and somebody who holds ACCESS EXCLUSIVE."""
    dsn = pg.new_database()
    execute(dsn, MANY)
    execute(dsn, f"call make({tables})")
    execute(dsn, OTHERS)
    with held(dsn):
        delays: list[float] = []
        for _ in range(3):
            catalog, found = read_at_work(dsn, tables)
            assert {*catalog.incomplete} == {*HELD, CHANGED}
            assert found["alterations"] > 10
            assert found["builds"] > 2
            assert found["longest_wait_of_the_reader"] < 1
            delay = found["longest_wait_for_the_reader"]
            delays.append(delay)
            print(f"the longest wait for the reader took {delay * 1000:.0f} ms, for {found['waited_for'][:200]}")
            # A wait that the reader is to blame for comes again. On a busy machine any may last long for once.
            if delay < 0.1:
                break
        assert min(delays) < 0.1
        catalog = read(dsn)
        assert {*catalog.incomplete} == HELD
    whole = read(dsn)
    assert whole.incomplete == ()
    assert sum(isinstance(each, View) for each in whole.relations.values()) == tables // 2 + 1
    # What is not locked was read as well as without the lock.
    other = {name for name in whole.relations if not name.name.startswith("held")}
    assert all(catalog.relations[name] == whole.relations[name] for name in other)


def _make_partitions(dsn: str, branches: int, leaves: int) -> None:
    execute(dsn, "create table p (a int primary key, b text default 'x') partition by range (a)")
    for branch in range(branches):
        first = branch * leaves
        execute(
            dsn,
            f"create table p_{branch} partition of p for values from ({first}) to ({first + leaves})"
            " partition by range (a)",
        )
        for start in range(first, first + leaves, 200):
            ends = range(start, min(start + 200, first + leaves))
            leaf = "create table leaf_{0} partition of p_{1} for values from ({0}) to ({2})"
            execute(dsn, ";".join(leaf.format(n, branch, n + 1) for n in ends))


@pytest.mark.majors("ends")
@pytest.mark.parametrize("branches", [1, pytest.param(12, marks=pytest.mark.exhaustive)])
def test_a_large_partition_tree(pg: TestServer, branches: int) -> None:
    """1,000 leaves a branch: read, kept in a file, and what a change of the root locks."""
    dsn = pg.new_database()
    _make_partitions(dsn, branches, 1_000)
    catalog = read(dsn)
    assert catalog.incomplete == ()
    assert len(catalog.children_of[Name("public", "p")]) == branches
    assert len(catalog.children_of[Name("public", "p_0")]) == 1_000
    assert len(catalog.children_of[Name("public", "p_0_pkey")]) == 1_000
    bound = table(catalog, "leaf_7").bound
    assert bound is not None
    assert [part.value for part in (*bound.lower, *bound.upper) if part is not None] == ["7", "8"]
    # Nobody has counted the rows of any leaf.
    assert table(catalog, "p").rows is None
    assert load(*dump(catalog)) == replace(catalog, basis="snapshot")

    statement = "alter table p add column c int"
    (effects,) = predict(statement, catalog, version=pg.major)
    assert effects.unknown == ()
    assert effects.lock_count == len(effects.locks) == 1 + branches * 1_001
    assert effects.locks == _locks(dsn, statement)


def _locks(dsn: str, statement: str) -> dict[str, str]:
    """What the statement really locks, of what was there before."""
    with closing(psycopg.connect(dsn)) as connection:
        connection.execute(statement.encode())
        rows = connection.execute(
            """
            select distinct 'table:public.' || c.relname, 'ACCESS EXCLUSIVE'
            from pg_locks l join pg_class c on c.oid = l.relation
            where l.pid = pg_backend_pid() and l.mode = 'AccessExclusiveLock' and c.oid >= 16384 and c.relkind in ('r', 'p')
            """
        ).fetchall()
        return dict(rows)
