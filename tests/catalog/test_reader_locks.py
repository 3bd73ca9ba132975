"""Reading while others work: the reader waits for nobody, delays nobody, and notices what changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from dflint.catalog.reader import reading
from dflint.catalog.reader.fetching import Rows, read_rows
from dflint.catalog.reader.session import ReaderSession
from dflint.model.catalog import View
from dflint.model.names import Name
from tests.catalog.live import execute, index, read, relation, table
from tests.servers import TestServer

SCHEMA = """
create table t (a int check (a > 0), b int generated always as (a + 1) stored);
create table other (a int check (a > 1));
create index t_e on t ((a + 1)) where a > 2;
create index other_e on other ((a + 1));
create view v as select a from t;
create view w as select a from other;
create table p (a int) partition by range ((a + 1));
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger tr before update on t for each row when (new.a > 1) execute function f();
create policy pol on t using (a > 1);
"""


@contextmanager
def held(dsn: str, lock: str) -> Iterator[psycopg.Connection[object]]:
    with closing(psycopg.connect(dsn)) as connection:
        connection.execute(lock.encode())
        yield connection


@pytest.mark.majors("all")
def test_what_is_locked_is_named_and_not_waited_for(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    whole = read(dsn)
    with held(dsn, "lock table t in access exclusive mode"):
        began = time.monotonic()
        catalog = read(dsn)
        assert time.monotonic() - began < 2
    assert sorted(catalog.incomplete) == [
        "the CHECK constraints of public.t are not known: it is locked",
        "the conditions of triggers of public.t are not known: it is locked",
        "the generated columns of public.t are not known: it is locked",
        "the index expressions of public.t are not known: it is locked",
        "the policies of public.t are not known: it is locked",
        "the query of view public.v is not known: a table is locked",
    ]
    # What needs no lock is there, and so is everything about the others.
    assert [column.name for column in table(catalog, "t").columns] == ["a", "b"]
    view = relation(catalog, "v")
    assert isinstance(view, View)
    assert view.query.reads == (Name("public", "t"),)
    for name in ("other", "w", "other_e", "p"):
        assert relation(catalog, name) == relation(whole, name)
    assert index(catalog, "t_e").where != index(whole, "t_e").where


def test_a_lock_that_comes_in_between_is_not_waited_for(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of locked relations is old when the server prints: then the lock's timeout decides."""
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    fetch = ReaderSession.fetch

    async def blind(self: ReaderSession, query: object, *args: object, **options: object) -> list[tuple[object, ...]]:
        if "pg_locks" in str(query):
            return []
        return await fetch(self, query, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ReaderSession, "fetch", blind)
    with held(dsn, "lock table t in access exclusive mode"):
        began = time.monotonic()
        catalog = read(dsn)
        assert time.monotonic() - began < 2
    assert "the query of view public.v is not known: a table is locked" in catalog.incomplete
    assert table(catalog, "other").constraints[0].expression is not None


def test_a_view_that_takes_long_to_print_is_not_called_locked(pg: TestServer) -> None:
    dsn = pg.new_database()
    joined = " ".join(f"cross join t as t{number}" for number in range(1200))
    execute(dsn, f"create table t (a int); create view v as select t.a from t {joined}")
    catalog = read(dsn)
    (reason,) = catalog.incomplete
    assert reason.startswith("the query of view public.v is not known: printing it takes too long")
    view = relation(catalog, "v")
    assert isinstance(view, View)
    assert view.query.reads == (Name("public", "t"),)


def test_a_change_during_the_read_is_read_again(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    once, changes = read_rows, iter(["alter table t rename a to renamed"])

    async def disturbed(*given: Any) -> Rows:
        rows = await once(*given)
        for change in changes:
            execute(dsn, change)
        return rows

    monkeypatch.setattr(reading, "read_rows", disturbed)
    catalog = read(dsn)
    assert catalog.incomplete == ()
    assert [column.name for column in table(catalog, "t").columns] == ["renamed", "b"]


CHANGES = (
    "drop policy pol on t",
    "drop trigger tr on t",
    "alter table t alter a set statistics 7",
    "alter function f() volatile",
    "comment on table t is 'new'; drop view v",
    "create type e as enum ('a')",
    "create or replace view w as select a, 1 as b from other",
    "alter table other rename constraint other_a_check to c",
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("busy", [False, True])
def test_every_change_is_noticed(pg: TestServer, change: str, *, busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while a transaction runs that began before the reading."""
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    execute(dsn, "create table work (a int)")
    once, rounds = read_rows, [0]

    async def disturbed(*given: Any) -> Rows:
        rounds[0] += 1
        rows = await once(*given)
        if rounds[0] == 1:
            execute(dsn, change)
        return rows

    monkeypatch.setattr(reading, "read_rows", disturbed)
    with closing(psycopg.connect(dsn)) as worker:
        if busy:
            worker.execute("insert into work values (1)")
        read(dsn)
    assert rounds == [2]


def test_other_work_is_no_change(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come and go, temporary tables, ANALYZE: the schema is the same."""
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    execute(dsn, "create table work (a int)")
    once, rounds = read_rows, [0]
    with closing(psycopg.connect(dsn, autocommit=True)) as worker:

        async def disturbed(*given: Any) -> Rows:
            rounds[0] += 1
            rows = await once(*given)
            worker.execute("insert into work select generate_series(1, 100)")
            worker.execute("create temporary table passing (a int primary key check (a > 0))")
            worker.execute("analyze work")
            return rows

        monkeypatch.setattr(reading, "read_rows", disturbed)
        assert read(dsn).incomplete == ()
    assert rounds == [1]


def test_a_schema_that_never_rests_is_incomplete(pg: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    once = read_rows

    async def disturbed(*given: Any) -> Rows:
        rows = await once(*given)
        execute(dsn, "alter table t add column x int; alter table t drop column x")
        return rows

    monkeypatch.setattr(reading, "read_rows", disturbed)
    assert read(dsn).incomplete == ("the schema changed while it was read",)


def test_reading_can_be_cancelled(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)

    async def cancelling() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            task = asyncio.create_task(reading.read_catalog(connection))
            await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelling())
    assert read(dsn).incomplete == ()
