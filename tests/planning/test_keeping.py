"""What is dropped and kept: the table comes back with its rows."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from dflint.app.plan import plan_files
from dflint.app.snapshot import differences
from dflint.catalog.reader import read_catalog
from dflint.model.plan import Plan
from dflint.planning.reversing import reverse
from dflint.planning.statements import statements_of
from tests.catalog.live import execute
from tests.servers import TestServer

SETUP = """
create schema dflint_trash;
create table users (id int primary key);
create table orders (id bigserial primary key, customer int references users on delete cascade, total int unique);
create index on orders (total) where total > 5;
comment on constraint orders_customer_fkey on orders is 'c';
create view seen as select id from users;
insert into users values (1), (2);
insert into orders (customer, total) values (1, 10), (2, 20);
create table parts (a int) partition by list (a);
create table parts_1 partition of parts for values in (1);
"""


def planned(pg: TestServer, tmp_path: Any, sql: str) -> tuple[str, Plan]:
    dsn = pg.new_database()
    execute(dsn, SETUP)
    path = tmp_path / "migration.sql"
    path.write_text(sql)
    return dsn, asyncio.run(plan_files([str(path)], dsn=dsn, keep_dropped=True))


@pytest.mark.majors(14, 18)
def test_a_table_comes_back_with_its_rows(pg: TestServer, tmp_path: Any) -> None:
    dsn, plan = planned(pg, tmp_path, "drop table orders; create table orders (x int)")
    assert plan.point_of_no_return is None
    assert any("is kept as dflint_trash.orders_" in note for note in plan.steps[0].notes)

    async def there_and_back() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            before = await read_catalog(connection)
            for step in plan.steps:
                await connection.execute(step.sql.encode())
            # It no longer guards the table it referred to.
            await connection.execute("delete from users where id = 2; insert into users values (2)")
            for step in reverse(plan, ["1", "2"]).steps:
                for statement in statements_of(step.sql):
                    await connection.execute(statement.encode())
            assert differences(before, await read_catalog(connection)) == []
            rows = await connection.execute("select id, customer, total from orders order by id")
            assert await rows.fetchall() == [(1, 1, 10), (2, 2, 20)]
            new = await connection.execute("insert into orders (customer) values (1) returning id")
            assert await new.fetchone() == (3,)

    asyncio.run(there_and_back())


def test_the_values_of_a_column_are_kept(pg: TestServer, tmp_path: Any) -> None:
    dsn, plan = planned(pg, tmp_path, "alter table orders drop column total")
    (step,) = plan.steps
    assert step.undo.irreversible == "the values of column total are lost"
    (note,) = (note for note in step.notes if "are kept in" in note)
    execute(dsn, step.sql)
    copy = note.partition("are kept in ")[2].partition(",")[0]
    with psycopg.connect(dsn) as connection:
        assert connection.execute(f"select id, total from {copy} order by id".encode()).fetchall() == [(1, 10), (2, 20)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("drop table users", "others depend on public.users"),
        ("drop table parts_1", "part of a hierarchy"),
        ("drop table orders, parts", "more than one thing"),
        ("alter table users drop column id", "has no primary key beside"),
    ],
)
def test_what_cannot_be_kept_is_said(pg: TestServer, tmp_path: Any, sql: str, reason: str) -> None:
    _, plan = planned(pg, tmp_path, sql)
    assert plan.steps[0].sql == sql
    assert any(note.startswith("not kept: ") and reason in note for note in plan.steps[0].notes)
    assert plan.steps[0].undo.irreversible is not None
