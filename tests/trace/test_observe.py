"""The judge itself: on every major it must see what happens, and only that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from dflint.facts.probes import Probe
from dflint.model.errors import InputError
from dflint.model.observation import Observation
from dflint.postgres.connection import connect
from dflint.trace.observe import observe, observe_within, plan_sequentially
from dflint.trace.observe_probe import ProbeServer
from tests.servers import TestServer

pytestmark = pytest.mark.majors("all")

Sessions = tuple[psycopg.AsyncConnection[Any], psycopg.AsyncConnection[Any]]

SETUP = """
create table t(a int, b varchar(10), c int);
create index t_a on t(a);
create index t_lower on t(lower(b));
insert into t select g, g, g from generate_series(1, 200) g
"""


@asynccontextmanager
async def sessions(dsn: str, setup: str = SETUP) -> AsyncIterator[Sessions]:
    async with await connect(dsn, autocommit=True) as session:
        await session.execute(setup.encode())
    async with await connect(dsn, autocommit=True) as worker, await connect(dsn, autocommit=True) as observer:
        await plan_sequentially(worker)
        yield worker, observer


def seen(pg: TestServer, sql: str, setup: str = SETUP, **more: Any) -> Observation:
    async def run() -> Observation:
        async with sessions(pg.new_database(), setup) as (worker, observer):
            return await observe(worker, observer, sql, **more)

    return asyncio.run(run())


def test_a_rewrite(pg: TestServer) -> None:
    found = seen(pg, "alter table t alter a type bigint")
    assert found.locks == {
        "index:public.t_a": "ACCESS EXCLUSIVE",
        "index:public.t_lower": "ACCESS EXCLUSIVE",
        "table:public.t": "ACCESS EXCLUSIVE",
    }
    assert found.rewrites == found.scans == ("table:public.t",)
    assert found.index_rebuilds == ("index:public.t_a", "index:public.t_lower")
    assert (found.transaction, found.error) == ("allowed", None)
    assert found.wal_bytes > 0
    assert found.duration_ms > 0


def test_an_index_made_again_with_the_same_file_is_not_rebuilt(pg: TestServer) -> None:
    found = seen(pg, "alter table t alter b type varchar(20)", SETUP + "; create index t_b on t(b)")
    assert found.rewrites == ()
    assert found.index_rebuilds == ("index:public.t_lower",)
    assert found.scans == ("table:public.t",)


def test_catalogs_toast_and_new_relations_are_left_out(pg: TestServer) -> None:
    found = seen(pg, "create table u as select * from t")
    assert found.locks == {
        "index:public.t_a": "ACCESS SHARE",
        "index:public.t_lower": "ACCESS SHARE",
        "table:public.t": "ACCESS SHARE",
    }
    assert found.scans == ()
    assert found.rewrites == ()


def test_a_dropped_relation_keeps_its_name(pg: TestServer) -> None:
    assert "table:public.t" in seen(pg, "drop table t").locks
    assert seen(pg, "drop index t_a").locks["index:public.t_a"] == "ACCESS EXCLUSIVE"


def test_names_are_quoted_as_identities(pg: TestServer) -> None:
    found = seen(pg, 'drop table "A b"."x.y"', 'create schema "A b"; create table "A b"."x.y"()')
    assert found.locks == {'table:A b."x.y"': "ACCESS EXCLUSIVE"}


def test_an_empty_table_is_scanned_too(pg: TestServer) -> None:
    assert seen(pg, "alter table t alter a set not null", "create table t(a int)").scans == ("table:public.t",)


def test_a_proven_not_null_is_not_scanned(pg: TestServer) -> None:
    setup = "create table t(a int check (a is not null)); insert into t values (1)"
    assert seen(pg, "alter table t alter a set not null", setup).scans == ()


def test_an_error_shows_nothing_but_itself(pg: TestServer) -> None:
    found = seen(pg, "alter table t alter c type jsonb")
    assert found.error is not None
    assert found.error.sqlstate == "42804"
    assert (found.locks, found.scans, found.rewrites) == ({}, (), ())


def test_locks_of_deferred_constraints_are_seen(pg: TestServer) -> None:
    setup = "create table p(id int primary key); insert into p values (1); \
             create table c(p int references p deferrable initially deferred)"
    assert seen(pg, "insert into c values (1)", setup).locks["table:public.p"] == "ROW SHARE"
    failed = seen(pg, "insert into c values (2)", setup)
    assert failed.error is not None
    assert failed.error.sqlstate == "23503"


def test_a_statement_that_refuses_a_transaction_is_run_outside(pg: TestServer) -> None:
    found = seen(pg, "vacuum full t")
    assert found.transaction == "refused"
    assert found.error is None
    assert found.rewrites == found.scans == ("table:public.t",)
    assert found.index_rebuilds == ("index:public.t_a", "index:public.t_lower")


def test_statements_before_are_not_observed(pg: TestServer) -> None:
    found = seen(pg, "comment on table t is 'x'", before="alter table t add unique (a)")
    assert "table:public.t" not in found.scans
    refused = seen(pg, "select 'b'::e", "create type e as enum ('a')", before="alter type e add value 'b'")
    assert refused.error is not None
    assert refused.error.sqlstate == "55P04"


def test_copy_to_and_from_the_client(pg: TestServer) -> None:
    assert seen(pg, "copy t from stdin").locks["table:public.t"] == "ROW EXCLUSIVE"
    assert seen(pg, "copy t to stdout").locks["table:public.t"] == "ACCESS SHARE"


def test_within_an_open_transaction_each_statement_shows_its_own(pg: TestServer) -> None:
    async def run() -> tuple[Observation, Observation]:
        async with sessions(pg.new_database()) as (worker, observer):
            await worker.execute(b"begin")
            first = await observe_within(worker, observer, "alter table t alter a set not null")
            second = await observe_within(worker, observer, "create index on t(c)")
            await worker.rollback()
            return first, second

    first, second = asyncio.run(run())
    assert first.locks == {"table:public.t": "ACCESS EXCLUSIVE"}
    # The transaction holds a stronger lock already.
    assert second.locks == {}
    assert first.scans == second.scans == ("table:public.t",)


def studied(pg: TestServer, sql: str) -> Observation:
    async def run() -> Observation:
        async with ProbeServer.connected(pg.dsn()) as server:
            probe = Probe(id="it", sql=sql, setup=SETUP)
            async with server.prepared(probe) as prepared:
                found = await prepared.observe()
            return await server.study(probe, found)

    return asyncio.run(run())


def test_what_create_index_concurrently_waits_for(pg: TestServer) -> None:
    found = studied(pg, "create index concurrently on t(c)")
    assert found.locks["table:public.t"] == "SHARE UPDATE EXCLUSIVE"
    assert found.waits_for == ("old_snapshots", "writers_of_target")
    assert found.leftover == "invalid_index"
    assert found.scans == ("table:public.t",)


def test_what_drop_index_concurrently_waits_for(pg: TestServer) -> None:
    found = studied(pg, "drop index concurrently t_a")
    assert found.locks["table:public.t"] == "SHARE UPDATE EXCLUSIVE"
    assert found.waits_for == ("readers_of_target", "writers_of_target")
    assert found.leftover == "invalid_index"


def test_a_lock_conflict_is_no_waiting_for_anybody(pg: TestServer) -> None:
    found = studied(pg, "vacuum t")
    assert found.locks["table:public.t"] == "SHARE UPDATE EXCLUSIVE"
    assert (found.waits_for, found.leftover) == ((), "")


def test_probes_find_nothing_and_leave_nothing_behind(pg: TestServer) -> None:
    wild = """
        create role probe_reader; create schema s; create table s.t(); create table t(a int);
        create extension citext; create publication p;
        create subscription s connection 'dbname=none' publication p with (connect = false); set role probe_reader; select lo_create(0)
    """

    async def names(session: psycopg.AsyncConnection[Any]) -> list[Any]:
        cursor = await session.execute("select datname from pg_database union all select rolname from pg_roles")
        return sorted(await cursor.fetchall())

    async def found(server: ProbeServer, setup: str) -> Observation:
        async with server.prepared(Probe(id="it", setup=setup, sql="create table t()")) as prepared:
            return await prepared.observe()

    async def run() -> None:
        async with await connect(pg.dsn(), autocommit=True) as session:
            before = await names(session)
            async with ProbeServer.connected(pg.dsn()) as server:
                for setup in ("create table t()", "create schema t; create table t.t()", wild, "nonsense"):
                    try:
                        seen = await found(server, setup)
                    except InputError:
                        assert setup == "nonsense"
                        continue
                    assert (seen.error is not None) == ("table t(" in setup)
                    assert await names(session) != before
                assert (await found(server, "")).error is None
            assert await names(session) == before

    asyncio.run(run())


def test_a_probe_may_not_lean_on_the_one_before(pg: TestServer) -> None:
    async def run() -> list[Observation]:
        probe = Probe(
            id="it", setup="create table t(a int)", sql="alter table t add b int", settings={"timezone": "Asia/Tokyo"}
        )
        async with ProbeServer.connected(pg.dsn()) as server:
            seen = []
            for _ in range(3):
                async with server.prepared(probe) as prepared:
                    seen.append(await prepared.observe())
                async with server.prepared(Probe(id="other", sql="show timezone")) as prepared:
                    cursor = await prepared.worker.execute("select current_setting('timezone')")
                    assert await cursor.fetchone() != ("Asia/Tokyo",)
        return seen

    seen = asyncio.run(run())
    assert [each.error for each in seen] == [None] * 3
    assert [each.locks for each in seen] == [{"table:public.t": "ACCESS EXCLUSIVE"}] * 3
