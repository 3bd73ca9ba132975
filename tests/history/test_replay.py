"""What operations make of the catalog: the open world, refusals, and references that follow."""

from __future__ import annotations

import pytest

from dflint.history.replay import DYNAMIC_SQL, apply, end_session, replay
from dflint.model.catalog import (
    UNKNOWN,
    Catalog,
    CompositeType,
    Domain,
    EnumType,
    Sequence,
    View,
)
from dflint.model.dependencies import sequences_named
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import DynamicSql, Insert, Truncate
from dflint.model.operations.objects import (
    CreatePolicy,
    CreateRoutine,
    CreateSchema,
    CreateTrigger,
    CreateView,
    DropObject,
    RenameObject,
)
from dflint.model.operations.session import Begin
from dflint.model.operations.tables import AddColumn, CreateTable, SetNotNull
from dflint.model.schema import Column, Constraint, Parameter, Query
from dflint.model.session import Session
from tests.history.replaying import (
    EMPTY,
    UNKNOWN_DATABASE,
    column_names,
    constraint_names,
    index,
    public,
    replayed,
    table,
)

T = Name(None, "t")
INT4 = Type(Name("pg_catalog", "int4"))


def applied(operations: list[Operation], catalog: Catalog = EMPTY, version: int = 15) -> Catalog:
    return replay(operations, catalog, Session(), version)


# --- operations without effect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [Insert(target=T), Begin(), Truncate(target=T), Opaque(reason="", rejected=True)])
def test_an_operation_without_effect_gives_the_same_value(operation: Operation) -> None:
    catalog = replayed("create table t (a int)")
    assert apply(operation, catalog, Session(), 15) is catalog


@pytest.mark.parametrize(
    "sql",
    [
        "create table t (z int)",
        "create table if not exists t (z int)",
        "create table i (z int, z int)",
        "create index i on t (a)",
        "create index i on t (nothing)",
        "create unique index on missing (a)",
        "alter table t add column a int",
        "alter table t add column if not exists a bigint",
        "alter table t drop column nothing",
        "alter table t drop column a",
        "alter table t add primary key (b)",
        "alter table t add constraint c check (b > 1)",
        "alter table t drop constraint nothing",
        "alter table t drop constraint t_pkey",
        "alter table t add foreign key (b) references missing",
        "alter table missing add column a int",
        "drop table t",
        "drop table missing",
        "drop table if exists missing",
        "drop view t",
        "drop index t_pkey",
        "drop sequence u_id_seq1",
        "drop type mood",
        "alter table t rename to u",
        "alter table t rename a to b",
        "alter type mood add value 'sad'",
        "alter type mood add value 'x' after 'y'",
        "create type mood as enum ()",
        "create view t as select 1",
        "refresh materialized view v",
        "alter table u alter id drop not null",
        "create sequence i",
        "alter table missing set schema public",
    ],
)
def test_what_the_server_refuses_or_skips_changes_nothing(sql: str) -> None:
    catalog = replayed(
        """create type mood as enum ('sad'); create table t (a int primary key, b int, c mood, constraint c check (b > 0));
        create index i on t (b); create table u (id int generated always as identity, x serial, t_a int references t);
        create view v as select a from t"""
    )
    assert replayed(sql, catalog) is catalog


# --- the open world -------------------------------------------------------------------------------------------------


def test_altering_an_unknown_table_leaves_a_stub() -> None:
    catalog = replayed(
        """alter table t add column a int, alter b set not null, alter c type text,
        add constraint k check (a > 0) not valid; alter table t validate constraint k""",
        UNKNOWN_DATABASE,
    )
    stub = table(catalog)
    assert not stub.complete
    assert [(c.name, c.complete, c.not_null, c.type is not None) for c in stub.columns] == [
        ("a", True, False, True),
        ("b", False, True, False),
        ("c", False, False, True),
    ]
    assert stub.column("other") is UNKNOWN
    assert isinstance(found := stub.constraint("k"), Constraint)
    assert found.validated


def test_if_exists_on_an_unknown_table_teaches_nothing() -> None:
    catalog = replayed("alter table if exists t add column a int", UNKNOWN_DATABASE)
    assert catalog.relation(public("t")) is UNKNOWN


def test_a_drop_leaves_the_relation_known_to_be_absent() -> None:
    catalog = replayed("drop table if exists t; drop view v; drop index i; drop type ty", UNKNOWN_DATABASE)
    assert catalog.relation(public("t")) is None
    assert catalog.relation(public("v")) is None
    assert catalog.relation(public("i")) is None
    assert public("ty") in catalog.types
    assert catalog.types[public("ty")] is None


def test_if_not_exists_is_certain_only_where_the_table_is_known_absent() -> None:
    sql = "create table if not exists t (a int)"
    assert table(replayed(sql)).complete
    assert not table(replayed(sql, UNKNOWN_DATABASE)).complete
    assert table(replayed("drop table if exists t; " + sql, UNKNOWN_DATABASE)).complete


def test_create_table_on_an_unknown_name_is_complete() -> None:
    assert table(replayed("create table t (a int)", UNKNOWN_DATABASE)).complete


@pytest.mark.parametrize(
    "sql", ["create table t (like x, b int)", "create table t () inherits (x)", "create table t as select * from x"]
)
def test_what_comes_from_an_unknown_table_is_not_complete(sql: str) -> None:
    assert not table(replayed(sql, UNKNOWN_DATABASE)).complete


def test_renaming_an_unknown_table() -> None:
    catalog = replayed("create index i on t (a); alter table t rename to u", UNKNOWN_DATABASE)
    assert catalog.relation(public("t")) is None
    assert catalog.relation(public("u")) is UNKNOWN
    assert index(catalog, "i").table == public("u")


def test_dynamic_sql_makes_the_catalog_incomplete_once() -> None:
    catalog = applied([DynamicSql(text="x"), DynamicSql(text="y")])
    assert catalog.incomplete == (DYNAMIC_SQL,)


# --- conditional operations -----------------------------------------------------------------------------------------


def test_a_conditional_create_leaves_the_table_possible() -> None:
    catalog = replayed("drop table if exists t", UNKNOWN_DATABASE)
    catalog = replayed("create table t (a serial primary key)", catalog, conditional=True)
    assert catalog.relation(public("t")) is UNKNOWN
    assert catalog.relation(public("t_pkey")) is UNKNOWN
    assert catalog.relation(public("t_a_seq")) is UNKNOWN


def test_a_conditional_change_keeps_what_is_certain() -> None:
    before = replayed("create table t (a int, b int not null, constraint k check (a > 0))")
    after = replayed("alter table t add column c int", before, conditional=True)
    assert column_names(after) == ["a", "b"]
    assert table(after).column("c") is UNKNOWN
    assert constraint_names(after) == ["k"]
    after = replayed("alter table t alter b drop not null", before, conditional=True)
    assert column_names(after) == ["a"]


def test_a_conditional_drop_leaves_the_table_possible() -> None:
    catalog = replayed("create table t (a int primary key)", UNKNOWN_DATABASE)
    catalog = replayed("drop table t", catalog, conditional=True)
    assert catalog.relation(public("t")) is UNKNOWN
    assert catalog.relation(public("t_pkey")) is UNKNOWN


def test_a_conditional_create_of_a_known_table_changes_nothing() -> None:
    catalog = replayed("create table t (a int); create type m as enum ('x')")
    assert replayed("create table t (b int); create type m as enum ('y')", catalog, conditional=True) is catalog


# --- names and schemas ----------------------------------------------------------------------------------------------


def test_names_follow_the_search_path() -> None:
    catalog = replayed("create schema a; create schema b; create table b.t (x int)")
    catalog = replayed("create table u (y int); alter table t add column z int", catalog, path=("a", "b"))
    assert [c.name for c in table(catalog, "t", "b").columns] == ["x", "z"]
    assert table(catalog, "u", "a").complete


def test_temporary_tables_come_first_and_end_with_the_session() -> None:
    catalog = replayed("create table t (a int); create temp table t (b serial); alter table t add c int")
    assert [c.name for c in table(catalog, "t", "pg_temp").columns] == ["b", "c"]
    assert column_names(catalog) == ["a"]
    assert catalog.resolve(T, ("public",)) == Name("pg_temp", "t")
    ended = end_session(catalog, Session(), 15)
    assert ended == replayed("create table t (a int)")


def test_dropping_a_schema_takes_all_in_it_and_what_depends_on_it() -> None:
    catalog = replayed(
        """create table keep (a int); create schema s; create table s.t (id serial primary key); create type s.m as enum ();
        create table u (t_id int references s.t, m s.m, k int)""",
    )
    assert replayed("drop schema s", catalog) is catalog
    dropped = replayed("drop schema s cascade", catalog)
    assert dropped == replayed("create table keep (a int); create table u (t_id int, k int)")


def test_renaming_a_schema_moves_everything() -> None:
    sql = """create schema {0}; create table {0}.t (id serial primary key, n int check (n > 0));
        create domain {0}.d as int; create index on {0}.t (n); create view {0}.v as select n from {0}.t;
        create table u (t_id int references {0}.t, x {0}.d)"""
    assert replayed(sql.format("a") + "; alter schema a rename to b") == replayed(sql.format("b"))


# --- references follow ----------------------------------------------------------------------------------------------


def test_set_schema_takes_indexes_and_owned_sequences_along() -> None:
    catalog = replayed("create schema s; create table t (id serial primary key, u int unique)")
    moved = replayed("alter table t set schema s", catalog)
    assert moved == replayed("create schema s; create table s.t (id serial primary key, u int unique)")


def test_renaming_a_table_renames_its_mentions() -> None:
    catalog = replayed(
        """create table t (id serial primary key, parent int references t); create table c () inherits (t);
        create table o (t_id int references t); create view v as select id from t; alter table t rename to n"""
    )
    assert {c.references for name in ("n", "o") for c in table(catalog, name).constraints} == {None, public("n")}
    assert table(catalog, "c").parents == (public("n"),)
    view = catalog.relations[public("v")]
    assert isinstance(view, View)
    assert view.query.reads == (public("n"),)
    assert index(catalog, "t_pkey").table == public("n")
    sequence = catalog.relations[public("t_id_seq")]
    assert isinstance(sequence, Sequence)
    assert sequence.owner_table == public("n")


def test_renaming_a_column_renames_its_mentions() -> None:
    before = """create table t (a int generated always as identity, b int, constraint p primary key (a, b),
        constraint k check (a > b), g int generated always as (a + 1) stored);
        create index i on t (lower(a::text)) include (b) where a > 0;
        create table o (x int, y int, constraint f foreign key (x, y) references t (a, b))"""
    after = before.replace("(a,", "(n,").replace("(a ", "(n ").replace("a > ", "n > ").replace("lower(a", "lower(n")
    assert "a" not in [c.name for c in table(replayed(before + "; alter table t rename a to n")).columns]
    renamed, expected = replayed(before + "; alter table t rename a to n"), replayed(after)
    for name in ("t", "i", "o"):
        one, other = renamed.relations[public(name)], expected.relations[public(name)]
        assert one == other
    sequence = renamed.relations[public("t_a_seq")]
    assert isinstance(sequence, Sequence)
    assert sequence.owner_column == "n"


def test_renaming_a_sequence_changes_the_defaults_that_name_it() -> None:
    catalog = replayed("create table t (id serial); create table u (id int default nextval('t_id_seq'))")
    catalog = replayed('alter sequence t_id_seq rename to "New"', catalog)
    for name in ("t", "u"):
        default = table(catalog, name).columns[0].default
        assert default is not None
        assert list(sequences_named(default)) == [public("New")]


def test_renaming_a_constraint_renames_its_index_and_the_other_way_round() -> None:
    catalog = replayed(
        """create table t (a int primary key, b int unique); alter table t cluster on t_pkey;
        alter table t replica identity using index t_pkey;
        alter table t rename constraint t_pkey to p; alter index t_b_key rename to q"""
    )
    assert constraint_names(catalog) == ["p", "q"]
    assert index(catalog, "p").constraint == "p"
    assert index(catalog, "q").constraint == "q"
    assert (table(catalog).clustered_on, table(catalog).replica_index) == ("p", "p")


def test_dropping_a_table_with_cascade_frees_the_others() -> None:
    catalog = replayed(
        """create table t (id serial primary key); create table o (t_id int references t, n int);
        create view v as select id from t; create view w as select * from v; drop table t cascade"""
    )
    assert catalog == replayed("create table o (t_id int, n int)")


def test_a_drop_list_may_name_tables_that_depend_on_each_other() -> None:
    catalog = replayed("create table t (id int primary key); create table u (t_id int references t)")
    assert replayed("drop table t, u", catalog) == EMPTY
    assert replayed("drop table t", catalog) is catalog


def test_partitions_follow_their_table() -> None:
    catalog = replayed(
        """create table p (a int not null, b int) partition by range (a);
        create table p1 partition of p for values from (0) to (1);
        create table q (a int not null, b int); alter table p attach partition q for values from (1) to (2);
        alter table p add column c text not null default 'x'; create index on p (b); alter table p add unique (a, b)"""
    )
    for name in ("p1", "q"):
        member = table(catalog, name)
        assert [(c.name, c.local, c.inherited) for c in member.columns] == [(n, False, 1) for n in "abc"]
        assert constraint_names(catalog, name) == [f"{name}_a_b_key"]
        assert index(catalog, f"{name}_b_idx").parents == (public("p_b_idx"),)
    assert catalog.children_of[public("p")] == (public("p1"), public("q"))
    detached = replayed("alter table p detach partition q; drop table p", catalog)
    assert detached.relation(public("p1")) is None
    assert [(c.name, c.local, c.inherited) for c in table(detached, "q").columns] == [(n, True, 0) for n in "abc"]
    assert index(detached, "q_b_idx").parents == ()


def test_an_index_on_only_the_partitioned_table_is_invalid_until_all_are_attached() -> None:
    sql = """create table p (a int) partition by list (a); create table p1 partition of p for values in (1);
        create index i on only p (a); create index i1 on p1 (a)"""
    catalog = replayed(sql)
    assert not index(catalog, "i").valid
    assert index(replayed("alter index i attach partition i1", catalog), "i").valid


# --- types and routines ---------------------------------------------------------------------------------------------


def test_enum_values_keep_their_places() -> None:
    catalog = replayed(
        """create type m as enum ('a', 'c'); alter type m add value 'b' before 'c'; alter type m add value 'd';
        alter type m add value 'aa' after 'a'; alter type m rename value 'c' to 'cc'"""
    )
    assert catalog.types[public("m")] == EnumType(public("m"), ("a", "aa", "b", "cc", "d"))


def test_types_of_columns_are_resolved_and_follow_a_rename() -> None:
    catalog = replayed("create domain d as int not null; create table t (a d, b d[], c unknown_one)")
    catalog = replayed("alter domain d rename to e", catalog)
    assert [c.type.name for c in table(catalog).columns if c.type] == [
        public("e"),
        public("e"),
        Name(None, "unknown_one"),
    ]
    assert replayed("drop domain e", catalog) is catalog
    assert column_names(replayed("drop domain e cascade", catalog)) == ["c"]


def test_composite_types_share_the_relations_name_space() -> None:
    catalog = replayed(
        "create type c as (a int); alter type c add attribute b text; alter type c rename attribute a to x"
    )
    found = catalog.relations[public("c")]
    assert isinstance(found, CompositeType)
    assert [attribute.name for attribute in found.attributes] == ["x", "b"]
    assert replayed("create table c (a int)", catalog) is catalog


def test_domain_constraints() -> None:
    catalog = replayed(
        """create domain d as int check (value > 0); alter domain d add constraint k check (value < 9) not valid;
        alter domain d validate constraint k; alter domain d drop constraint d_check; alter domain d set not null"""
    )
    domain = catalog.types[public("d")]
    assert isinstance(domain, Domain)
    assert domain.not_null
    assert [(c.name, c.validated) for c in domain.constraints] == [("k", True)]


def routine(kind: str, **values: object) -> CreateRoutine:
    parameter = Parameter("x", Type(Name("pg_catalog", kind)))
    return CreateRoutine(target=Name(None, "f"), parameters=(parameter,), **values)  # type: ignore[arg-type]


def test_routines_are_lists_of_overloads() -> None:
    catalog = applied([routine("int4"), routine("text"), routine("text", or_replace=True, body="new"), routine("int4")])
    overloads = catalog.routines[public("f")]
    assert overloads is not None
    assert [overload.body for overload in overloads] == [None, "new"]
    drop = DropObject(target=Name(None, "f"), object_kind="function", arguments=(INT4,))
    left = applied([drop], catalog).routines[public("f")]
    assert left is not None
    assert len(left) == 1
    assert applied([DropObject(target=Name(None, "f"), object_kind="function")], catalog) is catalog


TRIGGER = CreateTrigger(target=T, name="tr", function=Name(None, "f"), for_each_row=True, events=("insert",))
FUNCTION = CreateRoutine(target=Name(None, "f"))


def test_signatures_keep_what_the_server_keeps() -> None:
    catalog = replayed(
        "create table t (id bigint, name varchar(32));"
        "create function f(i t.id%type, n public.t.name%type) returns t.id%type language sql as 'select 1::bigint';"
        "create function one(out a int) language sql as 'select 1';"
        "create function two(a int, out b text, out c int) language sql as $$select 'x', 1$$;"
    )
    f, one, two = ((catalog.routines[Name("public", name)] or ())[0] for name in ("f", "one", "two"))
    assert [str(parameter.type.name) for parameter in f.parameters] == ["pg_catalog.int8", "pg_catalog.varchar"]
    assert f.parameters[1].type.modifiers == ()
    assert f.returns == Type(Name("pg_catalog", "int8"))
    assert one.returns == Type(Name("pg_catalog", "int4"))
    assert two.returns == Type(Name("pg_catalog", "record"))


def test_triggers_follow_their_function_and_go_with_it() -> None:
    catalog = applied([CreateTable(target=T), FUNCTION, TRIGGER])
    renamed = applied([RenameObject(target=Name(None, "f"), object_kind="function", new_name="g")], catalog)
    assert [trigger.function for trigger in table(renamed).triggers] == [public("g")]
    assert renamed.users_of_routine[public("g")] == (public("t"),)
    drop = DropObject(target=Name(None, "f"), object_kind="function")
    assert applied([drop], catalog) is catalog
    dropped = applied([DropObject(target=Name(None, "f"), object_kind="function", cascade=True)], catalog)
    assert table(dropped).triggers == ()


def test_policies_and_schemas() -> None:
    above = Expr("operator", name=Name(None, ">"), args=(Expr("column", name=Name(None, "a")), Expr("null")))
    policy = CreatePolicy(target=T, name="p", using=above)
    catalog = applied([CreateTable(target=T, columns=(Column("a", INT4), Column("b", INT4))), policy, policy])
    assert [found.name for found in table(catalog).policies] == ["p"]
    catalog = replayed("alter table t rename a to c", catalog)
    using = table(catalog).policies[0].using
    assert using is not None
    assert using.columns() == ("c",)
    assert replayed("alter table t drop column c", catalog) is catalog
    catalog = applied([CreateSchema(target=Name(None, "s"))], catalog)
    assert catalog.schemas["s"]


# --- views ----------------------------------------------------------------------------------------------------------


def test_views_know_their_columns() -> None:
    catalog = replayed(
        """create table t (a int, b text); create view v as select * from t; create view w (x) as select v.b, a from v;
        create materialized view m as select a as n, b from t; create table c as select w.x, 1 as one from w"""
    )
    kinds = {}
    for name in "vwm":
        view = catalog.relations[public(name)]
        assert isinstance(view, View)
        assert view.columns is not None
        kinds[name] = [(column.name, column.type.name.name if column.type else None) for column in view.columns]
    assert kinds == {
        "v": [("a", "int4"), ("b", "text")],
        "w": [("x", "text"), ("a", "int4")],
        "m": [("n", "int4"), ("b", "text")],
    }
    assert column_names(catalog, "c") == ["x", "one"]


def test_a_view_keeps_its_columns_when_the_table_gets_more() -> None:
    catalog = replayed("create table t (a int); create view v as select * from t; alter table t add column b int")
    view = catalog.relations[public("v")]
    assert isinstance(view, View)
    assert [column.name for column in view.columns or ()] == ["a"]


def test_drop_column_needs_cascade_for_a_view_that_shows_it() -> None:
    catalog = replayed("create table t (a int, b int); create view v as select a from t")
    assert replayed("alter table t drop column a", catalog) is catalog
    assert replayed("alter table t drop column a cascade", catalog).relation(public("v")) is None


def test_a_view_that_may_use_a_dropped_column_becomes_unknown() -> None:
    view = CreateView(target=Name(None, "v"), query=Query(reads=(T,), columns=(("a", Name("t", "a")),)))
    catalog = applied([view], replayed("create table t (a int, b int)"))
    assert replayed("alter table t drop column b cascade", catalog).relation(public("v")) is UNKNOWN
    sure = CreateView(
        target=Name(None, "v"), query=Query(reads=(T,), columns=(("a", Name("t", "a")),), mentions=("a",))
    )
    catalog = applied([sure], replayed("create table t (a int, b int)"))
    assert isinstance(replayed("alter table t drop column b cascade", catalog).relation(public("v")), View)


# --- facts of columns -----------------------------------------------------------------------------------------------


def test_a_primary_key_makes_its_columns_not_null_and_they_stay_so() -> None:
    catalog = replayed(
        "create table t (a int, b int); alter table t add primary key (a); alter table t drop constraint t_pkey"
    )
    assert [column.not_null for column in table(catalog).columns] == [True, False]


def test_a_not_valid_not_null_holds_after_validation() -> None:
    catalog = replayed("create table t (a int); alter table t add constraint n not null a not valid", version=18)
    assert not table(catalog).columns[0].not_null
    assert table(replayed("alter table t validate constraint n", catalog, version=18)).columns[0].not_null


def test_identity_and_serial_columns_own_sequences() -> None:
    catalog = replayed("create table t (a bigserial, b int generated by default as identity)")
    for name, column, kind, internal in (("t_a_seq", "a", "int8", False), ("t_b_seq", "b", "int4", True)):
        sequence = catalog.relations[public(name)]
        assert isinstance(sequence, Sequence)
        assert (sequence.owner_table, sequence.owner_column, sequence.internal) == (public("t"), column, internal)
        assert sequence.options.type is not None
        assert sequence.options.type.name.name == kind
    dropped = replayed("alter table t drop column a; alter table t alter b drop identity", catalog)
    assert dropped.relation(public("t_a_seq")) is None
    assert dropped.relation(public("t_b_seq")) is None


def test_every_application_leaves_the_old_value_alone() -> None:
    before = replayed("create table t (a int)")
    copy = replayed("create table t (a int)")
    applied([AddColumn(target=T, column=Column("b", INT4)), SetNotNull(target=T, column="a")], before)
    assert before == copy


def test_a_plain_null_default_is_none() -> None:
    catalog = replayed(
        """create domain d as int; create table t (a text default null, b varchar(9) default null, c d default null,
        e text default null::text, f text default null::varchar, g int default 1); alter table t alter g set default null"""
    )
    assert [column.name for column in table(catalog).columns if column.default is not None] == ["b", "c", "f"]


def test_an_identity_sequence_may_be_named() -> None:
    catalog = replayed("create table t (a int generated always as identity (sequence name public.q start 5))")
    sequence = catalog.relations[public("q")]
    assert isinstance(sequence, Sequence)
    assert (sequence.owner_column, sequence.options.start) == ("a", 5)


def test_tables_of_a_type_follow_it() -> None:
    catalog = replayed("create type c as (a int); create table t of c; create domain d as int; create domain e as d")
    assert replayed("alter type c add attribute b int", catalog) is catalog
    assert replayed("drop type c", catalog) is catalog
    assert replayed("drop domain d", catalog) is catalog
    changed = replayed(
        "alter type c add attribute b int cascade; alter type c rename attribute a to x cascade", catalog
    )
    assert column_names(changed) == ["x", "b"]
    gone = replayed("drop type c cascade; drop domain d cascade", catalog)
    assert gone == EMPTY


def test_a_foreign_key_to_the_table_itself_is_resolved_to_it() -> None:
    catalog = replayed("create schema a; create table public.t (id int primary key)")
    catalog = replayed("create table t (id int primary key, up int references t)", catalog, path=("a", "public"))
    assert catalog.dependents_of[Name("a", "t")] == (Name("a", "t"),)
    temporary = replayed("create temp table t (id int primary key, up int references t)")
    assert temporary.dependents_of[Name("pg_temp", "t")] == (Name("pg_temp", "t"),)


def test_an_index_that_no_foreign_key_relies_on_is_dropped_alone() -> None:
    made = """create table t (a int unique); create table r (a int references t (a)); create unique index second on t (a);"""
    for statement in ("drop index second", "drop index second cascade"):
        left = replayed(made + statement)
        assert Name("public", "second") not in left.relations
        assert [each.kind for each in table(left, "r").constraints] == ["foreign_key"]
