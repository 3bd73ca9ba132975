"""What a server's log shows, on real servers of all majors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from dflint.model.trace import TracedTransaction
from dflint.postgres import start_server
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.trace.recover import recover
from dflint.trace.server_log import log_file, logging_settings, read_entries
from tests import servers
from tests.servers import TestServer
from tests.trace.recording import groups

Send = Callable[..., None]

parser = Parser(load_library())


def recorded(major: int, client: Callable[[str], None]) -> list[TracedTransaction]:
    """What the log shows of a client that is given the server's connection string."""
    found = servers.installation(major)
    assert found is not None

    async def run() -> list[TracedTransaction]:
        async with start_server(major, settings=logging_settings(), providers=[lambda: [found]]) as server:
            await asyncio.to_thread(client, server.dsn())
            assert server.scratch is not None
            log = log_file(server.scratch.data)
            for _ in range(500):
                if log.exists() and b"select 'the end'" in log.read_bytes():
                    break
                await asyncio.sleep(0.01)
            return recover(read_entries(log), parser, leave_out="observer")

    return asyncio.run(run())


def client(script: Callable[[psycopg.Connection, Send], None]) -> Callable[[str], None]:
    """A client that goes on after errors and marks the end."""

    def work(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:

            def send(query: str, *parameters: object) -> None:
                try:
                    connection.execute(query.encode(), parameters or None)
                except psycopg.Error:
                    assert not connection.closed

            script(connection, send)
        with psycopg.connect(dsn, autocommit=True, application_name="observer") as connection:
            connection.execute("select 'the end'")

    return work


def everything(connection: psycopg.Connection, send: Send) -> None:
    send("create table a (i int unique deferrable initially deferred); create table b (i int primary key)")
    send("begin; insert into a values (1); commit; insert into b values (1); insert into a values (2)")
    send("begin; insert into a values (9)")
    send("insert into a values (%s)", 5)
    send("savepoint s")
    send("select 1/0 from a")
    send("insert into a values (10)")
    send("rollback to s")
    send("commit")
    send("insert into a values (3); select 1/0 from a; insert into a values (4)")
    send("create index concurrently on a (i)")
    send("selec 1")
    send("select * from missing where i = %s", 1)
    send("begin")
    send("select 1/0 from a")
    send("insert into b values (2)")
    send("rollback")
    with connection.pipeline():
        connection.execute("insert into a values (11)")
        connection.execute("insert into a values (12)")
    send("insert into a values (20); begin; insert into a values (21)")
    send("commit and chain")
    send("insert into a values (22)")
    send("commit")
    send("begin; insert into a values (30); insert into a values (30)")
    send("commit")
    send("do $$begin insert into a values (40); commit; insert into a values (41); end$$")
    send("/* nothing */ ;; -- at all")
    send("insert into b values (7); insert into missing values (7)")


EVERYTHING = [
    ("implicit", "committed", ["create table a", "create table b"]),
    ("explicit", "committed", ["begin", "insert into a", "commit"]),
    ("implicit", "committed", ["insert into b", "insert into a"]),
    (
        "explicit",
        "committed",
        [
            "begin",
            "insert into a",
            "insert into a",
            "savepoint s",
            "select 1/0 from",
            "insert into a",
            "rollback to s",
            "commit",
        ],
    ),
    ("implicit", "failed", ["insert into a", "select 1/0 from"]),
    ("autocommit", "committed", ["create index concurrently"]),
    ("autocommit", "failed", ["selec 1"]),
    ("autocommit", "failed", ["select * from"]),
    ("explicit", "rolled_back", ["begin", "select 1/0 from", "insert into b", "rollback"]),
    ("implicit", "committed", ["insert into a", "insert into a"]),
    ("explicit", "committed", ["insert into a", "begin", "insert into a", "commit and chain"]),
    ("explicit", "committed", ["insert into a", "commit"]),
    ("explicit", "failed", ["begin", "insert into a", "insert into a", "commit"]),
    ("autocommit", "committed", ["do $$begin insert"]),
    ("implicit", "failed", ["insert into b", "insert into missing"]),
]


@pytest.mark.majors("all")
def test_every_kind_of_transaction(pg: TestServer) -> None:
    found = recorded(pg.major, client(everything))
    assert groups(found, verbose=True) == EVERYTHING
    errors = [each.error.sqlstate for t in found for each in t.statements if each.error is not None]
    assert errors == "22012 25P02 22012 42601 42P01 22012 25P02 23505 42P01".split()


@pytest.mark.majors("ends")
def test_sessions_are_kept_apart(pg: TestServer) -> None:
    def two(dsn: str) -> None:
        with psycopg.connect(dsn) as one, psycopg.connect(dsn) as other:
            one.execute("create table one (i int)")
            other.execute("create table other (i int)")
            one.execute("insert into one values (1)")
            other.execute("insert into other values (2)")
            other.rollback()
            one.commit()
        with psycopg.connect(dsn, autocommit=True, application_name="observer") as last:
            last.execute("select 'the end'")

    found = recorded(pg.major, two)
    assert groups(found) == [
        ("explicit", "committed", ["create table one", "insert into one"]),
        ("explicit", "rolled_back", ["create table other", "insert into other"]),
    ]
    assert [transaction.session for transaction in found] == [1, 2]


@pytest.mark.majors("ends")
def test_parameters_and_odd_texts(pg: TestServer) -> None:
    def script(_: psycopg.Connection, send: Send) -> None:
        send('create table "o\'dd" (t text, n int)')
        send('insert into "o\'dd" values (%s, %s)', "it's, $1 = 'x'\nü", None)
        send("select 'line one\nline two', '\"', E'\\\\' from \"o'dd\"")

    found = recorded(pg.major, client(script))
    inserted = found[1].statements[0]
    assert inserted.parameters == ("it's, $1 = 'x'\nü", None)
    assert found[2].statements[0].sql == "select 'line one\nline two', '\"', E'\\\\' from \"o'dd\""


@pytest.mark.majors("ends")
def test_a_string_whose_statements_analyse_others(pg: TestServer) -> None:
    def script(_: psycopg.Connection, send: Send) -> None:
        send("create table t (i int); prepare p as select 1 from t; execute p; insert into t values (1)")
        send("prepare q as select 2 from t; insert into t values (2); commit; insert into t values (3)")
        send("create function f() returns int language sql as 'select 1'; insert into t values (f())")

    assert groups(recorded(pg.major, client(script)), verbose=True) == [
        ("implicit", "committed", ["create table t", "prepare p as", "execute p", "insert into t"]),
        ("implicit", "committed", ["prepare q as", "insert into t", "commit"]),
        ("autocommit", "committed", ["insert into t"]),
        ("implicit", "committed", ["create function f()", "insert into t"]),
    ]


def test_a_session_that_goes_without_a_word() -> None:
    def gone(dsn: str) -> None:
        lost = psycopg.connect(dsn)
        lost.execute("create table lost (i int)")
        lost.close()
        with psycopg.connect(dsn, autocommit=True, application_name="observer") as last:
            last.execute("select 'the end'")

    (transaction,) = recorded(18, gone)
    assert (transaction.kind, transaction.outcome) == ("explicit", "open")
