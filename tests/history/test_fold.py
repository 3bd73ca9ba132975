"""The transaction and the settings each statement really has."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dflint.history.fold import Fold
from dflint.model.catalog import Catalog, Routine
from dflint.model.context import Context
from dflint.model.effect import Effect
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser

PARSER = Parser(load_library())


class NoKnowledge:
    """Facts are not what these tests are about."""

    def effect(self, operation: Operation, context: Context) -> Effect:
        raise AssertionError("nobody asks")

    def locks(self, context: Context) -> Sequence[tuple[Name, str]]:
        return [(name, "ACCESS EXCLUSIVE")] if (name := context.target) is not None else []

    def named_in_body(self, routine: Routine) -> Sequence[Name]:
        return ()

    def refusal(self, context: Context, phase: str) -> Effect | None:
        return None


def fold_sql(*files: str, change: bool = True, **section: object) -> list[list[Context]]:
    """The contexts of each file's operations, the end of the file included."""
    fold = Fold(runner=Runner("tool"), version=18, knowledge=NoKnowledge(), catalog=Catalog(basis="replay"))
    result = []
    for sql in files:
        text = sql.encode()
        sections = (Section("up", Span(0, len(text)), **section),)  # type: ignore[arg-type]
        if change:
            fold.begin_change()
        result.append(list(fold.file(text, sections, PARSER.parse(text, sections))))
    return result


def kinds(contexts: list[Context]) -> list[str]:
    return [context.transaction.kind for context in contexts[:-1]]


def setting(context: Context, name: str) -> str | None:
    found = context.session.setting(name)
    return found.value if found else None


def test_autocommit_and_explicit_transactions() -> None:
    (contexts,) = fold_sql("select 1; begin; select 2; commit; select 3; rollback; select 4")
    assert kinds(contexts) == ["none", "none", "explicit", "explicit", "none", "none", "none"]


def test_what_is_left_open_is_open_at_the_end_of_the_file() -> None:
    first, second = fold_sql("begin; select 1", "select 2")
    assert first[-1].transaction.kind == "explicit"
    assert second[0].transaction.kind == "none"


def test_a_runners_transaction_ends_with_a_commit_of_the_text() -> None:
    (contexts,) = fold_sql("select 1; commit; select 2", wrapping="section", wire="statement")
    assert kinds(contexts) == ["runner", "runner", "none"]


def test_a_runner_that_strips_transactions_keeps_its_own() -> None:
    (contexts,) = fold_sql("begin; select 1; commit; select 2", wrapping="section", own_transactions=False)
    assert kinds(contexts) == ["runner"] * 4


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1", ["none"]),
        ("select 1; select 2", ["implicit", "implicit"]),
        # PostgreSQL begins a new implicit transaction after a COMMIT in the middle of a string.
        ("select 1; commit; select 2", ["implicit", "implicit", "implicit"]),
        ("begin; select 1; commit", ["implicit", "explicit", "explicit"]),
    ],
)
def test_several_statements_in_one_string_share_an_implicit_transaction(sql: str, expected: list[str]) -> None:
    (contexts,) = fold_sql(sql, wire="string")
    assert kinds(contexts) == expected


def test_statements_after_a_commit_in_a_string_are_another_transaction() -> None:
    (contexts,) = fold_sql("select 1; commit; select 2", wire="string")
    assert contexts[0].transaction.group == contexts[1].transaction.group != contexts[2].transaction.group


def test_chunks_are_strings_of_their_own() -> None:
    sql = "select 1; select 2;\nselect 3;\n"
    end = sql.index("\n")
    (contexts,) = fold_sql(sql, wire="statement", chunks=(Span(0, end), Span(end, len(sql))))
    assert kinds(contexts) == ["implicit", "implicit", "none"]


def test_a_statement_that_runs_alone_interrupts_the_wrapping() -> None:
    sql = "select 1; /* x */ CREATE  INDEX concurrently i on t (a); select 2"
    (contexts,) = fold_sql(sql, wrapping="section", alone=("create (unique )?index concurrently",))
    assert kinds(contexts) == ["runner", "none", "runner"]
    assert contexts[0].transaction.group != contexts[2].transaction.group


def test_a_statement_can_unwrap_the_whole_section() -> None:
    (contexts,) = fold_sql("select 1; vacuum t", wrapping="section", unwraps=("vacuum",))
    assert kinds(contexts) == ["none", "none"]


def test_a_batch_is_one_transaction_over_files() -> None:
    first, second = fold_sql("select 1", "select 2", change=False, wrapping="batch")
    assert first[0].transaction.group == second[0].transaction.group


def test_settings() -> None:
    (contexts,) = fold_sql(
        "set lock_timeout = '2s'; select 1; begin; set local lock_timeout = '5s'; select 2; commit; select 3;"
        "reset lock_timeout; select 4; select set_config('lock_timeout', '7s', false); select 5"
    )
    at = {
        i: setting(context, "lock_timeout") for i, context in enumerate(contexts) if context.operation.kind == "select"
    }
    assert list(at.values())[:4] == ["2s", "5s", "2s", None]
    assert setting(contexts[-1], "lock_timeout") == "7s"


def test_set_local_outside_a_transaction_has_no_effect() -> None:
    (contexts,) = fold_sql("set local lock_timeout = '2s'; select 1")
    assert setting(contexts[1], "lock_timeout") is None


def test_rollback_takes_settings_and_schema_back() -> None:
    (contexts,) = fold_sql(
        "begin; set lock_timeout = '2s'; create table t (a int); rollback; select 1;"
        "begin; create table t (a int); savepoint s; drop table t; rollback to s; commit; select 2"
    )
    name = Name("public", "t")
    after_rollback, at_end = contexts[4], contexts[-1]
    assert setting(after_rollback, "lock_timeout") is None
    assert name not in after_rollback.catalog.relations
    assert at_end.catalog.table(name) is not None
    assert at_end.is_new(name) is True


def test_search_path_decides_where_things_are_made_and_found() -> None:
    (contexts,) = fold_sql("set search_path to app, public; create table t (a int); alter table t add b int")
    assert contexts[2].target == Name("app", "t")


def test_new_is_what_the_same_change_created() -> None:
    first, second = fold_sql("create table t (a int); create index i on t (a)", "create index j on t (a)")
    assert first[1].is_new(Name(None, "t")) is True
    assert second[0].is_new(Name(None, "t")) is False


def test_if_not_exists_may_have_found_it() -> None:
    (first,) = fold_sql("create table if not exists t (a int); select 1")
    assert first[1].is_new(Name(None, "t")) is None
    _, second = fold_sql("select 1", "create table if not exists t (a int); select 1")
    assert second[1].is_new(Name(None, "t")) is True
    _, third = fold_sql("create table t (a int)", "create table if not exists t (a int); select 1")
    assert third[1].is_new(Name(None, "t")) is False


def test_a_renamed_new_table_stays_new() -> None:
    (contexts,) = fold_sql("create table t (a int); alter table t rename to u; select 1")
    assert contexts[2].is_new(Name(None, "u")) is True


def test_what_the_transaction_holds() -> None:
    text = b"begin; alter table a add x int; alter table b add x int; commit; select 1"
    sections = (Section("up", Span(0, len(text))),)
    fold = Fold(runner=Runner("tool"), version=18, knowledge=NoKnowledge(), catalog=Catalog())
    # A context is asked while it is current: what a transaction held is forgotten when it ends.
    held = [context.held() for context in fold.file(text, sections, PARSER.parse(text, sections))]
    both = {Name("public", "a"): "ACCESS EXCLUSIVE", Name("public", "b"): "ACCESS EXCLUSIVE"}
    assert held[1] == {}
    assert held[3] == both
    assert held[4] == {}


def test_down_sections_do_not_run() -> None:
    text = b"create table t (a int); drop table t;"
    cut = text.index(b"drop")
    sections = (Section("up", Span(0, cut)), Section("down", Span(cut, len(text))))
    fold = Fold(runner=Runner("tool"), version=18, knowledge=NoKnowledge(), catalog=Catalog())
    contexts = list(fold.file(text, sections, PARSER.parse(text, sections)))
    assert [context.operation.kind for context in contexts] == ["create_table", "end_of_file"]
    assert fold.catalog.table(Name("public", "t")) is not None


def test_a_refused_statement_leaves_nothing_behind() -> None:
    # The sequence of the first column is made before the second constraint of the same name is refused.
    refused = "create table t (id serial, constraint c check (id > 0), constraint c check (id > 1));"
    (contexts,) = fold_sql(refused + "create table t (id serial)")
    assert contexts[1].catalog is contexts[0].catalog
    assert {name.name for name in contexts[-1].catalog.relations} == {"t", "t_id_seq"}


def test_a_rollback_brings_back_what_the_next_statement_sees() -> None:
    (contexts,) = fold_sql(
        "create table a (); begin; drop table a; create table b (); rollback; alter table a add c int"
    )
    last = contexts[-1].catalog
    assert last.table(Name("public", "a")) is not None
    assert Name("public", "b") not in last.relations


def test_contexts_keep_the_catalog_of_their_moment() -> None:
    (contexts,) = fold_sql("create table a (); create table b (); drop table a")
    known = [sorted(name.name for name, found in each.catalog.relations.items() if found) for each in contexts]
    assert known == [[], ["a"], ["a", "b"], ["b"]]


def test_a_new_table_stays_new_when_its_constraint_is_renamed() -> None:
    (contexts,) = fold_sql(
        "create table t (a int constraint c check (a > 0)); alter table t rename constraint c to d; select 1"
    )
    assert {*contexts[-1].created} == {Name("public", "t")}
