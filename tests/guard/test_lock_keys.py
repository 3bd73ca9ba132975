"""Which locks exclude each other, by the keys, and by PostgreSQL's own answer."""

from __future__ import annotations

import asyncio
from itertools import product

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from dflint.guard.advisory import try_keys
from dflint.guard.lock_keys import KEY_CLASS, SCOPES, Scope, covers, excludes, keys, parse_scope, table_key
from dflint.guard.lock_tables import resolve
from dflint.model.errors import InputError
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer

TABLES = ("table:public.a", "table:public.b", "table:other.a")
WANTED = st.tuples(st.sampled_from(SCOPES), st.frozensets(st.sampled_from(TABLES)))
#: As identifiers go: anything without a NUL that UTF-8 can hold, cut to the server's length.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15)


def test_the_scopes() -> None:
    assert [parse_scope(scope) for scope in SCOPES] == list(SCOPES)
    with pytest.raises(InputError, match="table_modification"):
        parse_scope("table_modifikation")


def test_a_change_of_the_schema_excludes_everything() -> None:
    whole = keys("schema_modification", TABLES)
    for scope, tables in product(SCOPES, ((), TABLES[:1])):
        assert excludes(whole, keys(scope, tables))
        assert excludes(keys(scope, tables), whole)
        assert covers(whole, keys(scope, tables))


def test_without_tables_it_is_the_database() -> None:
    assert keys("table_modification", ()) == keys("schema_modification", ())


@given(st.frozensets(st.sampled_from(TABLES), min_size=1), st.frozensets(st.sampled_from(TABLES), min_size=1))
def test_tables_exclude_each_other_when_they_share_one(one: frozenset[str], other: frozenset[str]) -> None:
    first, second = keys("table_modification", one), keys("data_modification", other)
    assert excludes(first, second) == excludes(second, first) == bool(one & other)
    assert covers(first, second) == (other <= one)


@pytest.mark.majors(14, 18)
def test_postgresql_says_the_same(pg: TestServer) -> None:
    dsn = pg.new_database()

    @given(WANTED, WANTED)
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def compare(one: tuple[Scope, frozenset[str]], other: tuple[Scope, frozenset[str]]) -> None:
        first, second = keys(*one), keys(*other)

        async def both() -> tuple[bool, bool]:
            async with await connect(dsn, autocommit=True) as holder, await connect(dsn, autocommit=True) as waiter:
                return await try_keys(holder, first), await try_keys(waiter, second)

        assert asyncio.run(both()) == (True, not excludes(first, second))

    compare()


@asynchronous
async def test_a_failed_try_leaves_nothing(pg: TestServer) -> None:
    dsn = pg.new_database()
    one, two = keys("table_modification", TABLES[:1]), keys("table_modification", TABLES)
    async with await connect(dsn, autocommit=True) as holder, await connect(dsn, autocommit=True) as waiter:
        assert await try_keys(holder, one)
        assert not await try_keys(waiter, two)
        rows = await (
            await waiter.execute(
                "SELECT 1 FROM pg_locks WHERE pid = %s AND classid = %s", (waiter.info.backend_pid, KEY_CLASS)
            )
        ).fetchall()
        assert rows == []


def test_every_spelling_of_a_name_is_one_key(pg: TestServer) -> None:
    """Names that mean different tables have different keys, names that mean the same table have the same."""
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute('CREATE TABLE users (); CREATE TABLE "Users" (); CREATE SCHEMA s; CREATE TABLE s.users ()')

    async def key(*names: str) -> list[int]:
        async with await connect(dsn, autocommit=True) as connection:
            return [table_key(identity) for name in names for identity in await resolve(connection, [name])]

    same = asyncio.run(key("users", "USERS", '"users"', "public.users", 'Public."users"', "table:public.users"))
    assert len(set(same)) == 1
    different = asyncio.run(key("users", '"Users"', "s.users", "not_there", "s.not_there", 'public."NOT_there"'))
    assert len(set(different)) == 6
    # Where a table will be, it is when it is there.
    assert asyncio.run(key("not_there")) == asyncio.run(key("public.not_there"))


def test_names_that_differ_have_keys_that_differ(pg: TestServer) -> None:
    dsn = pg.new_database()

    @given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def compare(names: list[str]) -> None:
        async def resolved() -> list[tuple[str, ...]]:
            async with await connect(dsn, autocommit=True) as connection:
                return [await resolve(connection, [sql.Identifier(name).as_string()]) for name in names]

        found = [identity for (identity,) in asyncio.run(resolved())]
        assert len(set(found)) == len(names)
        assert len({table_key(identity) for identity in found}) == len(names)

    compare()


@asynchronous
async def test_what_is_no_name_is_refused(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        for wrong in ("", "a b", 'a"', "table:", "1a"):
            with pytest.raises(InputError):
                await resolve(connection, [wrong])
