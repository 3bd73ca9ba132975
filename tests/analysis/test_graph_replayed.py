"""The graph of a live catalog, of its snapshot file, and of the replayed history that made it."""

from __future__ import annotations

import psycopg
import pytest

from dflint.analysis.graph import Graph
from dflint.catalog.snapshot_file import dump, load
from tests.analysis.judge.judging import STATEMENTS
from tests.analysis.judge.replaying import replayed, unspoken
from tests.analysis.judge.schemas import Grower, clear
from tests.catalog.live import execute, read
from tests.servers import TestServer

SEEDS = 12
HISTORY = """
    create schema s;
    create type mood as enum ('a', 'b');
    create domain pos as integer check (value > 0);
    create function one() returns integer language sql immutable as 'select 1';
    create function plus(a integer) returns integer language sql immutable as 'select a + 1';
    create function plus(a integer, b integer) returns integer language sql immutable as 'select a + b';
    create table users (
        id integer primary key, email text, m mood, p pos, g integer generated always as (plus(id)) stored,
        d integer default one(), check (plus(id) > 0)
    );
    create table orders (id integer primary key, user_id integer references users, note text);
    create index on users (plus(id));
    create index on users (lower(email)) where m = 'a'::mood;
    create view v as select u.email, o.note from users u join orders o on o.user_id = u.id where plus(u.id, o.id) > 0;
    create view w (first, second) as select * from v with cascaded check option;
    create view y as
        with c as (select id from orders) select c.id, (select u.email from users u where u.id = c.id) as e from c;
    create materialized view mv as select id, email from users with no data;
    create view s.both as select id from orders;
    create policy own on users using (id in (select user_id from orders where plus(user_id) > 0)) with check (d = one());
    create rule r as on insert to orders where new.id > 0 do also
        (insert into users (id, email) values (new.id, new.note); delete from users where id = one());
    create rule nothing as on delete to orders do instead nothing;
    create function fires() returns trigger language plpgsql as 'begin return new; end';
    create trigger t before update of email on users
        for each row when (new.email <> old.email and plus(new.id) > 0) execute function fires();
    create sequence counted;
    create table q (id bigint default nextval('counted'), b bigserial);
    create function f(users) returns setof orders language sql as 'select * from orders';
    create function fm(mood, x integer default one()) returns pos language sql as 'select 1::pos';
    create publication changes for table users;
    create statistics st on id, email from users;
    create aggregate total(integer) (sfunc = plus, stype = integer);
    alter table users rename to people;
    alter table people rename column email to address;
    alter function one() rename to uno;
    alter view v rename to seen;
    alter view seen set schema s;
    alter type mood rename to feeling;
    alter policy own on people rename to theirs;
    drop view y;
    create or replace view s.both as select id from orders where note is not null;
"""
ATOMIC = """
    create table t (id integer, v integer);
    create function reads(a integer) returns bigint language sql
        begin atomic; insert into t (id) values (a); select count(*) from t where t.v = a; end;
    create function gives() returns bigint return (select max(id) from t);
    create publication listed for table t (id);
    create publication filtered for table t where (v > 1);
    alter table t rename column v to w;
"""


@pytest.mark.majors(13, 18)
def test_a_replayed_history_gives_the_graph_of_the_server(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, HISTORY)
    live, replay = read(dsn), Graph.of(replayed(HISTORY, pg.major))
    graph = Graph.of(live)
    assert Graph.of(load(*dump(live))).to_json() == graph.to_json()
    assert unspoken(graph, replay) == (set(), set())
    assert graph.unknown == ()
    # Expressions that name a function or type that has another name since.
    assert set(replay.unknown) == {
        "default:public.people.d",
        'function:public."fm(public.feeling, integer)"',
        "index:public.users_lower_idx",
    }


@pytest.mark.majors(15, 18)
def test_bodies_of_the_standard_and_column_lists(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, ATOMIC)
    replay = Graph.of(replayed(ATOMIC, pg.major))
    assert replay.to_json() == Graph.of(read(dsn)).to_json()


@pytest.mark.majors(13, 18)
def test_random_schemas_replayed(pg: TestServer) -> None:
    dsn = pg.new_database()
    edges = unknown = 0
    for seed in range(1, SEEDS + 1):
        with psycopg.connect(dsn) as connection:
            connection.execute("SET client_min_messages = error")
            connection.execute("SET search_path = ''")
            clear(connection)
            grower = Grower(connection, seed)
            grower.grow(STATEMENTS)
            connection.commit()
        live = Graph.of(read(dsn))
        replay = Graph.of(replayed(";\n".join(grower.statements), pg.major, ()))
        assert unspoken(live, replay) == (set(), set()), seed
        edges += len(live.to_json()["edges"])  # type: ignore[arg-type]
        unknown += len(replay.unknown)
    # Saying unknown of everything would be no answer.
    assert unknown < edges / 50


def test_what_cannot_be_known_is_named() -> None:
    text = """
        create table t (id integer);
        do $$ begin execute 'create view v as select 1 from t'; end $$;
        do $$ begin create view w as select id from t; end $$;
        create collation c (locale = 'C');
    """
    graph = Graph.of(replayed(text, 18))
    assert "view:public.w" in graph.unknown
    assert "collation:public.c" in graph.unknown
    assert graph.to_json()["unknown"] == list(graph.unknown)


@pytest.mark.majors(13, 18)
def test_functions_that_another_search_path_found_are_doubts(pg: TestServer) -> None:
    text = """
        create schema s;
        set search_path = s, public;
        create function g(x text) returns text language sql immutable as 'select x';
        create table u (a text, b text default g('x'), constraint c check (g(a) is not null));
        create index i on u (g(a));
    """
    dsn = pg.new_database()
    execute(dsn, text)
    replay = Graph.of(replayed(text, pg.major, ("s", "public")))
    assert unspoken(Graph.of(read(dsn)), replay) == (set(), set())
    assert set(replay.unknown) == {"default:s.u.b", "constraint:s.u.c", "index:s.i"}
