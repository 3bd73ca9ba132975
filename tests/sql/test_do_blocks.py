from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import Call, Delete, DoBlock, DynamicSql, Select, Update
from dflint.model.operations.objects import CreateRoutine, DropObject
from dflint.model.operations.session import Commit, Rollback, SetVariable
from dflint.model.operations.tables import AddColumn, CreateTable
from dflint.sql.build import plpgsql, plpgsql_parsing, routines
from dflint.sql.build.constant_strings import constant_string
from dflint.sql.build.declarations import declarations
from dflint.sql.build.nodes import Unread
from dflint.sql.build.plpgsql_fields import BRANCHES, FIELDS, PARTS
from dflint.sql.library_file import find_library
from tests.sql.building import build, library, name, tree
from tests.sql.test_fields import fields


def inside(body: str) -> list[Operation]:
    """The operations inside an understood DO block."""
    block, *operations = build(f"DO $do$ {body} $do$")
    assert isinstance(block, DoBlock)
    assert block.understood, block.reason
    return operations


def targets(body: str) -> list[tuple[str, bool]]:
    """Targets of the operations inside, and whether they are conditional."""
    return [(str(operation.target), operation.conditional) for operation in inside(body)]


# --- nothing is overlooked --------------------------------------------------------------------------------------------


def test_every_statement_that_libpg_query_can_emit_is_known() -> None:
    emitted = set(re.findall(rb'"(PLpgSQL_stmt_\w+)":', Path(find_library()).read_bytes()))
    assert {kind.decode() for kind in emitted} == FIELDS.keys()


def test_every_field_is_one_that_libpg_query_can_emit() -> None:
    emitted = {key.decode() for key in re.findall(rb'"(\w+)":', Path(find_library()).read_bytes())}
    known = {key for fields_ in FIELDS.values() for key in fields_}
    assert known.union(*BRANCHES.values(), *PARTS.values()) - emitted <= {"returns_multiple_rows"}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_field_that_is_not_known_makes_the_block_not_understood(kind: str) -> None:
    reader = plpgsql._Reader(library(), "do")
    with pytest.raises(Unread, match="brand_new"):
        reader.one({kind: {"lineno": 1, "brand_new": True}}, False)


def test_a_statement_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(Unread, match="frobnicate"):
        plpgsql._Reader(library(), "do").one({"PLpgSQL_stmt_frobnicate": {}}, False)


def test_every_field_of_do_is_accounted_for() -> None:
    assert fields("DoStmt").keys() == routines.DO_STMT
    assert fields("PLAssignStmt").keys() == plpgsql.PL_ASSIGN_STMT


#: Every kind of statement, and every place where an expression may stand: ``q1()``, ``q2()`` … are called there.
EVERYTHING = """
declare
  v int := q1();
  r record := q2();
  c cursor (k int) for select q3() from t3;
  d refcursor;
begin
  if q4() then null; elsif q5() then null; else null; end if;
  v := q6();
  v[q7()] := 1;
  r.f := q8();
  case q9() when q10() then null; else null; end case;
  case when q11() then null; end case;
  while q12() loop exit when q13(); continue when q14(); end loop;
  for i in reverse q15()..q16() by q17() loop null; end loop;
  for r in select q18() loop null; end loop;
  for r in c(q19()) loop null; end loop;
  for r in execute 'select q20()' using q21() loop null; end loop;
  foreach v in array q22() loop null; end loop;
  loop perform q23(); exit; end loop;
  raise notice '%', q24() using detail = q25();
  assert q26(), q27();
  execute 'select q28()' into v using q29();
  open d for select q30();
  open d for execute 'select q31()' using q32();
  open c(q33());
  fetch relative q34() from c into v;
  move c; close c;
  get diagnostics v = row_count;
  call p(q35());
  begin null; exception when others then perform q36(); end;
  commit; rollback and chain;
  return;
end
"""


def test_every_expression_is_looked_at() -> None:
    operations = inside(EVERYTHING)
    called = {str(call) for each in operations if isinstance(each, Select) for call in each.query.functions}
    assert called == {f"q{number}" for number in range(1, 37)}
    assert [type(each) for each in operations if not isinstance(each, Select)] == [Call, Commit, Rollback]


def test_the_sample_has_every_kind_of_statement() -> None:
    block = f"DO $do$ {EVERYTHING} $do$"
    found = set(re.findall(rb'"(PLpgSQL_stmt_\w+)":', library().parse_plpgsql(block.encode())))
    missing = FIELDS.keys() - {kind.decode() for kind in found}
    # The last two only stand in functions; SQL other than queries is in the other tests.
    assert missing == {"PLpgSQL_stmt_execsql", "PLpgSQL_stmt_return_next", "PLpgSQL_stmt_return_query"}


# --- what runs, and when ----------------------------------------------------------------------------------------------


def test_a_block_comes_before_what_is_inside() -> None:
    block, created, updated = build("DO $$\nBEGIN\n  CREATE TABLE t (a int);\n\n  UPDATE t SET a = 1;\nEND $$;")
    assert block == DoBlock()
    assert isinstance(created, CreateTable)
    assert (created.inside, created.body_line, created.at, created.conditional) == ("do", 3, -1, False)
    assert isinstance(updated, Update)
    assert updated.body_line == 5


@pytest.mark.parametrize(
    "body",
    [
        "begin if true then drop table t; end if; end",
        "begin if a() then null; elsif b() then drop table t; end if; end",
        "begin if true then null; else drop table t; end if; end",
        "begin case 1 when 2 then drop table t; end case; end",
        "begin case when true then null; else drop table t; end case; end",
        "begin loop drop table t; exit; end loop; end",
        "begin while true loop drop table t; end loop; end",
        "begin for i in 1..2 loop drop table t; end loop; end",
        "declare r record; begin for r in select 1 loop drop table t; end loop; end",
        "declare r record; begin for r in execute 'select 1' loop drop table t; end loop; end",
        "declare c cursor for select 1; begin for r in c loop drop table t; end loop; end",
        "declare v int; begin foreach v in array '{1}'::int[] loop drop table t; end loop; end",
        "begin null; exception when others then drop table t; end",
        "begin if true then begin drop table t; end; end if; end",
        "begin if true then execute 'drop table t'; end if; end",
    ],
)
def test_branches_loops_and_handlers_are_conditional(body: str) -> None:
    assert ("t", True) in targets(body)
    assert ("t", False) not in targets(body)


def test_a_block_with_a_handler_runs_like_any_other() -> None:
    body = "begin drop table t; exception when undefined_table then null; end"
    assert targets(body) == [("t", False)]


def test_nothing_is_sure_behind_a_return() -> None:
    body = "begin drop table a; if true then return; end if; drop table b; end"
    assert targets(body) == [("a", False), ("b", True)]


def test_nothing_is_sure_behind_an_exit_until_its_block_ends() -> None:
    body = """<<outside>> begin <<here>> begin drop table a; if true then exit here; end if; drop table b; end;
    drop table c; end"""
    assert targets(body) == [("a", False), ("b", True), ("c", False)]


def test_what_follows_a_loop_runs() -> None:
    body = "begin <<l>> loop exit l; end loop; loop exit; end loop; drop table t; end"
    assert targets(body) == [("t", False)]


def test_lists_keep_their_clauses() -> None:
    first, second = inside("begin drop table a, b; end")
    assert isinstance(first, DropObject)
    assert (first.clause, second.clause) == (0, 1)


def test_a_block_in_a_block() -> None:
    outer, inner, dropped = build("DO $a$ begin\n\n do $b$ begin drop table t; end $b$; end $a$")
    assert isinstance(outer, DoBlock)
    assert isinstance(inner, DoBlock)
    assert (inner.inside, dropped.inside, dropped.body_line) == ("do", "do", 3)


def test_a_function_created_in_a_block_does_not_run() -> None:
    (created,) = inside("begin create function f() returns void language sql as 'delete from t'; end")
    assert isinstance(created, CreateRoutine)
    assert [type(each) for each in created.references] == [Delete]


def test_settings_count() -> None:
    perform, local = inside("begin perform set_config('a.b', 'x', true); set local lock_timeout = '1s'; end")
    assert isinstance(perform, SetVariable)
    assert perform.function
    assert isinstance(local, SetVariable)
    assert local.local


def test_conditions_are_queries() -> None:
    body = "begin if not exists (select 1 from pg_class) and a > 1 then alter table t add b int; end if; end"
    asked, added = inside(body)
    assert isinstance(asked, Select)
    assert asked.query.reads == (name("pg_class"),)
    assert isinstance(added, AddColumn)


def test_expressions_that_read_and_call_nothing_are_no_operations() -> None:
    assert inside("declare a int := 1; begin a := a + (1 * 2); if a > 1 then raise notice '%', a; end if; end") == []


# --- EXECUTE ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "'drop table t'",
        "$x$drop table t$x$",
        "E'drop\\ttable t'",
        "'drop ' || 'table ' || 't'",
        "'drop table t'::text",
        "format('drop table t')",
        "format('drop %s t', 'table')",
        "format('drop table %I', 't')",
        "pg_catalog.format('drop %s %I', 'table', 't')",
        "concat('drop table ', 't')",
        "'drop table ' || quote_ident('t')",
    ],
)
def test_constant_strings_are_read(expression: str) -> None:
    (dropped,) = inside(f"begin execute {expression}; end")
    assert isinstance(dropped, DropObject)
    assert dropped.target == name("t")
    assert dropped.inside == "execute"


@pytest.mark.parametrize(
    "expression",
    [
        "x",
        "'drop table ' || x",
        "format('drop table %I', x)",
        "format('drop table %1$I', 't')",
        "format('drop table %-10s', 't')",
        "format('drop table %I')",
        "format('drop table %I', NULL)",
        "format('drop table %I', '')",
        "format('drop table t%')",
        "format(VARIADIC ARRAY['drop table t'])",
        "other.format('drop table t')",
        "'drop table t'::varchar(6)",
        "'drop table ' || 1.0",
        "'drop table ' || true",
        "(select 'drop table t')",
        "'drop table ' || c from names",
        "current_setting('x')",
    ],
)
def test_other_strings_are_not_known(expression: str) -> None:
    operations = inside(f"declare x text; begin execute {expression}; end")
    assert [each.text for each in operations if isinstance(each, DynamicSql)] == [expression]
    assert all(isinstance(each, DynamicSql | Select) for each in operations)


def test_a_constant_string_may_hold_several_statements() -> None:
    assert targets("begin execute 'drop table a; drop table b'; end") == [("a", False), ("b", False)]


def test_a_constant_string_that_is_no_sql_is_opaque() -> None:
    (opaque,) = inside("begin execute 'drop tabel t'; end")
    assert isinstance(opaque, Opaque)
    assert opaque.inside == "execute"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_quoting_functions_give_back_what_they_are_given(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    value = tree(f"SELECT format('%s%%%s', {literal}, 'x' || {literal})")["SelectStmt"]["targetList"][0]["ResTarget"][
        "val"
    ]
    assert constant_string(value) == f"{text}%x{text}"


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("begin selec 1; end", 'PL/pgSQL rejects it: syntax error at or near "selec"'),
        ("begin if a then null; end", "PL/pgSQL rejects it"),
        ("drop table t", "PL/pgSQL rejects it"),
        ("", "PL/pgSQL rejects it"),
        ("begin " + "begin " * 3000 + "null; " + "end; " * 3000 + "end", "PL/pgSQL: nests too deep to be analysed"),
        ("begin " + "begin " * 9000 + "null; " + "end; " * 9000 + "end", "PL/pgSQL rejects it: memory exhausted"),
    ],
)
def test_what_is_no_plpgsql_is_not_understood(body: str, reason: str) -> None:
    (block,) = build(f"DO $do$ {body} $do$")
    assert isinstance(block, DoBlock)
    assert not block.understood
    assert block.reason.startswith(reason)


def test_template_placeholders_are_names() -> None:
    first, second = inside("""declare x int := 1; begin
      update {{ index .Options "Namespace" }}.users set a = 1; delete from ${schema}.t; end""")
    assert isinstance(first, Update)
    assert first.target.name == "users"
    assert isinstance(second, Delete)


def test_other_languages_are_not_understood() -> None:
    (block,) = build("DO LANGUAGE PlPerl 'x'")
    assert block == DoBlock(language="plperl", understood=False, reason="the language plperl is not read")


def test_an_opaque_statement_does_not_hide_the_others() -> None:
    operations = inside("begin drop table a; execute 'nonsense'; drop table b; end")
    assert [type(each) for each in operations] == [DropObject, Opaque, DropObject]


@pytest.mark.parametrize(
    "declaration",
    [
        "x s.row_type; y int",
        "x s.t%rowtype; y int",
        "x t%rowtype; y int",
        "x s.t.c%type; y int",
        "x s.mood[]; y int",
        "x mood[]; y constant s.mood not null default 'a'",
        "x /* ; begin */ s . mood\n  array; y int /* declare */",
    ],
)
def test_types_of_the_catalog_are_no_hindrance(declaration: str) -> None:
    body = f"declare {declaration};\nbegin\n  drop table t;\nend"
    (dropped,) = inside(body)
    assert dropped.body_line == body.count("\n", 0, body.index("drop")) + 1


def test_fields_of_rows_of_unknown_types() -> None:
    assert targets("declare x s.row_type; y t%rowtype; begin x.a := 1; y.b := 2; drop table t; end") == [("t", False)]


def test_values_of_unknown_types_in_a_list() -> None:
    (selected,) = inside("declare x mood; y int; begin select a, b into x, y from t; end")
    assert isinstance(selected, Select)


def test_a_name_that_is_nowhere_declared_is_not_understood() -> None:
    (block,) = build("DO $$ begin x := 1; end $$")
    assert isinstance(block, DoBlock)
    assert not block.understood


def test_initial_values_of_rows_are_read() -> None:
    body = "declare x s.row_type := (select u from u); y record default f(); begin for y in select 1 loop null; end loop; end"
    first, second, _loop = inside(body)
    assert isinstance(first, Select)
    assert isinstance(second, Select)
    assert first.query.reads == (name("u"),)
    assert second.query.functions == (name("f"),)


def test_declarations() -> None:
    text = b"""<<l>> declare a int; "B" constant s.t%type not null := f(1, 2);
      c cursor (x int) for select 1; d alias for a; e numeric(10,2) collate "C" default 3;
    begin x := 1; declare g text[]; begin end; end"""
    found = [
        (each.name, each.line, b" ".join(each.type).decode(), each.value) for each in declarations(text, library())
    ]
    assert found == [
        ("a", 1, "int", ""),
        ("b", 1, "s . t % type", "f(1, 2)"),
        ("e", 2, "numeric ( 10 , 2 )", "3"),
        ("g", 3, "text [ ]", ""),
    ]


@given(st.text("$bodyx_ ", max_size=12))
def test_any_body_can_be_quoted(text: str) -> None:
    value = tree(f"SELECT {plpgsql_parsing.dollar_quoted(text)}")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    assert constant_string(value) == text
