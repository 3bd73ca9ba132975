"""The live catalog against real servers."""

from __future__ import annotations

import asyncio
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dflint.catalog.comparing import differences
from dflint.catalog.reader import read_catalog
from dflint.model.catalog import EnumType, Other, Publication, RangeType, Sequence, View
from dflint.model.errors import InputError
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column
from tests.catalog.live import execute, index, read, relation, table
from tests.catalog.schemas import SCHEMAS
from tests.history.replaying import replayed
from tests.servers import TestServer


@pytest.mark.majors("all")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_replayed_and_a_live_catalog_say_the_same(pg: TestServer, schema: str) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMAS[schema])
    live = read(dsn)
    assert live.incomplete == ()
    assert (live.basis, live.closed, live.version) == ("live", True, pg.major)
    assert differences(replayed(SCHEMAS[schema], version=pg.major), live) == []


@pytest.mark.majors("ends")
def test_reading_twice_gives_equal_values(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "".join(SCHEMAS["tables"]))
    assert read(dsn) == read(dsn)


def test_a_difference_is_found(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "create table t (a int default 1, b varchar(10)); create index i on t (a) where a > 1")
    other = "create table t (a int default 2, b varchar(20)); create index i on t (a) where a > 2; create table x ()"
    found = {(each.what, each.path) for each in differences(replayed(other, version=pg.major), read(dsn))}
    assert found == {
        ("relation public.t", "columns.a.default.value"),
        ("relation public.t", "columns.b.type"),
        ("relation public.i", "where.args[1].value"),
        ("relation public.x", ""),
    }


OTHERS = """
create type shell;
create collation german (locale = 'C');
create statistics st (ndistinct) on a, b from t;
create foreign data wrapper w;
create server srv foreign data wrapper w options (host 'h', password 'geheim');
create user mapping for public server srv options (password 'geheim');
create foreign table ft (a int) server srv options (x 'y');
create operator === (leftarg = int, rightarg = int, function = int4eq);
create operator family fam using btree;
create operator class cls for type int using btree family fam as operator 3 =, function 1 btint4cmp(int, int);
create text search dictionary dict (template = simple);
create text search configuration conf (copy = simple);
create cast (t as int) with inout;
create function et() returns event_trigger language plpgsql as 'begin end';
create event trigger watch on ddl_command_end when tag in ('CREATE TABLE') execute function et();
create conversion conv for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1;
create access method am type index handler bthandler;
create publication pub for table t with (publish = 'insert');
alter default privileges grant select on tables to public;
alter database current_name set lock_timeout = '5s';
"""


@pytest.mark.majors("ends")
def test_objects_without_a_type_of_their_own(pg: TestServer) -> None:
    dsn = pg.new_database()
    database = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    execute(dsn, "create table t (a int, b int)")
    execute(dsn, OTHERS.replace("current_name", str(database)))
    catalog = read(dsn)
    assert catalog.incomplete == ()
    expected = {
        "collation:public.german",
        "statistics:public.st",
        "fdw:w",
        "server:srv",
        "user_mapping:public.srv",
        'operator:public.===."pg_catalog.int4"."pg_catalog.int4"',
        "operator_family:public.fam.btree",
        "operator_class:public.cls.btree",
        "text_search_dictionary:public.dict",
        "text_search_configuration:public.conf",
        'cast:"public.t AS pg_catalog.int4"',
        "event_trigger:watch",
        "conversion:public.conv",
        "access_method:am",
        "setting:database",
        "database:current",
        "language:plpgsql",
    }
    assert expected <= set(catalog.others)
    assert any(key.startswith("default_privileges:") for key in catalog.others)
    trigger = catalog.others["event_trigger:watch"]
    assert isinstance(trigger, Other)
    assert dict(trigger.attributes) == {
        "event": "ddl_command_end",
        "function": "public.et",
        "tag": "CREATE TABLE",
    }
    assert "geheim" not in repr(catalog.others)
    assert catalog.publications["pub"] == Publication("pub", (Name("public", "t"),), operations=("insert",))
    assert table(catalog, "ft").foreign_server == "srv"
    assert catalog.details.dependencies["foreign_table:public.ft"][0].referenced == "server:srv"
    execute(dsn, f"drop access method am; alter database {database} reset all")


@pytest.mark.majors("ends")
def test_large_objects_that_somebody_was_given(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "select lo_create(0); select lo_create(70001); grant select on large object 70001 to public")
    catalog = read(dsn)
    assert [key for key in catalog.others if key.startswith("large_object:")] == ["large_object:70001"]
    (privileges,) = [found for key, found in catalog.details.privileges.items() if key == "large_object:70001"]
    assert any(entry.startswith("=r/") for entry in privileges)


@pytest.mark.majors("ends")
def test_security_labels(pg: TestServer) -> None:
    """Providers of labels are loaded libraries; the rows that they leave are the same as these."""
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create table t (a int);
        set allow_system_table_mods = on;
        insert into pg_seclabel values ('t'::regclass, 'pg_class'::regclass, 0, 'two', 'secret'),
            ('t'::regclass, 'pg_class'::regclass, 0, 'one', 'public'),
            ('t'::regclass, 'pg_class'::regclass, 1, 'one', 'masked');
        """,
    )
    labels = read(dsn).details.security_labels
    assert dict(labels) == {"table:public.t": ("one: public", "two: secret"), "column:public.t.a": ("one: masked",)}


@pytest.mark.majors("ends")
def test_details(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create table t (a int);
        insert into t values (1);
        alter table t add column b int default 7;
        comment on table t is 'rows';
        comment on column t.b is 'seven';
        grant select on t to public;
        grant update (b) on t to public;
        create sequence s;
        create view v as select b from t;
        create function f(x int, y text[]) returns int language sql as 'select 1';
        """,
    )
    details = read(dsn).details
    assert dict(details.comments) == {"table:public.t": "rows", "column:public.t.b": "seven"}
    assert dict(details.fast_defaults) == {"column:public.t.b": True}
    assert "=r/postgres" in details.privileges["table:public.t"]
    assert details.privileges["column:public.t.b"] == ("=w/postgres",)
    assert details.owners["sequence:public.s"] == "postgres"
    assert details.owners['function:public."f(integer, text[])"'] == "postgres"
    assert [each.referenced for each in details.dependencies["view:public.v"]] == ["column:public.t.b"]


def test_members_of_an_extension_are_marked(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "create schema ext; create extension citext schema ext")
    catalog = read(dsn)
    assert catalog.extensions["citext"] is not None
    assert catalog.details.extension_members["type:ext.citext"] == "citext"
    assert Name("ext", "citext") in catalog.types


@pytest.mark.majors("ends")
def test_a_role_with_connect_only_reads_the_same(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMAS["tables"] + SCHEMAS["views"])
    execute(
        dsn,
        "drop role if exists reader_nobody; create role reader_nobody login; revoke all on schema public from public",
    )
    try:
        mine, theirs = read(dsn), read(make_conninfo(dsn, user="reader_nobody"))
        assert theirs.incomplete == ()
        assert theirs == mine
    finally:
        execute(dsn, "drop role reader_nobody")


@pytest.mark.majors("ends")
def test_sizes_and_rows(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create table t (a int primary key); insert into t select generate_series(1, 5000);
        create table p (a int) partition by range (a);
        create table p1 partition of p for values from (0) to (3000);
        create table p2 partition of p for values from (3000) to (9000);
        insert into p select generate_series(1, 5000);
        create table fresh (a int);
        """,
    )
    assert table(read(dsn), "p").rows is None
    execute(dsn, "vacuum analyze")
    catalog = read(dsn)
    assert table(catalog, "t").rows == table(catalog, "p").rows == 5000
    one, two, both = (table(catalog, name).bytes for name in ("p1", "p2", "p"))
    assert one is not None
    assert two is not None
    assert both == one + two
    assert index(catalog, "t_pkey").bytes == 14 * 8192 + 2 * 8192 or (index(catalog, "t_pkey").bytes or 0) > 8192
    if pg.major > 13:
        execute(dsn, "truncate t")
        assert table(read(dsn), "t").rows is None


def test_an_invalid_index_and_a_constraint_that_is_not_valid(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "create table t (a int); insert into t values (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(dsn, "create unique index concurrently broken on t (a)")
    execute(dsn, "alter table t add constraint c check (a > 1) not valid")
    catalog = read(dsn)
    assert not index(catalog, "broken").valid
    assert [each.validated for each in table(catalog, "t").constraints] == [False]


def test_what_only_some_majors_have(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create table t (
          a int, b int constraint nn not null no inherit,
          v int generated always as (a + 1) virtual,
          c int check (c > 0) not enforced, z text compression pglz,
          unique nulls not distinct (a));
        create table booking (room int, during tsrange, during2 tstzrange);
        create publication p for table t (a, b) where (a > 3);
        create publication q for tables in schema public;
        create type floats as range (subtype = float8);
        """,
    )
    catalog = read(dsn)
    t = table(catalog, "t")
    by_name = {each.name: each for each in t.constraints}
    assert by_name["nn"].no_inherit
    assert not by_name["t_c_check"].enforced
    assert not by_name["t_c_check"].validated
    assert by_name["t_a_key"].nulls_not_distinct
    column = t.column("v")
    assert isinstance(column, Column)
    assert column.generation == "virtual"
    publication = catalog.publications["p"]
    assert publication is not None
    assert publication.columns == ((Name("public", "t"), ("a", "b")),)
    assert publication.filters[0][1].kind == "operator"
    assert catalog.publications["q"] == Publication("q", schemas=("public",))
    assert isinstance(catalog.types[Name("public", "floats")], RangeType)
    assert Name("public", "floats") not in catalog.routines


def test_values_look_like_those_of_a_replay(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create type mood as enum ('sad', 'happy');
        create table t (id serial, m mood default 'sad');
        create view v as select id as n, m from t;
        """,
    )
    catalog = read(dsn)
    assert catalog.types[Name("public", "mood")] == EnumType(Name("public", "mood"), ("sad", "happy"))
    sequence = relation(catalog, "t_id_seq")
    assert isinstance(sequence, Sequence)
    assert (sequence.owner_table, sequence.owner_column) == (Name("public", "t"), "id")
    view = relation(catalog, "v")
    assert isinstance(view, View)
    assert view.query.reads == (Name("public", "t"),)
    assert view.query.columns == (("n", Name("public.t", "id")), ("m", Name("public.t", "m")))
    assert catalog.dependents_of[Name("public", "t_id_seq")] == (Name("public", "t"),)
    assert catalog.users_of_type[Name("public", "mood")] == (Name("public", "t"), Name("public", "v"))


def test_a_choice_of_schemas_leaves_the_rest_unknown(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "create schema a; create schema b; create table a.t (x int); create table b.t (x int)")
    catalog = read(dsn, schemas=["a"])
    assert set(catalog.relations) == {Name("a", "t")}
    assert not catalog.closed


def test_odd_names_and_texts(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        """
        create schema "My ""Schema";
        create table "My ""Schema"."T.1" ("Select" text default 'it''s; -- not', "ü" serial, check ("Select" <> E'\\n'));
        create view "My ""Schema"."V" as select "Select" from "My ""Schema"."T.1";
        """,
    )
    catalog = read(dsn)
    name = Name('My "Schema', "T.1")
    found = table(catalog, "T.1", name.schema or "")
    column = found.column("Select")
    assert isinstance(column, Column)
    assert column.default is not None
    assert column.default.args[0] == Expr("constant", value="it's; -- not")
    assert catalog.dependents_of[name] == (Name('My "Schema', "T.1_ü_seq"), Name('My "Schema', "V"))


def test_the_connection_is_given_back_as_it_was(pg: TestServer) -> None:
    async def reading() -> None:
        async with await psycopg.AsyncConnection.connect(pg.dsn()) as connection:
            await connection.execute("set search_path = elsewhere")
            with pytest.raises(InputError):
                await read_catalog(connection)
            await connection.commit()
            await read_catalog(connection)
            assert not connection.autocommit
            cursor = await connection.execute("show search_path")
            assert await cursor.fetchone() == ("elsewhere",)

    asyncio.run(reading())


def test_a_query_that_does_not_end_in_time_makes_the_catalog_incomplete(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "create table t (a int)")
    with closing(psycopg.connect(dsn)) as blocker:
        # Nobody does that, but it is the way to make a query about one catalog fail.
        blocker.execute("lock table pg_policy in access exclusive mode")
        catalog = read(dsn)
    assert any(each.startswith("policies could not be read") for each in catalog.incomplete)
    assert table(catalog, "t").columns
