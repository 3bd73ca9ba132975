"""NOT NULL as a constraint that has a name and descends: the server of each major as judge."""

from __future__ import annotations

import psycopg
import pytest

from dflint.model.catalog import Catalog, Table
from tests.history.replaying import replayed
from tests.servers import TestServer

SCHEMA = """
    create table p (id int, k int);
    create table c () inherits (p);
    create table g () inherits (c);
    alter table p alter id set not null;
    alter table p add primary key (k);
    create table d (id int) inherits (p);
    create table e (x int not null) inherits (c);
    create table f (k int not null) inherits (d);
    create table h (primary key (id)) inherits (p);
    create table i (k int primary key) inherits (p);
    create table j (k int generated always as identity) inherits (p);
    create table l (k serial) inherits (p);
    alter table p add column n int not null;
    create table m (id int not null, k int not null, n int not null);
    alter table m inherit p;
    create table p2 (id int constraint mine not null);
    create table c2 () inherits (p2);
    create table c3 (id int not null) inherits (p2);
    create table c4 () inherits (p, p2);
    create table pt (id int not null, k int) partition by range (id);
    create table pt1 partition of pt default;
    alter table pt alter k set not null;
    create table pa (id int not null, k int not null);
    create table pq (id int not null, k int) partition by range (id);
    alter table pq attach partition pa default;
    alter table pq alter k set not null;
    create table z (id int);
    create table zc (id int constraint z_id_not_null check (id > 0)) inherits (z);
    alter table z alter id set not null;
    create table y (id int);
    create table yc (id int not null) inherits (y);
    alter table y alter id set not null;
    create table s (a int);
    create table t (a int) inherits (s);
    alter table only s alter a set not null;
"""
#: From PostgreSQL 18 on.
NAMED = """
    create table p3 (id int not null no inherit);
    create table c5 () inherits (p3);
    create table q (id int, k int);
    create table r (id int, k int, constraint own not null id) inherits (q);
    create table r2 () inherits (r);
    alter table q add constraint named not null id;
    alter table q add constraint late not null k not valid;
    create table u (id int, constraint mine_too not null id) inherits (q);
"""


def tables(catalog: Catalog) -> list[Table]:
    return [each for each in catalog.relations.values() if isinstance(each, Table)]


@pytest.mark.majors("all")
def test_not_null_descends_as_on_the_server(pg: TestServer) -> None:
    text = SCHEMA + (NAMED if pg.major >= 18 else "")
    with psycopg.connect(pg.new_database()) as connection:
        connection.execute(text.encode())
        columns = connection.execute(
            "select attrelid::regclass::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid"
            " where attnum > 0 and attnotnull and relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
            " and not exists (select from pg_constraint k where k.conrelid = attrelid and contype = 'n'"
            "                 and conkey = array[attnum] and not convalidated)"
        ).fetchall()
        constraints = connection.execute(
            "select conrelid::regclass::text, conname::text, conislocal, coninhcount from pg_constraint"
            " where contype = 'n' and connamespace = 'public'::regnamespace"
        ).fetchall()
    catalog = replayed(text, version=pg.major)
    found = {(table.name.name, column.name) for table in tables(catalog) for column in table.columns if column.not_null}
    assert found == set(columns)
    stored = {
        (table.name.name, each.name, each.local, each.inherited)
        for table in tables(catalog)
        for each in table.constraints
        if each.kind == "not_null"
    }
    assert stored == set(constraints)
    assert bool(stored) == (pg.major >= 18)
