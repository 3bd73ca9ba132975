from __future__ import annotations

import asyncio

import psycopg
import pytest
from msgspec.structs import replace

import dflint
from dflint.analysis.foreign_keys.script import definition_of
from dflint.app.foreign_keys import UnsafeForeignKeyChange
from dflint.guard.options import Options
from dflint.guard.progress import Silent
from dflint.guard.undoing import undo
from dflint.model.errors import InputError, NotFound
from dflint.postgres.source import ConnectionSource
from tests.catalog.live import execute
from tests.servers import TestServer

SCHEMA = """
create table region (id int primary key);
create table country (id int primary key, iso text unique, region int references region on delete cascade);
create table city (id int primary key, country int references country on delete cascade, iso text references country (iso));
create table street (id int primary key, city int references city on delete cascade);
create table house (id int primary key, street int references street on delete set null);
create table dept (id int primary key, head int);
create table emp (id int primary key, dept int references dept, boss int references emp);
alter table dept add foreign key (head) references emp;
"""
KEYS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where contype = 'f' and connamespace = 'public'::regnamespace order by 1, 2
"""


def impact_of(dsn: str, *words: str, **details: object) -> dflint.ForeignKeyImpact:
    return asyncio.run(dflint.ForeignKeyAnalyzer(dsn).analyze_fk_impact(*words, **details))  # type: ignore[arg-type]


@pytest.fixture
def dsn(pg: TestServer) -> str:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    return dsn


@pytest.mark.majors(13, 15, 18)
def test_rows_that_go_with_others(dsn: str) -> None:
    found = impact_of(dsn, "drop_table", "region")
    deleted = {each.table for each in found.cascade_operations if each.event == "delete" and each.result == "deleted"}
    assert deleted == {"table:public.country", "table:public.city", "table:public.street"}
    (nulls,) = (each for each in found.cascade_operations if each.result == "updated" and each.event == "delete")
    assert (nulls.table, nulls.action, nulls.columns) == ("table:public.house", "set_null", ("street",))
    assert found.impact_level is dflint.FKImpactLevel.CRITICAL
    assert not found.is_safe_to_proceed
    assert any("fk:public.country.country_region_fkey" in reason for reason in found.reasons)


@pytest.mark.majors(13, 15, 18)
def test_circles(dsn: str) -> None:
    assert impact_of(dsn, "drop_column", "emp", "dept").cycles == (("table:public.dept", "table:public.emp"),)
    assert impact_of(dsn, "drop_column", "city", "iso").cycles == ()


@pytest.mark.majors(14, 18)
def test_keys_of_others_block_unless_they_are_named(dsn: str) -> None:
    analyzer = dflint.ForeignKeyAnalyzer(dsn)
    blocked = impact_of(dsn, "drop_column", "country", "iso")
    assert {each.identity for each in blocked.affected_constraints} == {"fk:public.city.city_iso_fkey"}
    with pytest.raises(UnsafeForeignKeyChange, match="city_iso_fkey"):
        asyncio.run(analyzer.generate_fk_safe_migration_plan(blocked))
    free = impact_of(dsn, "drop_column", "country", "iso", dropping=["city_iso_fkey"])
    assert free.is_safe_to_proceed
    plan = asyncio.run(analyzer.generate_fk_safe_migration_plan(free))
    with psycopg.connect(dsn) as connection:
        before = connection.execute(KEYS.encode()).fetchall()
        assert asyncio.run(analyzer.execute_fk_safe_migration(plan)).success
        connection.rollback()
        assert connection.execute(KEYS.encode()).fetchall() == [key for key in before if key[1] != "city_iso_fkey"]


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("strategy", ["minimal_downtime", "single_transaction"])
def test_keys_are_restored_to_the_letter(dsn: str, strategy: str) -> None:
    execute(
        dsn,
        """create table parent (a int, b int, primary key (a, b));
        create table child (x int, y int, constraint "both, of them" foreign key (y, x) references parent (b, a)
          match full on update cascade on delete cascade deferrable initially deferred);
        comment on constraint "both, of them" on child is 'it''s one';
        insert into parent values (1, 2); insert into child values (1, 2);""",
    )
    analyzer = dflint.ForeignKeyAnalyzer(dsn)
    found = impact_of(dsn, "modify_column_type", "parent", "a", new_type="bigint")
    plan = asyncio.run(analyzer.generate_fk_safe_migration_plan(found, strategy))
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = connection.execute(KEYS.encode()).fetchall()
        assert asyncio.run(analyzer.execute_fk_safe_migration(plan)).success
        assert connection.execute(KEYS.encode()).fetchall() == before
        query = "select convalidated, obj_description(oid) from pg_constraint where conname = 'both, of them'"
        assert connection.execute(query).fetchall() == [(True, "it's one")]
        assert connection.execute("select pg_typeof(a)::text from parent").fetchall() == [("bigint",)]
    steps = [step.sql for step in plan.steps]
    if strategy == "minimal_downtime":
        assert any("NOT VALID" in sql for sql in steps)
        assert any("VALIDATE CONSTRAINT" in sql for sql in steps)


def test_what_cannot_be_asked_is_said(dsn: str) -> None:
    with pytest.raises(NotFound, match="usres"):
        impact_of(dsn, "drop_column", "usres", "id")
    with pytest.raises(InputError, match="there is no foreign-key analysis"):
        impact_of(dsn, "drop_everything", "emp")
    with pytest.raises(InputError, match="needs column_name"):
        impact_of(dsn, "drop_column", "emp")
    with pytest.raises(NotFound, match="no foreign key"):
        impact_of(dsn, "drop_column", "emp", "dept", dropping=["nothing"])


@pytest.mark.majors(18)
def test_periods_are_in_a_definition_that_no_server_printed(dsn: str) -> None:
    execute(
        dsn,
        """create extension if not exists btree_gist;
        create table price (item int, valid int4range, primary key (item, valid without overlaps));
        create table sale (item int, at int4range, constraint priced foreign key (item, period at)
          references price (item, period valid));""",
    )
    found = impact_of(dsn, "drop_column", "sale", "at")
    (constraint,) = found.affected_constraints
    expected = "FOREIGN KEY (item, PERIOD at) REFERENCES price(item, PERIOD valid)"
    assert constraint.definition is not None
    assert constraint.definition.replace("public.", "") == expected
    rebuilt = definition_of(replace(constraint, definition=None))
    execute(dsn, f"alter table sale drop constraint priced; alter table sale add constraint priced {rebuilt}")
    with psycopg.connect(dsn) as connection:
        query = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'priced'"
        assert connection.execute(query).fetchall() == [(expected,)]


@pytest.mark.majors(18)
def test_locks_on_other_tables_are_found_by_odd_names(dsn: str) -> None:
    execute(
        dsn,
        """create table "a.b" (id int primary key); create table "say ""hi" (x int references "a.b");
        create table b (id int primary key); create schema a; create table a.b (id int primary key);""",
    )
    found = impact_of(dsn, "drop_table", '"say ""hi"')
    assert set(found.locks_on_other_tables) == {'table:public."a.b"'}


def test_values_that_keys_may_not_keep_are_said(dsn: str) -> None:
    execute(
        dsn,
        """create table one (id int primary key);
        create table two (id int not null references one on delete set null, a int default 7 references one
          on delete set default, b int references one on update cascade, constraint also foreign key (b) references region);
        """,
    )
    found = impact_of(dsn, "drop_table", "one")
    said = {(each.constraint, each.event): (each.result, each.checks) for each in found.cascade_operations}
    key = "fk:public.two.two_{}_fkey".format
    assert said[key("id"), "delete"] == ("refused", ())
    assert said[key("a"), "delete"] == ("updated", (key("a"),))
    assert said[key("b"), "update"] == ("updated", ("fk:public.two.also",))


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("state", ["", " not valid"])
def test_a_dropped_key_is_as_it_was_after_undo(dsn: str, state: str) -> None:
    execute(dsn, f"alter table city add constraint back foreign key (country) references country{state}")
    analyzer = dflint.ForeignKeyAnalyzer(dsn)
    query = KEYS.replace("conname,", "conname, convalidated,").encode()
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = connection.execute(query).fetchall()
        found = impact_of(dsn, "drop_constraint", "city", constraint_name="back")
        plan = asyncio.run(analyzer.generate_fk_safe_migration_plan(found))
        outcome = asyncio.run(analyzer.execute_fk_safe_migration(plan)).outcome
        assert len(connection.execute(query).fetchall()) == len(before) - 1
        undone = asyncio.run(undo(ConnectionSource(dsn), outcome.run_id, Options(), Silent()))
        assert undone.exit_code == 0, undone.message
        assert connection.execute(query).fetchall() == before
