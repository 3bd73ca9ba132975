"""Which output columns of views a column feeds, as an impact tells it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from dflint import DependencyAnalyzer
from dflint.app.impact import ImpactAnalysis, requested
from dflint.catalog.snapshot_file import dump, load
from dflint.model.catalog import Catalog
from tests.catalog.live import execute, read
from tests.servers import TestServer

SCHEMA = """
    create table users (id int primary key, email text, m int);
    create table archived () inherits (users);
    create table "O'x" ("a.b" text);
    create view v as select id as vid, lower(email) as mail from users where m > 1;
    create view w as select mail || 'x' as y, vid from v;
    create materialized view mv as select count(*) as n, max(y) as top from w;
    create view of_child as select email as "E Mail" from archived;
    create view quoted as select "a.b" as "c.d" from "O'x";
    create view grouped as select id, email from users group by id;
    create view filtered as select id from users where email is not null;
"""


def fed(catalog: Catalog, *words: str) -> dict[str, str]:
    """What an impact says of views."""
    analysis = ImpactAnalysis(catalog)
    found = analysis.with_lineage(analysis.of(requested("drop-column", words)))
    return {
        each.identity.rpartition(".")[2]: evidence.detail
        for each in found.dependents
        for evidence in each.evidence
        if evidence.kind == "attribute" and "view:" in each.identity
    }


OF_EMAIL = {
    "v": "feeds mail",
    "w": "feeds y",
    "mv": "feeds top",
    "of_child": "feeds E Mail",
    "grouped": "feeds email",
    "filtered": "feeds none of its columns",
}


@pytest.mark.majors("ends")
def test_views_on_views_tell_what_a_column_feeds(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    catalog = read(dsn)
    assert fed(catalog, "users", "email") == OF_EMAIL
    assert fed(catalog, "users", "m") == dict.fromkeys(("v", "w", "mv"), "feeds none of its columns")
    assert fed(catalog, '"O\'x"', '"a.b"') == {"quoted": "feeds c.d"}
    # What a view's own column feeds: the server drops no column of a view, but a table's may feed all of them.
    assert fed(catalog, "users", "id")["w"] == "feeds vid"
    assert fed(load(*dump(catalog)), "users", "email") == OF_EMAIL


@pytest.mark.majors("newest")
def test_values_differ_where_the_lineage_says_so(pg: TestServer) -> None:
    """The server as judge: other values in the column change just the output columns that it feeds."""
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    with psycopg.connect(dsn) as connection:
        connection.execute("insert into users values (1, 'a', 2), (2, 'b', 3)")
        connection.execute("insert into archived values (3, 'c', 4)")
        views = ("v", "w", "of_child", "grouped", "filtered")
        before = {view: _columns(connection, view) for view in views}
        connection.execute("update users set email = email || 'z'")
        for view in views:
            changed = [name for name, values in _columns(connection, view).items() if values != before[view][name]]
            expected = f"feeds {', '.join(changed)}" if changed else "feeds none of its columns"
            assert OF_EMAIL[view] == expected


def _columns(connection: psycopg.Connection, view: str) -> dict[str, list[object]]:
    cursor = connection.execute(f"select * from {view} order by 1".encode())
    rows = cursor.fetchall()
    names = [each.name for each in cursor.description or ()]
    return {name: sorted(row[position] for row in rows) for position, name in enumerate(names)}


@pytest.mark.majors("newest")
def test_what_the_records_deny_is_not_said(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        "create table t (a int, b int); create view r as select t from t where a > 0;"
        " create view beside as select t.b, x.a, x.next from t cross join lateral (select t.a, t.b + 1 as next) x;",
    )
    catalog = read(dsn)
    assert fed(catalog, "t", "a") == {
        "r": "may feed t: the server's records say otherwise",
        "beside": "may feed a, next: where column a comes from is not known",
    }
    found = asyncio.run(DependencyAnalyzer(dsn).analyze_column_dependencies("t", "a"))
    assert [each.detail for one in found.dependents for each in one.evidence if "may feed" in each.detail]
