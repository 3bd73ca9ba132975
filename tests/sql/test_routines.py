from __future__ import annotations

import pytest

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Call, Delete, DoBlock, DynamicSql, Insert, Invocation, Select, Update
from dflint.model.operations.objects import (
    AlterOther,
    AlterPolicy,
    AlterRoutine,
    CreateOther,
    CreatePolicy,
    CreateRoutine,
    CreateRule,
    CreateTrigger,
)
from dflint.model.quoting import quote_literal
from dflint.model.schema import Parameter
from dflint.sql.build import nodes, routine_bodies, routines
from tests.sql.building import INT4, TEXT, build, build_one, column_ref, greater, name, number
from tests.sql.test_fields import fields

#: Node type -> (keys the builders accept, fields that the raw parser never sets).
NODES = {
    "CreateFunctionStmt": (routines.CREATE_FUNCTION_STMT, ""),
    "FunctionParameter": (routines.FUNCTION_PARAMETER, ""),
    "VariableSetStmt": (routines.VARIABLE_SET_STMT, ""),
    "ReturnStmt": (routine_bodies.RETURN_STMT, ""),
    "AlterFunctionStmt": (routines.ALTER_FUNCTION_STMT, ""),
    "CallStmt": (routines.CALL_STMT, "funcexpr outargs"),
    "DoStmt": (routines.DO_STMT, ""),
    "CreateTrigStmt": (routines.CREATE_TRIG_STMT, ""),
    "TriggerTransition": (routines.TRIGGER_TRANSITION, ""),
    "CreateEventTrigStmt": (routines.CREATE_EVENT_TRIG_STMT, ""),
    "AlterEventTrigStmt": (routines.ALTER_EVENT_TRIG_STMT, ""),
    "RuleStmt": (routines.RULE_STMT, ""),
    "CreatePolicyStmt": (routines.CREATE_POLICY_STMT, ""),
    "AlterPolicyStmt": (routines.ALTER_POLICY_STMT, ""),
}


@pytest.mark.parametrize("kind", NODES)
def test_every_field_is_accounted_for(kind: str) -> None:
    accepted, never = NODES[kind]
    assert fields(kind).keys() == accepted | set(never.split())
    assert accepted.isdisjoint(never.split())


@pytest.mark.parametrize("option", ["window", "as"])
def test_an_option_with_a_field_that_is_not_known(option: str) -> None:
    with pytest.raises(nodes.Unread, match="brand_new"):
        routines._attributes([{"DefElem": {"defname": option, "brand_new": 1}}])


def test_an_option_that_is_not_known() -> None:
    with pytest.raises(nodes.Unread, match="frobnicate"):
        routines._attributes([{"DefElem": {"defname": "frobnicate"}}])


def routine(sql: str) -> CreateRoutine:
    operation = build_one(sql)
    assert isinstance(operation, CreateRoutine)
    return operation


def plpgsql(body: str, head: str = "CREATE FUNCTION f() RETURNS int") -> CreateRoutine:
    return routine(f"{head} LANGUAGE plpgsql AS {quote_literal(body)}")


def references(body: str, head: str = "CREATE FUNCTION f() RETURNS int") -> list[tuple[type[Operation], str]]:
    """Types and targets (of queries: what they read) of a body that is understood."""
    created = plpgsql(body, head)
    assert created.body_understood
    assert all(each.inside == "routine" and each.at == -1 for each in created.references)
    return [
        (type(each), ", ".join(map(str, each.query.reads)) if isinstance(each, Select) else str(each.target))
        for each in created.references
    ]


# --- CREATE FUNCTION --------------------------------------------------------------------------------------------------


def test_parameters() -> None:
    created = routine(
        """CREATE FUNCTION s.f(int, IN a int DEFAULT 1, OUT b text, INOUT c int, VARIADIC d text[]) RETURNS record
        LANGUAGE sql AS 'select 1'"""
    )
    assert created.target == name("s.f")
    assert created.parameters == (
        Parameter(None, INT4),
        Parameter("a", INT4, "in", number(1)),
        Parameter("b", TEXT, "out"),
        Parameter("c", INT4, "inout"),
        Parameter("d", Type(TEXT.name, dimensions=1), "variadic"),
    )
    assert created.returns == Type(Name("pg_catalog", "record"))


def test_options() -> None:
    created = routine(
        """CREATE OR REPLACE FUNCTION f(a int) RETURNS SETOF s.t LANGUAGE PLpgSQL STABLE STRICT SECURITY DEFINER
        LEAKPROOF PARALLEL SAFE COST 10 ROWS 5 SUPPORT s.g SET search_path = a, pg_temp SET x FROM CURRENT
        AS 'begin end'"""
    )
    assert created.or_replace
    assert created.returns == Type(name("s.t"), setof=True)
    assert created.language == "plpgsql"
    assert created.volatility == "stable"
    assert created.strict
    assert created.security_definer
    assert created.leakproof
    assert (created.parallel, created.cost, created.rows) == ("safe", "10", "5")
    assert created.support == name("s.g")
    assert created.configuration == (("search_path", "a, pg_temp"), ("x", None))
    assert created.body == "begin end"


def test_defaults_of_options() -> None:
    created = routine(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY INVOKER CALLED ON NULL INPUT AS 'select 1'"
    )
    assert not created.security_definer
    assert not created.strict
    assert created.volatility == "volatile"


def test_returns_table() -> None:
    created = plpgsql(
        "begin return query select 1, 'a' from u; end", "CREATE FUNCTION f() RETURNS TABLE (a int, b text)"
    )
    assert created.returns_table
    assert [parameter.mode for parameter in created.parameters] == ["table", "table"]
    assert created.body_understood


def test_procedure() -> None:
    created = routine("CREATE PROCEDURE p(a int) LANGUAGE plpgsql AS 'begin commit; end'")
    assert created.kind == "create_procedure"
    assert [each.kind for each in created.references] == ["commit"]


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_an_sql_body_is_parsed_and_does_not_run() -> None:
    created = routine("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM t; UPDATE u SET a = 1'")
    assert created.references == (
        Delete(target=name("t"), inside="routine"),
        Update(target=name("u"), assigned=("a",), inside="routine"),
    )
    assert created.body_understood


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ("RETURN (SELECT count(*) FROM t)", ["t"]),
        ("RETURN a + 1", []),
        ("BEGIN ATOMIC SELECT 1 FROM t; SELECT 2 FROM u; RETURN (SELECT 3 FROM v); END", ["t", "u", "v"]),
        ("BEGIN ATOMIC END", []),
    ],
)
def test_bodies_of_the_sql_standard(body: str, reads: list[str]) -> None:
    created = routine(f"CREATE FUNCTION f(a int) RETURNS int {body}")
    assert created.sql_body
    assert created.body is None
    assert created.language == "sql"
    assert created.body_understood
    assert [str(read) for each in created.references if isinstance(each, Select) for read in each.query.reads] == reads


def test_a_plpgsql_body() -> None:
    body = """
    declare v u.c%type; n int := (select count(*) from d);
    begin
      if exists (select 1 from e) then
        insert into t values (1) returning a into v;
      end if;
      v := (select max(a) from w);
      for v in select a from x loop
        update y set a = v;
      end loop;
      execute 'delete from z';
      return query_cost((select 1 from q));
    end"""
    assert references(body) == [
        (Select, "d"),
        (Select, "e"),
        (Insert, "t"),
        (Select, "w"),
        (Select, "x"),
        (Update, "y"),
        (Delete, "z"),
        (Select, "q"),
    ]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (
            "CREATE FUNCTION f() RETURNS trigger",
            "begin new.a := old.b; if tg_op = 'DELETE' then return old; end if; end",
        ),
        ("CREATE FUNCTION f() RETURNS event_trigger", "begin raise notice '%', tg_tag; end"),
        ("CREATE FUNCTION f() RETURNS SETOF s.t", "declare r s.t; begin return next r; end"),
        ("CREATE FUNCTION f(OUT a int, OUT b s.mood)", "begin select 1, 'x' into a, b; end"),
        ("CREATE FUNCTION f(INOUT a s.t)", "begin a.x := 1; end"),
        ("CREATE FUNCTION f(a s.t.c%TYPE) RETURNS int", "begin a := 1; return a; end"),
        ("CREATE FUNCTION f(VARIADIC a text[]) RETURNS int", "begin return a[1]; end"),
        ("CREATE FUNCTION f(VARIADIC a s.t[]) RETURNS int", "begin a[1] := null; return 1; end"),
        ("CREATE FUNCTION f(a anyelement) RETURNS anyarray", "begin return array[a]; end"),
        ('CREATE FUNCTION "A b"("C" int) RETURNS int', 'begin "A b"."C" := 1; return $1; end'),
        ("CREATE FUNCTION s.g(a int) RETURNS int", "begin g.a := 1; return a; end"),
        ("CREATE FUNCTION f() RETURNS TABLE (a int)", "begin a := 1; return next; end"),
        ("CREATE PROCEDURE f(INOUT a int)", "begin a := 1; end"),
        ("CREATE FUNCTION f() RETURNS void", "begin perform $body$ $$body_ $body$; return; end"),
    ],
)
def test_variables_of_all_kinds_are_known_to_the_body(head: str, body: str) -> None:
    created = plpgsql(body, head)
    assert created.body_understood


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'a', 'b'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'a'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'return 1'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'selec 1'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin selec 1; end'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin execute x; end'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin execute $$ selec 1 $$; end'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin do language plperl $$ $$; end'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin undeclared := 1; end'",
    ],
)
def test_bodies_that_are_not_understood(sql: str) -> None:
    assert not routine(sql).body_understood


def test_what_could_be_read_of_a_body_is_kept() -> None:
    created = plpgsql("begin delete from t; execute x; return 1; end")
    assert [type(each) for each in created.references] == [Delete, DynamicSql]


def test_a_block_inside_a_body_does_not_run() -> None:
    assert references("begin do $$ begin delete from t; end $$; return 1; end") == [(DoBlock, "None"), (Delete, "t")]


def test_expressions_count_in_a_body_only_for_what_they_read() -> None:
    assert references("begin perform f(); return g(h(1)); end") == [(Select, "")]


# --- ALTER FUNCTION, CALL ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "ALTER FUNCTION s.f(int, OUT text) STABLE STRICT SECURITY DEFINER COST 5 SUPPORT s.g",
            AlterRoutine(
                target=name("s.f"),
                object_kind="function",
                arguments=(INT4,),
                options=(
                    ("volatility", "stable"),
                    ("strict", "true"),
                    ("security", "true"),
                    ("cost", "5"),
                    ("support", "s.g"),
                ),
            ),
        ),
        (
            "ALTER PROCEDURE p SET search_path = a, b SET x TO DEFAULT RESET y RESET ALL",
            AlterRoutine(
                target=name("p"),
                object_kind="procedure",
                options=(("set.search_path", "a, b"), ("set.x", None), ("set.y", None), ("set.all", None)),
            ),
        ),
        (
            "ALTER ROUTINE r() VOLATILE",
            AlterRoutine(target=name("r"), object_kind="routine", arguments=(), options=(("volatility", "volatile"),)),
        ),
        ("CALL s.p(1, a => 2)", Call(target=name("s.p"), calls=(Invocation(name("s.p"), ("1", None)),))),
    ],
)
def test_alter_and_call(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_arguments_of_call_are_evaluated() -> None:
    selected, called = build("CALL p((SELECT max(a) FROM t), f())")
    assert isinstance(selected, Select)
    assert selected.query.reads == (name("t"),)
    assert selected.query.functions == (name("max"), name("f"))
    assert called == Call(target=name("p"), calls=(Invocation(name("p"), (None, None)),))


# --- triggers, rules, policies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            (
                "CREATE OR REPLACE TRIGGER g BEFORE INSERT OR UPDATE OF a, b OR DELETE ON s.t FOR EACH ROW "
                "WHEN (new.a > 1) EXECUTE FUNCTION s.f('x', 1)"
            ),
            CreateTrigger(
                target=name("s.t"),
                name="g",
                function=name("s.f"),
                timing="before",
                events=("insert", "delete", "update"),
                columns=("a", "b"),
                for_each_row=True,
                when=greater("new.a", 1),
                or_replace=True,
                arguments=("x", "1"),
            ),
        ),
        (
            (
                "CREATE CONSTRAINT TRIGGER g AFTER DELETE ON t FROM o DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                "EXECUTE PROCEDURE f()"
            ),
            CreateTrigger(
                target=name("t"),
                name="g",
                function=name("f"),
                events=("delete",),
                for_each_row=True,
                constraint=True,
                referenced=name("o"),
                deferrable=True,
                initially_deferred=True,
            ),
        ),
        (
            "CREATE TRIGGER g AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n EXECUTE FUNCTION f()",
            CreateTrigger(
                target=name("t"),
                name="g",
                function=name("f"),
                events=("update",),
                transition_tables=("o", "n"),
            ),
        ),
        (
            "CREATE TRIGGER g INSTEAD OF DELETE ON v FOR EACH ROW EXECUTE FUNCTION f()",
            CreateTrigger(
                target=name("v"),
                name="g",
                function=name("f"),
                timing="instead_of",
                events=("delete",),
                for_each_row=True,
            ),
        ),
        (
            "CREATE TRIGGER g BEFORE TRUNCATE ON t EXECUTE FUNCTION f()",
            CreateTrigger(target=name("t"), name="g", function=name("f"), timing="before", events=("truncate",)),
        ),
        (
            "CREATE EVENT TRIGGER e ON ddl_command_start WHEN TAG IN ('A', 'B') EXECUTE FUNCTION s.f()",
            CreateOther(
                target=name("e"),
                object_kind="event_trigger",
                options=(("event", "ddl_command_start"), ("function", "s.f"), ("tag", "A, B")),
            ),
        ),
        (
            "ALTER EVENT TRIGGER e ENABLE ALWAYS",
            AlterOther(target=name("e"), object_kind="event_trigger", action="always"),
        ),
        (
            "CREATE OR REPLACE RULE r AS ON UPDATE TO s.t WHERE a > 1 DO INSTEAD (INSERT INTO u SELECT * FROM v; NOTIFY x)",
            CreateRule(
                target=name("s.t"),
                name="r",
                event="update",
                instead=True,
                or_replace=True,
                where=greater("a", 1),
                actions=2,
                reads=(name("v"), name("u")),
                writes=(name("u"),),
            ),
        ),
        (
            "CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING",
            CreateRule(target=name("t"), name="r", event="insert"),
        ),
        (
            "CREATE POLICY p ON s.t AS RESTRICTIVE FOR UPDATE TO a, CURRENT_USER USING (b > 1) WITH CHECK (c)",
            CreatePolicy(
                target=name("s.t"),
                name="p",
                command="update",
                permissive=False,
                roles=("a", "current_user"),
                using=greater("b", 1),
                check=column_ref("c"),
            ),
        ),
        ("CREATE POLICY p ON t", CreatePolicy(target=name("t"), name="p", roles=("public",))),
        (
            "ALTER POLICY p ON t TO PUBLIC USING (b > 1)",
            AlterPolicy(target=name("t"), name="p", roles=("public",), using=greater("b", 1)),
        ),
    ],
)
def test_triggers_rules_and_policies(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected
