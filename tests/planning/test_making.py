"""What becomes one step, of which kind, with what limits, and what is refused when the plan is made."""

from __future__ import annotations

import pytest

from dflint.app.effects import known_facts
from dflint.history.fold import Fold
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span
from dflint.model.plan import Backfill, Plan, Timeouts
from dflint.planning.making import PlanFile, make_plan
from dflint.sql.source_text import SourceText
from tests.app.test_effects import catalog
from tests.planning.plans import SHOP, plan


def shape(found: Plan) -> list[tuple[str, str]]:
    return [(step.kind, step.sql) for step in found.steps]


def sectioned(sql: str, **how: object) -> Plan:
    """As a runner sends it."""
    text = SourceText("migration.sql", sql.encode())
    section = Section("up", Span(0, len(text.text)), **how)  # type: ignore[arg-type]
    fold = Fold(runner=Runner("goose"), version=18, knowledge=known_facts(), catalog=catalog(SHOP))
    return make_plan([PlanFile("migration.sql", text, [section])], fold, version=18)


def refusal(sql: str, setup: str | None = SHOP) -> InputError:
    with pytest.raises(InputError) as caught:
        plan(sql, setup)
    return caught.value


# --- splitting ----------------------------------------------------------------------------------------------------


def test_outside_a_transaction_each_statement_is_a_step() -> None:
    found = plan("alter table users add a int;\n\n-- why\nalter table users add b int;")
    assert shape(found) == [("tx", "alter table users add a int"), ("tx", "alter table users add b int")]
    assert [step.id for step in found.steps] == ["1", "2"]


def test_a_transaction_is_one_step_without_begin_and_commit() -> None:
    found = plan("begin; alter table users add a int; savepoint s; create index on users (a); commit; select 1")
    assert shape(found) == [
        ("tx", "alter table users add a int;\nsavepoint s;\ncreate index on users (a)"),
        ("tx", "select 1"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "create index concurrently i on users (age)",
        "drop index concurrently if exists nope",
        "reindex table concurrently users",
        "vacuum users",
        "alter table events detach partition events_1 concurrently",
        "create database d",
        "alter system set work_mem = '1MB'",
    ],
)
def test_what_a_transaction_refuses_is_a_step_outside_of_one(sql: str) -> None:
    assert shape(plan(sql)) == [("nontx", sql)]


def test_a_file_that_its_runner_wraps_is_one_step() -> None:
    found = sectioned("alter table users add a int; create index on users (a)", wrapping="section")
    assert [step.kind for step in found.steps] == ["tx"]


def test_a_string_of_statements_is_one_step() -> None:
    found = sectioned("alter table users add a int; create index on users (a)", wire="string")
    assert [step.kind for step in found.steps] == ["tx"]


def test_what_a_runner_sends_alone_is_a_step_of_its_own() -> None:
    sql = "alter table users add a int; create index concurrently i on users (a); alter table users add b int"
    found = sectioned(sql, wrapping="section", alone=("create index concurrently",))
    assert [step.kind for step in found.steps] == ["tx", "nontx", "tx"]


def test_a_runner_that_strips_commit_leaves_one_step() -> None:
    found = sectioned("select 1; commit; select 2", wrapping="section", own_transactions=False)
    assert shape(found) == [("tx", "select 1;\nselect 2")]


def test_settings_outside_a_transaction_go_with_the_steps_that_follow() -> None:
    found = plan(
        """
        set search_path = app, "Odd S", public;
        set role keeper;
        create table t (a int);
        reset role;
        begin; set local work_mem = '1MB'; create table u (a int); commit;
        select set_config('maintenance_work_mem', '1GB', false);
        create index concurrently i on users (age);
        reset all;
        select 1;
        """
    )
    path = 'app, "Odd S", public'
    assert [step.settings for step in found.steps] == [
        {"role": "keeper", "search_path": path},
        {"search_path": path},
        {"maintenance_work_mem": "1GB", "search_path": path},
        {},
    ]
    assert found.steps[1].sql == "set local work_mem = '1MB';\ncreate table u (a int)"


def test_timeouts_of_the_file_are_those_of_its_steps() -> None:
    found = plan("set lock_timeout = '2s'; set statement_timeout = 0; alter table users add a int")
    assert found.steps[0].timeouts == Timeouts(2000, 0)
    assert found.steps[0].settings == {}
    # Nobody is to wait for a lock without end.
    assert plan("set lock_timeout = 0; alter table users add a int").steps[0].timeouts == Timeouts(500, 30_000)


# --- what a step knows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "lock_class", "timeouts"),
    [
        ("create table t (a int)", "none", Timeouts(5_000, 0)),
        ("update users set age = 1", "none", Timeouts(5_000, 0)),
        ("alter table users add a int", "reads", Timeouts(500, 30_000)),
        ("create index on users (age)", "writes", Timeouts(500, 30_000)),
        ("create index concurrently i on users (age)", "schema_changes", Timeouts(0, 0)),
        ("alter table users alter age set statistics 5", "schema_changes", Timeouts(5_000, 0)),
        ("do $$ begin execute 'drop table ' || current_user; end $$", "unknown", Timeouts(500, 30_000)),
    ],
)
def test_the_lock_class_decides_the_limits(sql: str, lock_class: str, timeouts: Timeouts) -> None:
    (step,) = plan(sql).steps
    assert (step.lock_class, step.timeouts) == (lock_class, timeouts)


def test_a_known_strong_lock_is_no_unknown_one() -> None:
    (step,) = plan("alter table users add a int", setup=None).steps
    assert step.lock_class == "reads"
    assert any("not known" in note for note in step.notes)


def test_locks_are_those_on_what_is_there_before_the_step() -> None:
    (step,) = plan("begin; create table t (a int); alter table t add b int; alter table users add c int; commit").steps
    assert step.locks == {"table:public.users": "ACCESS EXCLUSIVE"}


def test_the_point_of_no_return_is_the_first_step_that_is_irreversible() -> None:
    assert plan("alter table users add a int; alter table users add b int").point_of_no_return is None
    found = plan("alter table users add a int; alter table users drop email; drop table orders")
    assert found.point_of_no_return == "2"


def test_what_the_server_will_refuse_is_noted() -> None:
    (step,) = plan("alter table nowhere add a int").steps
    assert any("the server refuses it" in note and "42P01" in note for note in step.notes)


def test_the_undo_of_a_step_goes_backwards() -> None:
    (step,) = plan("begin; alter table users add a int; create index ai on users (a); commit").steps
    assert step.undo.sql == ("DROP INDEX public.ai", "ALTER TABLE public.users DROP COLUMN a")


def test_what_was_made_and_dropped_in_one_step_needs_no_undo() -> None:
    (step,) = plan("begin; create table t (a int); alter table t add b int; drop table t; commit").steps
    assert step.undo.sql == ()


def test_what_was_made_in_an_earlier_step_and_dropped_cannot_be_made_again() -> None:
    found = plan("create table t (a int); drop table t")
    assert found.steps[1].undo.irreversible == "table t: its rows are lost"


def test_rows_of_a_table_of_the_plan_itself_go_with_it() -> None:
    found = plan("create table t (a int); insert into t values (1); delete from t; update users set age = 2")
    assert [step.undo.irreversible for step in found.steps] == [
        None,
        None,
        None,
        "the former values of the rows of users are not kept",
    ]


def test_what_reaches_beyond_a_table_of_the_plan_itself_is_not_taken_for_its_own() -> None:
    found = plan(
        "create table p (a int) partition by list (a); create table h (a int primary key);"
        "alter table p attach partition keyless for values in (1); truncate h cascade",
    )
    # Dropping the new table would drop the old one with it.
    assert found.steps[2].undo.sql == ("ALTER TABLE public.p DETACH PARTITION public.keyless",)
    assert found.steps[3].undo.irreversible is not None
    unknown = plan("create table p (a int) partition by list (a); alter table p attach partition q default", setup=None)
    assert unknown.steps[1].undo.irreversible == "the catalog does not say what q was"


# --- backfill -----------------------------------------------------------------------------------------------------


def test_an_update_is_cut_into_batches_where_the_file_says_so() -> None:
    found = plan(
        "select 1;\n-- dflint: backfill batch=50\nupdate users set age = 1;\n"
        "/* dflint: backfill key=email */ update users set age = 2;\nupdate users set age = 3"
    )
    assert [(step.kind, step.backfill) for step in found.steps] == [
        ("tx", None),
        ("backfill", Backfill("table:public.users", ("id",), 50)),
        ("backfill", Backfill("table:public.users", ("email",), 1000)),
        ("tx", None),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("-- dflint: backfill\nupdate keyless set a = 1", "no unique key"),
        ("-- dflint: backfill key=age\nupdate users set email = ''", "no unique key"),
        ("-- dflint: backfill key=email\nupdate users set email = ''", "along which it goes"),
        ("-- dflint: backfill keys=id\nupdate users set age = 1", "no option of a backfill"),
        ("-- dflint: backfill batch=0\nupdate users set age = 1", "no number of rows"),
        ("-- dflint: backfill\ninsert into users default values", "only an UPDATE or DELETE"),
        ("begin;\n-- dflint: backfill\nupdate users set age = 1;\ncommit", "batch by batch"),
    ],
)
def test_a_backfill_that_cannot_be_is_refused(sql: str, expected: str) -> None:
    assert expected in refusal(sql).message


def test_without_a_catalog_a_backfill_has_to_name_its_key() -> None:
    assert "primary key" in refusal("-- dflint: backfill\nupdate t set a = 1", setup=None).message
    (step,) = plan("-- dflint: backfill key=x,y\nupdate t set a = 1", setup=None).steps
    assert step.backfill == Backfill("table:public.t", ("x", "y"), 1000)


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "line", "expected"),
    [
        ("select 1;\nselec 2;", 2, "syntax error"),
        ("begin;\ncreate index concurrently i on users (age);\ncommit;", 2, "cannot run in a transaction"),
        ("begin;\nvacuum users;\ncommit;", 2, "cannot run in a transaction"),
        ("\nbegin;\nselect 1;", 2, "never committed"),
        ("begin;\nselect 1;\nrollback;", 3, "rolled back"),
        ("begin isolation level serializable; select 1; commit;", 1, "isolation level"),
        ("begin; select 1; prepare transaction 'x';", 1, "prepared transaction"),
        ("select 1;\n\\i other.sql\n", 2, "not in this file"),
        ("\\gset\n", 1, ""),
        ("select :x;", 1, "cannot read this"),
        ("copy users from stdin;\n1\n\\.\n", 1, "COPY FROM stdin"),
    ],
)
def test_what_cannot_be_executed_as_it_stands_is_refused_with_its_line(sql: str, line: int, expected: str) -> None:
    error = refusal(sql)
    assert (error.file, error.line) == ("migration.sql", line)
    assert expected in error.message
    assert error.remedy


def test_fault_50_a_concurrent_build_in_a_wrapped_file_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        sectioned("select 1;\ncreate index concurrently i on users (age)", wrapping="section", reason="goose wraps it")
    assert "goose wraps it" in caught.value.message
    assert caught.value.line == 2
    with pytest.raises(InputError, match="cannot run in a transaction"):
        sectioned("select 1; create index concurrently i on users (age)", wire="string")


def test_fault_51_a_concurrent_build_on_a_partitioned_table_is_refused_with_the_recipe() -> None:
    error = refusal("create index concurrently what_i on events (what)")
    assert "partitioned table public.events" in error.message
    assert error.remedy is not None
    for step in (
        "CREATE INDEX what_i ON ONLY public.events",
        "CREATE INDEX CONCURRENTLY events_1_what_i ON public.events_1",
        "ALTER INDEX public.what_i ATTACH PARTITION public.events_2_what_i",
    ):
        assert step in error.remedy


def test_harmless_psql_commands_are_left_out() -> None:
    assert shape(plan("\\set ON_ERROR_STOP on\n\\echo hello\nselect 1;\n")) == [("tx", "select 1")]


@pytest.mark.parametrize("directive", ['{{ template "first.sql" }}', "{% if big %}", "{{- if .Big }}"])
def test_a_file_with_template_directives_is_no_plan(directive: str) -> None:
    error = refusal(f"SELECT 1;\n{directive}\nCREATE TABLE others (id int);")
    assert error.line == 2
    assert "template" in error.message


def test_what_looks_like_a_directive_in_a_string_is_none() -> None:
    assert len(plan("COMMENT ON TABLE orders IS '{% if %}'; -- {% endif %}").steps) == 1


@pytest.mark.parametrize(
    ("sql", "names", "remedy"),
    [
        ("select 1;\nDISCARD ALL", "DISCARD ALL", "DISCARD TEMP"),
        ("select 1;\nselect pg_advisory_unlock_all()", "pg_advisory_unlock_all()", "one by one"),
        (
            "select 1;\ndo $$ begin perform pg_catalog.pg_advisory_unlock_all(); end $$",
            "pg_advisory_unlock_all()",
            "one",
        ),
        ("begin; select 1;\nRESET ALL; commit", "RESET ALL", "by its name"),
    ],
)
def test_what_would_leave_the_session_without_its_guard_is_refused(sql: str, names: str, remedy: str) -> None:
    error = refusal(sql)
    assert error.line == 2
    assert names in error.message
    assert remedy in (error.remedy or "")


def test_what_discard_discards_beside_the_lock_is_discarded() -> None:
    found = plan("create temp table a (i int); discard temp; reset all; create temp table a (i int)")
    assert [sql for _, sql in shape(found)] == [
        "create temp table a (i int)",
        "discard temp",
        "create temp table a (i int)",
    ]


def test_to_validate_what_the_plan_adds_itself_needs_no_way_back() -> None:
    """It goes with what was added."""
    add = "alter table users add constraint c check (age is not null) not valid"
    assert plan(f"{add};\nalter table users validate constraint c").steps[1].undo.irreversible is None
