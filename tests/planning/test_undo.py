"""What was done and taken back is as it was: on servers, by the catalog before and after."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.sql import SQL, Identifier

from dflint.app.plan import plan_sql
from dflint.app.snapshot import differences
from dflint.catalog.definitions import read_definitions
from dflint.catalog.reader import read_catalog
from dflint.model.catalog import Catalog, Index, Table
from dflint.model.plan import Plan, Step
from dflint.planning.statements import names_in, operations_of, statements_of
from dflint.planning.undo import undo
from tests.planning.undo_cases import IRREVERSIBLE, REVERSIBLE, SETUP
from tests.servers import TestServer

Connection = psycopg.AsyncConnection[Any]


async def planned(connection: Connection, sql: str, catalog: Catalog) -> Plan:
    version = connection.info.server_version // 10_000
    async with await Connection.connect(connection.info.dsn, autocommit=True) as other:
        definitions = await read_definitions(other, names_in(operations_of(sql)), version=version)
    return plan_sql(sql, catalog, version=version, definitions=definitions)


async def run(connection: Connection, step: Step, statements: list[str]) -> None:
    for name, value in step.settings.items():
        await connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    for statement in statements:
        await connection.execute(statement.encode())
    for name in step.settings:
        await connection.execute(SQL("RESET {}").format(Identifier(name)))


def comparable(catalog: Catalog) -> Catalog:
    """The order of storage parameters is that in which they were set."""
    relations = catalog.relations
    for name, relation in relations.items():
        if isinstance(relation, (Table, Index)) and relation.options:
            relations = relations.set(name, replace(relation, options=tuple(sorted(relation.options))))
    return replace(catalog, relations=relations)


#: Reading the catalog costs more than a statement: it is read after so many.
_TOGETHER = 6


async def there_and_back(dsn: str, cases: list[str]) -> list[str]:
    """What is not as it was after some of the cases."""
    async with await Connection.connect(dsn, autocommit=True) as connection:
        await connection.execute(SETUP.encode())
        before = await read_catalog(connection)
        for start in range(0, len(cases), _TOGETHER):
            for sql in cases[start : start + _TOGETHER]:
                plan = await planned(connection, sql, before)
                stuck = [f"{sql}: {step.undo.irreversible}" for step in plan.steps if step.undo.irreversible]
                if stuck:
                    return stuck
                for step in plan.steps:
                    await run(connection, step, statements_of(step.sql))
                for step in reversed(plan.steps):
                    await run(connection, step, list(step.undo.sql or ()))
            found = differences(comparable(before), comparable(await read_catalog(connection)))
            if found:
                return [*cases[start : start + _TOGETHER], *map(str, found)]
    return []


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("subject", REVERSIBLE)
def test_what_is_taken_back_is_as_it_was(pg: TestServer, subject: str) -> None:
    cases = [case for case in REVERSIBLE[subject] if not case.startswith("[") or int(case[1:3]) <= pg.major]
    plain = [case.partition("] ")[2] if case.startswith("[") else case for case in cases]
    assert asyncio.run(there_and_back(pg.new_database(), plain)) == []


@pytest.mark.majors(14, 18)
def test_what_cannot_be_taken_back_says_why(pg: TestServer) -> None:
    async def reasons(dsn: str) -> dict[str, str | None]:
        async with await Connection.connect(dsn, autocommit=True) as connection:
            await connection.execute(SETUP.encode())
            catalog = await read_catalog(connection)
            found: dict[str, str | None] = {}
            for sql in IRREVERSIBLE:
                plan = await planned(connection, sql, catalog)
                found[sql] = next((step.undo.irreversible for step in plan.steps if step.undo.irreversible), None)
            return found

    assert asyncio.run(reasons(pg.new_database())) == IRREVERSIBLE


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("create or replace view v as select 1", "the catalog does not say whether view v existed before"),
        ("create table if not exists t (a int)", "the catalog does not say whether public.t existed before"),
        ("alter table t alter column a set not null", "the catalog does not say what t was"),
        ("alter table t alter column a drop default", "the catalog does not say what t was"),
        ("alter table t drop constraint c", "the catalog does not say what t was"),
        ("drop index i", "the catalog does not say what i was"),
        ("comment on table t is 'x'", "the catalog does not say what the comment was"),
        ("grant select on t to somebody", "the catalog does not say who had which privileges"),
        ("alter table t owner to somebody", "the catalog does not say who owned table t"),
        ("alter table t add check (a > 0)", "which name PostgreSQL chooses"),
    ],
)
def test_what_the_catalog_does_not_say_is_not_guessed(sql: str, expected: str) -> None:
    (operation,) = operations_of(sql)
    reason = undo(operation, Catalog.unknown()).irreversible
    assert reason is not None
    assert expected in reason


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("create table t (a int)", "DROP TABLE IF EXISTS public.t"),
        ('alter table t add column "B c" int', 'ALTER TABLE t DROP COLUMN "B c"'),
        ("alter table t rename to u", "ALTER TABLE u RENAME TO t"),
        ("alter table t rename column a to b", "ALTER TABLE t RENAME COLUMN b TO a"),
        ("create index concurrently i on t (a)", "DROP INDEX CONCURRENTLY i"),
        ("alter table t add constraint c check (a > 0)", "ALTER TABLE t DROP CONSTRAINT c"),
    ],
)
def test_some_inverses_need_no_catalog(sql: str, expected: str) -> None:
    (operation,) = operations_of(sql)
    assert undo(operation, Catalog.unknown()).sql == (expected,)


def test_names_are_left_as_written_where_nobody_knows_their_schema() -> None:
    (operation,) = operations_of("alter table t add column a int")
    found = undo(operation, Catalog.unknown(), search_path=("app", "public"))
    assert found.sql == ("ALTER TABLE t DROP COLUMN a",)
