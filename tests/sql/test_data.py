from __future__ import annotations

import time

import pytest

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import (
    Copy,
    Delete,
    DynamicSql,
    Insert,
    LockTable,
    Merge,
    Select,
    Truncate,
    Update,
)
from dflint.model.operations.session import SessionCommand, SetVariable
from dflint.model.operations.tables import CreateTableAs
from dflint.model.schema import Query
from dflint.sql.build import data
from tests.sql.building import build, build_one, column_ref, greater, library, name, tree
from tests.sql.test_fields import fields

NODES = {
    "InsertStmt": data.INSERT_STMT,
    "OnConflictClause": data.ON_CONFLICT_CLAUSE,
    "UpdateStmt": data.UPDATE_STMT,
    "DeleteStmt": data.DELETE_STMT,
    "MergeStmt": data.MERGE_STMT,
    "MergeWhenClause": data.MERGE_WHEN_CLAUSE,
    "TruncateStmt": data.TRUNCATE_STMT,
    "CopyStmt": data.COPY_STMT,
    "LockStmt": data.LOCK_STMT,
    "ExplainStmt": data.EXPLAIN_STMT,
    "PrepareStmt": data.PREPARE_STMT,
    "ExecuteStmt": data.EXECUTE_STMT,
    "DeclareCursorStmt": data.DECLARE_CURSOR_STMT,
}


@pytest.mark.parametrize("kind", NODES)
def test_every_field_is_accounted_for(kind: str) -> None:
    assert fields(kind).keys() == NODES[kind]


def kinds(sql: str) -> list[str]:
    return [operation.kind for operation in build(sql)]


# --- SELECT -----------------------------------------------------------------------------------------------------------


def test_select_says_what_it_reads_and_calls() -> None:
    (operation,) = build("SELECT setval('s', max(a)) FROM t JOIN u USING (a) FOR UPDATE")
    assert isinstance(operation, Select)
    assert operation.query.reads == (name("t"), name("u"))
    assert operation.query.functions == (name("setval"), name("max"))
    assert operation.query.locks_rows


@pytest.mark.parametrize("sql", ["SELECT pg_advisory_lock(1)", "VALUES (1), (2)", "TABLE t"])
def test_forms_of_select(sql: str) -> None:
    assert kinds(sql) == ["select"]


def test_select_into_creates_a_table() -> None:
    operation = build_one("SELECT a INTO TEMP x FROM t")
    assert isinstance(operation, CreateTableAs)
    assert operation.target == name("x")


def test_data_modifying_with_comes_before_what_uses_it() -> None:
    sql = "WITH d AS (DELETE FROM a RETURNING *), e AS (SELECT 1) SELECT * FROM d, e"
    deleted, selected = build(sql)
    assert isinstance(deleted, Delete)
    assert deleted.target == name("a")
    assert isinstance(selected, Select)
    assert selected.query.reads == ()
    assert selected.query.writes == (name("a"),)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT set_config('lock_timeout', '5s', false)", SetVariable(name="lock_timeout", values=("5s",))),
        (
            "SELECT pg_catalog.set_config('search_path', '', false)",
            SetVariable(name="search_path", values=("",)),
        ),
        ("SELECT set_config('A.b', '1', true)", SetVariable(name="a.b", values=("1",), local=True)),
        ("SELECT set_config('a.b', '1', 't')", SetVariable(name="a.b", values=("1",), local=True)),
        ("SELECT set_config('a', NULL, false)", SetVariable(name="a", values=None)),
        ("SELECT set_config('a', b.c, true)", SetVariable(name="a", values=None, known=False)),
        ("SELECT set_config(x, 'b', true)", SetVariable(name="", values=None, known=False)),
    ],
)
def test_set_config(sql: str, expected: SetVariable) -> None:
    (operation,) = build(sql)
    assert isinstance(operation, SetVariable)
    assert operation.function
    assert (operation.name, operation.values, operation.local, operation.known) == (
        expected.name,
        expected.values,
        expected.local,
        expected.known,
    )


@pytest.mark.parametrize("rest", ["FROM t", "WHERE false", "LIMIT 0", "GROUP BY 1"])
def test_set_config_that_may_not_be_called_is_not_known(rest: str) -> None:
    setting, selected = build(f"SELECT set_config('a', 'b', false) {rest}")
    assert isinstance(setting, SetVariable)
    assert not setting.known
    assert isinstance(selected, Select)


def test_other_columns_beside_set_config() -> None:
    assert kinds("SELECT set_config('a', 'b', false), f()") == ["set_variable", "select"]


# --- INSERT, UPDATE, DELETE, MERGE ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "INSERT INTO s.t (a, b) VALUES (1, 2), (3, 4)",
            Insert(target=name("s.t"), columns=("a", "b"), rows=2, width=2),
        ),
        ("INSERT INTO t DEFAULT VALUES", Insert(target=name("t"), source="default")),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
            Insert(target=name("t"), rows=1, width=1, on_conflict="nothing"),
        ),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING a",
            Insert(target=name("t"), rows=1, width=1, on_conflict="update"),
        ),
    ],
)
def test_insert(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_insert_of_a_query() -> None:
    operation = build_one("INSERT INTO t SELECT f(a) FROM u")
    assert isinstance(operation, Insert)
    assert operation.source == "query"
    assert operation.query is not None
    assert operation.query.reads == (name("u"),)
    assert operation.query.functions == (name("f"),)


def test_names_of_an_inserts_with_are_no_relations() -> None:
    operation = build_one("WITH d AS (SELECT * FROM u) INSERT INTO t SELECT * FROM d")
    assert isinstance(operation, Insert)
    assert operation.query == Query(reads=(name("u"),))


def test_insert_writes_of_both_with_clauses() -> None:
    sql = "WITH d AS (DELETE FROM a RETURNING *) INSERT INTO t WITH e AS (DELETE FROM b RETURNING *) SELECT * FROM d, e"
    first, second, insert = build(sql)
    assert [first.target, second.target] == [name("a"), name("b")]
    assert isinstance(insert, Insert)
    assert insert.query is not None
    assert set(insert.query.writes) == {name("a"), name("b")}


def test_the_rows_of_values_are_not_looked_at() -> None:
    """Twenty times the content must not cost anything like twenty times the time."""
    row = "(" + ", ".join(f"f({number}) + {number}" for number in range(200)) + ")"

    def seconds(rows: int) -> float:
        node = tree(f"INSERT INTO t VALUES {', '.join([row] * rows)}")["InsertStmt"]
        times = []
        for _ in range(20):
            start = time.perf_counter()
            data.insert(node, library())
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(40) < seconds(2) * 5


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE t SET a = 1", Update(target=name("t"), assigned=("a",))),
        (
            "UPDATE s.t AS x SET a = u.a, (b, c) = (SELECT 1, 2 FROM v) FROM u WHERE b > 2",
            Update(
                target=name("s.t"),
                assigned=("a", "b", "c"),
                where=greater("b", 2),
                reads=(name("v"), name("u")),
                alias="x",
            ),
        ),
        ("UPDATE t SET a = 1 WHERE CURRENT OF c", Update(target=name("t"), assigned=("a",), current_of=True)),
        ("DELETE FROM t", Delete(target=name("t"))),
        (
            "DELETE FROM ONLY t x USING u WHERE a > 1",
            Delete(target=name("t"), where=greater("a", 1), reads=(name("u"),), alias="x", only=True),
        ),
        ("DELETE FROM t WHERE CURRENT OF c", Delete(target=name("t"), current_of=True)),
        (
            """MERGE INTO t USING u ON t.a = u.a WHEN MATCHED AND u.b > 1 THEN DELETE WHEN MATCHED THEN DO NOTHING
            WHEN NOT MATCHED THEN INSERT VALUES (1) WHEN NOT MATCHED BY SOURCE THEN UPDATE SET a = 1 RETURNING *""",
            Merge(target=name("t"), actions=("delete", "nothing", "insert", "update"), reads=(name("u"),)),
        ),
    ],
)
def test_changes_of_rows(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_where_of_a_subquery_is_read() -> None:
    operation = build_one("DELETE FROM t WHERE a IN (SELECT a FROM u)")
    assert isinstance(operation, Delete)
    assert operation.reads == (name("u"),)
    assert operation.where == Expr(
        "subquery", name=Name(None, "any_sublink"), args=(column_ref("a"),), reads=(name("u"),)
    )


# --- TRUNCATE, COPY, LOCK ---------------------------------------------------------------------------------------------


def test_truncate_gives_one_operation_for_each_table() -> None:
    assert build("TRUNCATE TABLE ONLY a, s.b RESTART IDENTITY CASCADE") == [
        Truncate(target=name("a"), cascade=True, restart_identity=True, only=True, clause=0),
        Truncate(target=name("s.b"), cascade=True, restart_identity=True, clause=1),
    ]


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ("", "ACCESS EXCLUSIVE"),
        ("IN ACCESS SHARE MODE", "ACCESS SHARE"),
        ("IN SHARE UPDATE EXCLUSIVE MODE", "SHARE UPDATE EXCLUSIVE"),
        ("IN SHARE MODE", "SHARE"),
        ("IN EXCLUSIVE MODE", "EXCLUSIVE"),
    ],
)
def test_lock(words: str, mode: str) -> None:
    assert build(f"LOCK TABLE a, ONLY b {words} NOWAIT") == [
        LockTable(target=name("a"), mode=mode, nowait=True, clause=0),
        LockTable(target=name("b"), mode=mode, nowait=True, only=True, clause=1),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("COPY t (a, b) FROM STDIN", Copy(target=name("t"), direction="from", where="stdin", columns=("a", "b"))),
        ("COPY t TO STDOUT", Copy(target=name("t"), direction="to", where="stdout")),
        ("COPY t FROM '/x' WHERE a > 1", Copy(target=name("t"), direction="from", where="file")),
        ("COPY t TO PROGRAM 'x'", Copy(target=name("t"), direction="to", where="program")),
        (
            "COPY (SELECT f() FROM t) TO STDOUT (FORMAT csv)",
            Copy(direction="to", where="stdout", query=Query(reads=(name("t"),), functions=(name("f"),))),
        ),
    ],
)
def test_copy(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_copy_of_a_delete_deletes() -> None:
    assert kinds("COPY (DELETE FROM t RETURNING *) TO STDOUT") == ["delete", "copy"]


# --- EXPLAIN, PREPARE, EXECUTE, DECLARE -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["ANALYZE", "(ANALYZE)", "(COSTS, ANALYZE on)", "(ANALYZE 1)"])
def test_explain_analyze_runs_the_statement(options: str) -> None:
    assert build(f"EXPLAIN {options} DELETE FROM t") == [Delete(target=name("t"))]


@pytest.mark.parametrize("options", ["", "VERBOSE", "(ANALYZE off)", "(ANALYZE 0, COSTS)"])
def test_explain_alone_runs_nothing(options: str) -> None:
    looked_at = Query(writes=(name("t"),))
    assert build(f"EXPLAIN {options} DELETE FROM t") == [SessionCommand(command="explain", query=looked_at)]
    assert build(f"EXPLAIN {options} REFRESH MATERIALIZED VIEW m") == [SessionCommand(command="explain")]


def test_a_prepared_statement_runs_when_it_is_executed_and_is_not_known_then() -> None:
    later, query = (Delete(target=name("t")),), Query(writes=(name("t"),))
    assert build("PREPARE p AS DELETE FROM t") == [
        SessionCommand(command="prepare", name="p", query=query, prepared=later)
    ]
    assert build("EXECUTE p (1)") == [
        SessionCommand(command="execute", name="p"),
        DynamicSql(text="EXECUTE p"),
    ]


def test_a_cursors_query_is_opened_when_it_is_declared() -> None:
    command, selected = build("DECLARE c CURSOR FOR SELECT a FROM t FOR UPDATE")
    assert command == SessionCommand(command="declare_cursor", name="c")
    assert isinstance(selected, Select)
    assert selected.query.locks_rows
