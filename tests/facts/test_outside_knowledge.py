"""Event triggers and extensions make effects unknown, by name; what they have no hand in stays known."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from dflint.app.effects import predict
from dflint.app.lint import lint
from dflint.app.request import LintRequest
from dflint.catalog.snapshot_file import dump, load
from dflint.model.catalog import Catalog
from dflint.model.finding import Finding
from dflint.plugin.manager import Plugins
from tests.catalog.live import execute, read
from tests.servers import TestServer

EVENT_TRIGGERS = """
create table t (a int primary key, b text, c int default 1);
create view v as select 1 as x;
create materialized view m as select 1 as x;
create type pair as (x int);
create table of_pair of pair;
create function f() returns event_trigger language plpgsql as
  $$ begin raise notice '%', tg_event; end $$;
create event trigger starting on ddl_command_start execute function f();
create event trigger ending on ddl_command_end execute function f();
create event trigger dropping on sql_drop execute function f();
create event trigger rewriting on table_rewrite execute function f();
create event trigger sleeping on ddl_command_start execute function f();
create event trigger copying on ddl_command_start execute function f();
alter event trigger sleeping disable;
alter event trigger copying enable replica;
"""
EVENTS = {
    "ddl_command_start": "starting",
    "ddl_command_end": "ending",
    "sql_drop": "dropping",
    "table_rewrite": "rewriting",
}
STATEMENTS = (
    "create table u (a int references t)",
    "create table u as select 1 as x",
    "select 1 as x into u",
    "create index on t (b)",
    "reindex table t",
    "refresh materialized view m",
    "comment on table t is 'x'",
    "comment on role postgres is 'x'",
    "grant select on t to public",
    "create role reader_of_events",
    "alter table t alter b type varchar",
    "alter table t alter c type bigint",
    "alter table t drop column c",
    "alter table t alter c drop default",
    "alter table t alter c set default 2",
    "alter table t rename b to d",
    "alter type pair alter attribute x type bigint cascade",
    "drop view v",
    "create or replace view v as select 1 as x",
    "truncate t",
    "insert into t values (1)",
    "select * from t",
    "cluster t using t_pkey",
    "lock table t",
    "alter default privileges grant select on tables to public",
    "create schema s",
    "create extension citext",
    "create type e as enum ('a')",
    "alter event trigger starting owner to postgres",
)


@pytest.mark.majors("ends")
def test_event_triggers_fire_as_predicted(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, EVENT_TRIGGERS)
    catalog = read(dsn)
    for statement in STATEMENTS:
        fired = {EVENTS[event] for event in _events(dsn, statement)}
        (effects,) = predict(statement, catalog, version=pg.major)
        assert {*effects.unknown} == {f"what the event trigger {name} does" for name in fired}, statement


def _events(dsn: str, statement: str) -> set[str]:
    """The events that the statement fires on the server."""
    events: set[str] = set()
    with closing(psycopg.connect(dsn)) as connection:
        connection.add_notice_handler(lambda said: events.add(said.message_primary or ""))
        connection.execute(statement.encode())
        connection.rollback()
    return events & EVENTS.keys()


def test_an_event_trigger_for_some_commands(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create table t (a int);
        create function f() returns event_trigger language plpgsql as 'begin end';
        create event trigger chosen on ddl_command_end when tag in ('CREATE TABLE', 'ALTER TABLE') execute function f();
        """,
    )
    catalog = read(dsn)
    unknown = ("what the event trigger chosen does",)
    assert _unknown(catalog, "create table u (a int)") == unknown
    assert _unknown(catalog, "alter table t add b int") == unknown
    assert _unknown(catalog, "create index on t (a)") == ()
    assert _unknown(catalog, "drop table t") == ()
    assert _unknown(catalog, "set session_replication_role = replica; alter table t add b int") == ()


def test_a_new_event_trigger_counts_from_then_on() -> None:
    text = """
    create table t (a int);
    create function f() returns event_trigger language plpgsql as 'begin end';
    create event trigger new on ddl_command_end execute function f();
    alter table t add b int;
    """
    found = predict(text, Catalog(closed=True, version=18), version=18)
    assert found[0].unknown == ()
    assert found[-1].unknown == ("what the event trigger new does",)


def test_a_disabled_event_trigger_does_not_count_until_it_is_enabled() -> None:
    text = """
    create function f() returns event_trigger language plpgsql as 'begin end';
    create event trigger new on ddl_command_end when tag in ('alter table') execute function f();
    create table t (a int);
    alter event trigger new disable;
    alter table t add b int;
    alter event trigger new enable replica;
    alter table t add c int;
    alter event trigger new enable;
    alter table t add d int;
    """
    found = predict(text, Catalog(closed=True, version=18), version=18)
    fires = ("what the event trigger new does",)
    assert [each.unknown for each in found[2:]] == [(), (), (), (), (), (), fires]


#: The lists of the two extensions, as far as they are looked at. A statement about a table on one runs through them.
TIMESCALE_LIKE = """
create table plain (a int);
create table metrics (at timestamptz not null, value float8);
create schema _timescaledb_internal;
create table _timescaledb_internal._hyper_1_1_chunk () inherits (metrics);
create schema _timescaledb_catalog;
create table _timescaledb_catalog.hypertable (schema_name name, table_name name);
create table _timescaledb_catalog.chunk (schema_name name, table_name name);
insert into _timescaledb_catalog.hypertable values ('public', 'metrics');
insert into _timescaledb_catalog.chunk values ('_timescaledb_internal', '_hyper_1_1_chunk');
"""
CITUS_LIKE = """
create table plain (a int);
create table orders (id bigint primary key);
set allow_system_table_mods = on;
create table pg_catalog.pg_dist_partition (logicalrelid regclass not null);
insert into pg_catalog.pg_dist_partition values ('orders');
"""


@pytest.mark.majors("ends")
def test_hypertables(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, TIMESCALE_LIKE)
    live = read(dsn)
    assert live.details.managed["table:public.metrics"] == "timescaledb"
    for catalog in (live, load(*dump(live))):
        chunk = "table:_timescaledb_internal._hyper_1_1_chunk"
        unknown = (f"what the extension timescaledb does, which manages {chunk} and 1 more",)
        assert _unknown(catalog, "alter table metrics add note text") == unknown
        assert _unknown(catalog, "create index on metrics (value)") != ()
        assert _unknown(catalog, "insert into metrics values (now(), 1)") != ()
        assert _unknown(catalog, f"drop table {chunk.removeprefix('table:')}") != ()
        assert _unknown(catalog, "alter table plain add b int") == ()
        assert _unknown(catalog, "create table other (a int)") == ()


@pytest.mark.majors("ends")
def test_distributed_tables(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, CITUS_LIKE)
    catalog = read(dsn)
    unknown = ("what the extension citus does, which manages table:public.orders",)
    assert _unknown(catalog, "alter table orders add note text") == unknown
    assert _unknown(catalog, "alter table plain add b bigint references orders") == unknown
    assert _unknown(catalog, "alter table plain add b int") == ()


def test_rules_speak_with_low_confidence_of_managed_tables(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    execute(dsn, CITUS_LIKE)
    schema, statistics = dump(read(dsn))
    snapshot = tmp_path / "schema.dflint.json"
    snapshot.write_bytes(schema)
    snapshot.with_name("schema.dflint.stats.json").write_bytes(statistics)

    def blocking_builds(statement: bytes) -> list[Finding]:
        found = lint(LintRequest(stdin=statement, catalog=str(snapshot), cache=False), Plugins()).findings
        return [each for each in found if each.rule == "create-index-blocking"]

    (plain,) = blocking_builds(b"create index i on plain (a)")
    (managed,) = blocking_builds(b"create index i on orders (id)")
    assert (plain.level, plain.confidence) == ("error", "high")
    assert (managed.level, managed.confidence) == ("warning", "low")
    assert "the extension citus" in managed.message


def test_members_of_extensions(pg: TestServer) -> None:
    """An extension's own table is its affair; its functions and types make nothing unknown."""
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create extension citext;
        create table t (a citext, b int);
        create table kept (a int);
        alter extension citext add table kept;
        """,
    )
    catalog = read(dsn)
    assert _unknown(catalog, "alter table t add c citext") == ()
    assert _unknown(catalog, "insert into kept values (1)") == ()
    assert _unknown(catalog, "alter table kept add b int") == (
        "what the extension citext does with its own table:public.kept",
    )


def _unknown(catalog: Catalog, text: str) -> tuple[str, ...]:
    return predict(text, catalog, version=catalog.version or 18)[-1].unknown
