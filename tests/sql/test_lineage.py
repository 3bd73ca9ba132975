"""Which base columns feed which output columns, against what the server records of the same views."""

from __future__ import annotations

import psycopg
import pytest

from dflint.model.names import Name
from dflint.sql.libpg_query import load_library
from dflint.sql.lineage import Lineage, query_lineage
from dflint.sql.parse import Parser
from tests.catalog.live import execute, read
from tests.servers import TestServer

TABLES = """
    create schema s;
    create table users (id integer, email text, m integer);
    create table "Orders" (id integer, user_id integer, "Note" text);
    create table s."select" ("größe" integer, "a.b" text);
    create view v as select id as vid, email from users;
"""
#: A query, what feeds each output column, and what only decides which rows there are: of an inner join's USING the
#: server takes the left column, as it prints it.
CASES = [
    (
        'select u.email, o."Note" from users u join "Orders" o on o.user_id = u.id',
        "users.email; Orders.Note",
        "Orders.user_id users.id",
    ),
    (
        'with c as (select id as x from "Orders") select c.x + 1 as y, (select max(u.email) from users u where u.id = c.x) as z from c',
        "Orders.id; users.email",
        "users.id",
    ),
    (
        'select * from users join "Orders" using (id)',
        "Orders.id users.id; users.email; users.m; Orders.user_id; Orders.Note",
        "Orders.id",
    ),
    (
        'select * from users natural join (select id from "Orders") q',
        "Orders.id users.id; users.email; users.m",
        "Orders.id",
    ),
    ('select id from users union all select user_id from "Orders"', "Orders.user_id users.id", ""),
    (
        "select count(*) over () as n, sum(id) over (partition by m order by email) as w from users",
        "; users.email users.id users.m",
        "",
    ),
    (
        "with recursive r as (select id from users union all select r.id + 1 from r join users on true) select id from r",
        "users.id",
        "",
    ),
    (
        'select u.* from users u where exists (select 1 from "Orders" o where o.user_id = u.id)',
        "users.id; users.email; users.m",
        "Orders.user_id",
    ),
    (
        "select id as \"Odd Name\", case when m > 1 then email else 'x' end as k from public.users",
        "users.id; users.email users.m",
        "",
    ),
    ('select q."größe" + 1 as "Ä", q."a.b" from s."select" q', "select.größe; select.a.b", ""),
    ("select x.a from (values (1, 2)) x (a, b)", "", ""),
    ("select g from generate_series(1, 2) g", "", ""),
    ("select v.vid, w.vid as b from v join v w using (email)", "v.vid; v.vid", "v.email"),
    ("select s.a from (select id + m as a from users) s", "users.id users.m", ""),
    (
        'select coalesce(u.email, o."Note") as x, sum(o.id) filter (where u.m > 1) as y from users u left join "Orders" o on true group by 1',
        "Orders.Note users.email; Orders.id users.m",
        "",
    ),
    ("select j.value from users u cross join lateral json_each(u.email::json) j", "users.email", ""),
    ("select distinct on (m) id from users order by m, email", "users.id", "users.email users.m"),
]


def lineage(connection: psycopg.Connection, dsn: str, query: str) -> tuple[list[Lineage], set[tuple[str, str]]]:
    """By the text as it was written and as the server prints it; and the columns that the server records."""
    connection.execute(f"create view tried as {query}".encode())
    connection.commit()
    rows = connection.execute(
        "select attname::text from pg_attribute where attrelid = 'tried'::regclass and attnum > 0 order by attnum"
    ).fetchall()
    printed = connection.execute("select pg_get_viewdef('tried'::regclass)").fetchone()
    recorded = connection.execute(
        "select c.relname::text, a.attname::text from pg_depend d join pg_rewrite r on r.oid = d.objid"
        " join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid"
        " join pg_class c on c.oid = a.attrelid"
        " where d.classid = 'pg_rewrite'::regclass and r.ev_class = 'tried'::regclass and d.refobjsubid > 0"
    ).fetchall()
    assert printed is not None
    catalog, parser = read(dsn), Parser(load_library())
    outputs = [name for (name,) in rows]
    found = [query_lineage(text, outputs, catalog, ("public",), parser) for text in (query, printed[0].rstrip(";"))]
    connection.execute("drop view tried")
    connection.commit()
    return found, {(table, column) for table, column in recorded}


def told(found: Lineage) -> list[set[str] | None]:
    return [
        None if bases is None else {f"{name.name}.{column}" for name, column in bases}
        for bases in found.columns.values()
    ]


def feeding(found: Lineage) -> set[tuple[str, str]]:
    return {(name.name, column) for bases in found.columns.values() for name, column in bases or ()}


@pytest.mark.majors(13, 18)
def test_what_feeds_each_column(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, TABLES)
    with psycopg.connect(dsn) as connection:
        for query, expected, deciding in CASES:
            (written, printed), recorded = lineage(connection, dsn, query)
            sources = [set(part.split()) for part in expected.split(";")]
            assert told(written) == sources, query
            # What USING merges is both; of an inner join the server prints, and reads, the left one.
            for one, other in zip(told(printed), sources, strict=True):
                assert one is not None
                assert one <= other, query
                assert bool(one) == bool(other), query
            assert feeding(written) <= recorded, query
            assert feeding(printed) <= recorded, query
            assert {".".join(column) for column in recorded - feeding(printed)} == set(deciding.split()), query


@pytest.mark.majors("newest")
def test_what_cannot_be_told_is_said(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, TABLES)
    with psycopg.connect(dsn) as connection:
        (row, _), _ = lineage(connection, dsn, "select u, u.id from users u")
        assert row.columns == {"u": None, "id": ((Name("public", "users"), "id"),)}
        assert "column u" in row.reason
        sidelong = "select u.m, l.a from users u cross join lateral (select u.email as a, u.id as b) l"
        (written, printed), _ = lineage(connection, dsn, sidelong)
        assert written.columns == printed.columns == {"m": ((Name("public", "users"), "m"),), "a": None}
    catalog, parser = read(dsn), Parser(load_library())
    wrong = query_lineage("select nothing from nowhere", ["nothing"], catalog, ("public",), parser)
    assert wrong.columns == {"nothing": None}
    assert wrong.reason
    unread = query_lineage("select ]", ["x"], catalog, ("public",), parser)
    assert unread.columns == {"x": None}
