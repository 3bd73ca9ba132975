from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Query
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Unread
from dflint.sql.build.output_columns import UNKNOWN
from dflint.sql.build.queries import contents, mentions, query, reads
from tests.sql.building import name, tree


def names(*texts: str) -> tuple[Name, ...]:
    return tuple(name(text) for text in texts)


def test_a_query_as_a_whole() -> None:
    sql = (
        "WITH gone AS (DELETE FROM old RETURNING id) "
        "SELECT u.id, count(*) AS n, lower(u.name) FROM app.users u JOIN gone USING (id) "
        "WHERE EXISTS (SELECT 1 FROM orgs) FOR UPDATE OF u"
    )
    assert query(tree(sql)) == Query(
        reads=names("app.users", "orgs"),
        columns=(("id", Name("app.users", "id")), ("n", None), ("lower", None)),
        functions=names("count", "lower"),
        writes=names("old"),
        locks_rows=True,
        mentions=("id", "name"),
        locked=names("app.users"),
    )


def test_what_is_read_alone_and_locked_and_which_sequences() -> None:
    found = query(
        tree("SELECT nextval('s.q'), setval('r'::regclass, 1) FROM ONLY a, ONLY b, b c FOR SHARE OF a, nowhere")
    )
    assert found.only == names("a")
    assert found.locked == ()
    assert found.sequences == names("s.q", "r")


@pytest.mark.parametrize(
    ("sql", "mentioned"),
    [
        ("SELECT 1", ()),
        ("SELECT a.*, b.c FROM a, b", ("*", "c")),
        ("SELECT 1 FROM a JOIN b USING (x, y) WHERE z > 0", ("x", "y", "z")),
        ("SELECT x FROM a NATURAL JOIN b", None),
    ],
)
def test_columns_that_a_query_mentions(sql: str, mentioned: tuple[str, ...] | None) -> None:
    assert query(tree(sql)).mentions == mentioned


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", ""),
        ("SELECT", ""),
        ("VALUES (1)", ""),
        ("TABLE t", "t"),
        ("SELECT * FROM s.t, t, u, t", "s.t t u"),
        ("SELECT * FROM a LEFT JOIN b ON true NATURAL JOIN c", "a b c"),
        ("SELECT * FROM (SELECT * FROM a) x, LATERAL (SELECT * FROM b) y", "a b"),
        ("SELECT * FROM ONLY a TABLESAMPLE system (1)", "a"),
        ("SELECT (SELECT max(x) FROM a), ARRAY(SELECT y FROM b) FROM c", "a b c"),
        ("SELECT * FROM f((SELECT 1 FROM a)), ROWS FROM (g((SELECT 1 FROM b)), h())", "a b"),
        ("SELECT 1 FROM a WHERE x IN (SELECT x FROM b) AND NOT EXISTS (TABLE c)", "a b c"),
        ("SELECT 1 FROM a GROUP BY ROLLUP (x, (SELECT 1 FROM b)) HAVING (SELECT true FROM c)", "a b c"),
        ("SELECT 1 FROM a ORDER BY (SELECT 1 FROM b) LIMIT (SELECT 1 FROM c) OFFSET (SELECT 1 FROM d)", "a b c d"),
        ("SELECT sum(x) OVER (PARTITION BY (SELECT 1 FROM a)) FROM b", "a b"),
        ("SELECT sum(x) OVER w FROM b WINDOW w AS (ORDER BY (SELECT 1 FROM a))", "b a"),
        ("SELECT sum(x ORDER BY (SELECT 1 FROM a)) FILTER (WHERE (SELECT true FROM b))", "a b"),
        ("SELECT 1 FROM a UNION SELECT 1 FROM b EXCEPT (SELECT 1 FROM c)", "a b c"),
        ("SELECT CASE WHEN (SELECT true FROM a) THEN (SELECT 1 FROM b) ELSE (SELECT 2 FROM c) END", "a b c"),
        ("SELECT x[(SELECT 1 FROM a)], ROW((SELECT 1 FROM b)), COALESCE((SELECT 1 FROM c))", "a b c"),
        ("SELECT * FROM XMLTABLE('r' PASSING (SELECT x FROM a) COLUMNS y int PATH 'y')", "a"),
        ("SELECT * FROM JSON_TABLE((SELECT j FROM a), '$' COLUMNS (y int PATH '$.y'))", "a"),
        ("SELECT JSON_OBJECT('k': (SELECT 1 FROM a)), JSON_VALUE((SELECT j FROM b), '$')", "a b"),
        ("SELECT XMLELEMENT(NAME x, (SELECT 1 FROM a)), (SELECT x FROM b) IS DOCUMENT", "a b"),
        ("SELECT DISTINCT ON ((SELECT 1 FROM a)) 1", "a"),
        ("SELECT 1 FROM a FOR SHARE OF a", "a"),
    ],
)
def test_relations_read(sql: str, expected: str) -> None:
    assert set(reads(tree(sql))) == set(names(*expected.split()))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("WITH a AS (SELECT 1) SELECT * FROM a", ""),
        # Without RECURSIVE the name does not hide the table inside its own query.
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
        ("WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a", ""),
        # Only later queries see an earlier one, unless RECURSIVE.
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b", ""),
        ("WITH b AS (SELECT * FROM a), a AS (SELECT 1) SELECT * FROM b", "a"),
        ("WITH RECURSIVE b AS (SELECT * FROM a), a AS (SELECT 1) SELECT * FROM b", ""),
        # A qualified name is always a table.
        ("WITH a AS (SELECT 1) SELECT * FROM s.a", "s.a"),
        # Inner queries see outer names; outer ones do not see inner names.
        ("WITH a AS (SELECT 1) SELECT (SELECT 1 FROM a) FROM (SELECT * FROM a) x", ""),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", "a"),
        ("WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a, b", "b"),
        ("WITH a AS (SELECT 1) (WITH b AS (SELECT 1) SELECT * FROM a, b) UNION SELECT * FROM b", "b"),
        ("WITH a AS (SELECT * FROM t) SELECT 1", "t"),
        ("WITH RECURSIVE a(x) AS (SELECT 1) SEARCH DEPTH FIRST BY x SET o CYCLE x SET c USING p SELECT * FROM a", ""),
    ],
)
def test_scope_of_with_names(sql: str, expected: str) -> None:
    assert reads(tree(sql)) == names(*expected.split())


@pytest.mark.parametrize(
    ("sql", "read", "written"),
    [
        ("INSERT INTO t SELECT * FROM a", "a", "t"),
        ("WITH a AS (SELECT * FROM b) INSERT INTO t SELECT * FROM a", "b", "t"),
        ("INSERT INTO t VALUES ((SELECT 1 FROM a)) RETURNING (SELECT 1 FROM b)", "a b", "t"),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT (x) DO UPDATE SET x = (SELECT 1 FROM a) WHERE (SELECT true FROM b)",
            "a b",
            "t",
        ),
        ("UPDATE t SET x = (SELECT 1 FROM a) FROM b, c WHERE EXISTS (SELECT 1 FROM d)", "a b c d", "t"),
        ("UPDATE t SET (x, y) = (SELECT 1, 2 FROM a)", "a", "t"),
        ("DELETE FROM t USING a, (SELECT * FROM b) b WHERE true", "a b", "t"),
        ("MERGE INTO t USING a ON (SELECT true FROM b) WHEN MATCHED THEN DELETE", "a b", "t"),
        ("MERGE INTO t USING (TABLE a) x ON true WHEN NOT MATCHED THEN INSERT VALUES ((SELECT 1 FROM b))", "a b", "t"),
        # What a statement writes is a table, whatever WITH says.
        ("WITH t AS (SELECT 1) DELETE FROM t WHERE true", "", "t"),
        ("WITH n AS (INSERT INTO s.t VALUES (1) RETURNING *), m AS (DELETE FROM u) SELECT * FROM n", "", "s.t u"),
        # Reading the own table in a subquery is reading.
        ("DELETE FROM t WHERE x < (SELECT max(x) FROM t)", "t", "t"),
    ],
)
def test_statements_that_write(sql: str, read: str, written: str) -> None:
    found = contents(tree(sql))
    assert found == Query(
        reads=names(*read.split()), writes=names(*written.split()), functions=found.functions, columns=()
    )


def test_functions_called() -> None:
    sql = "SELECT f(s.g(x)), h(DISTINCT x) FILTER (WHERE i()) FROM j(1), LATERAL k(2) WHERE f(3) AND now() AT TIME ZONE 'x'"
    assert set(contents(tree(sql)).functions) == set(
        names("f", "s.g", "h", "i", "j", "k", "now", "pg_catalog.timezone")
    )


@pytest.mark.parametrize("clause", ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE SKIP LOCKED", "FOR KEY SHARE NOWAIT"])
def test_row_locks(clause: str) -> None:
    assert query(tree(f"SELECT 1 FROM t {clause}")).locks_rows
    assert query(tree(f"SELECT 1 FROM (SELECT 1 FROM t {clause}) x")).locks_rows
    assert not query(tree("SELECT 1 FROM t")).locks_rows


#: What a server (15.18) calls the columns.
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id, u.name, u.name AS n FROM users u", "id name n"),
        ("SELECT 1, 'a', NULL, true, -1, 'a' || 'b', x IS NULL, NOT true", "?column? " * 8),
        ("SELECT 1::int4, 'x'::text, int '4', interval '1 day', (x + 1)::bigint", "int4 text int4 interval int8"),
        ("SELECT x::text, x::text::varchar(3)", "x x"),
        ("SELECT CASE WHEN true THEN 1 END, CASE WHEN true THEN 1 ELSE x END", "case x"),
        ("SELECT CASE WHEN true THEN 1 ELSE '2'::int END", "case"),
        ("SELECT lower(x), s.f(), count(*) OVER (), sum(x) FILTER (WHERE y)", "lower f count sum"),
        ("SELECT coalesce(1, 2), greatest(1, 2), least(1, 2), nullif(1, 2)", "coalesce greatest least nullif"),
        ("SELECT ARRAY[1], ROW(1), EXISTS (SELECT 1), ARRAY(SELECT 1), 1 IN (SELECT 1)", "array row exists array ?column?"),
        ("SELECT (SELECT id FROM t), (SELECT 1), (SELECT 1 AS q UNION SELECT 2), (VALUES (1))", "id ?column? q column1"),
        ("SELECT current_date, current_timestamp(3), localtime(1), user, current_schema", "current_date current_timestamp localtime user current_schema"),
        ("SELECT x[1], (p).y, (p).y[1], x COLLATE \"C\"", "x y y x"),
        ("SELECT now() AT TIME ZONE 'UTC', extract(year FROM x), trim(x), position('a' IN x)", "timezone extract btrim position"),
        ("SELECT xmlconcat(x), xmlserialize(content x AS text), x IS DOCUMENT, grouping(x)", "xmlconcat xmlserialize ?column? grouping"),
        ("SELECT JSON_OBJECT('k': 1), JSON_VALUE(x, '$'), JSON_ARRAYAGG(x), JSON('1')", "json_object json_value json_arrayagg json"),
        ("VALUES (1, 2, 3)", "column1 column2 column3"),
        ("SELECT a AS b UNION SELECT c", "b"),
        ("WITH a AS (SELECT 1 AS x) SELECT * FROM a", "x"),
        ("WITH a (p, q) AS (SELECT 1, 2) SELECT a.*, p AS r FROM a", "p q r"),
        ("WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT n FROM r) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c USING h SELECT * FROM r", "n o c h"),
        ("SELECT s.*, x FROM (SELECT id AS x, name FROM t) s", "x name x"),
        ("SELECT * FROM (SELECT id, name FROM t) s (a)", "a name"),
        ("WITH w AS (INSERT INTO t VALUES (1) RETURNING id, name AS n) SELECT * FROM w", "id n"),
        ("SELECT FROM t", ""),
    ],
)  # fmt: skip
def test_names_of_output_columns(sql: str, expected: str) -> None:
    assert [shown for shown, _ in query(tree(sql)).columns] == expected.split()


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT id FROM s.users", (("id", Name("s.users", "id")),)),
        ("SELECT s.users.id FROM s.users", (("id", Name("s.users", "id")),)),
        ("SELECT u.id AS x FROM users u, orgs o", (("x", Name("users", "id")),)),
        # Which of the two it is, only a catalog knows.
        ("SELECT id FROM users u, orgs o", (("id", None),)),
        ("SELECT * FROM users", (("*", Name(None, "users")),)),
        ("SELECT o.* FROM users u, s.orgs o", (("*", Name("s", "orgs")),)),
        ("SELECT * FROM users JOIN s.orgs ON true", (("*", Name(None, "users")), ("*", Name("s", "orgs")))),
        # The shared columns come once, in front.
        ("SELECT * FROM users JOIN orgs USING (id)", UNKNOWN),
        ("SELECT * FROM users NATURAL JOIN orgs", UNKNOWN),
        ("SELECT j.* FROM (users JOIN orgs ON true) j", UNKNOWN),
        ("SELECT * FROM f()", UNKNOWN),
        ("SELECT * FROM users, f()", UNKNOWN),
        ("SELECT (f()).*", UNKNOWN),
        ("SELECT * FROM users u (a, b)", UNKNOWN),
        ("SELECT a FROM users u (a, b)", (("a", None),)),
        # A whole row is no column.
        ("SELECT u FROM users u", (("u", None),)),
        ("SELECT x FROM (SELECT id AS x FROM users) s", (("x", Name("users", "id")),)),
        ("SELECT id FROM (SELECT * FROM users) s", (("id", Name("users", "id")),)),
        ("WITH a (x) AS (SELECT id FROM users) SELECT a.x FROM a", (("x", Name("users", "id")),)),
        ("SELECT id FROM users UNION SELECT id FROM orgs", (("id", None),)),
        ("SELECT l.x FROM t, LATERAL (SELECT y AS x FROM u) l", (("x", None),)),
        ("SELECT id FROM users TABLESAMPLE system (10)", (("id", Name("users", "id")),)),
        ("SELECT (SELECT * FROM t)", ((None, None),)),
        ("WITH w AS (DELETE FROM t USING o RETURNING o.*, t.a) SELECT * FROM w", (("*", Name(None, "o")), ("a", Name("t", "a")))),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", UNKNOWN),
    ],
)  # fmt: skip
def test_origin_of_output_columns(sql: str, columns: tuple[tuple[str | None, Name | None], ...]) -> None:
    assert query(tree(sql)).columns == columns


def test_mentions() -> None:
    value = tree("SELECT JSON_OBJECT('k': f(t.a + b), 'l': (SELECT c FROM u))")["SelectStmt"]["targetList"][0]
    found = (
        Expr("column", name=Name("t", "a")),
        Expr("column", name=Name(None, "b")),
        Expr("column", name=Name(None, "c")),
        Expr("function", name=Name(None, "f")),
        Expr("subquery", reads=names("u")),
    )
    assert mentions(value["ResTarget"]["val"]) == found
    assert expression(value["ResTarget"]["val"]) == Expr("other", name=Name(None, "JsonObjectConstructor"), args=found)


def test_window_of_a_function_is_part_of_its_expression() -> None:
    value = tree("SELECT sum(a) OVER (PARTITION BY b)")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    assert expression(value).columns() == ("a", "b")


def test_subquery_expression_names_what_it_reads_and_calls() -> None:
    value = tree("SELECT a IN (SELECT f(x) FROM s.u)")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    assert expression(value) == Expr(
        "subquery",
        name=Name(None, "any_sublink"),
        args=(Expr("column", name=Name(None, "a")), Expr("function", name=Name(None, "f"))),
        reads=names("s.u"),
    )


def test_what_is_not_known_is_unread() -> None:
    node = tree("SELECT 1 FROM t")
    node["SelectStmt"]["fromClause"][0]["RangeVar"]["planted"] = 1
    with pytest.raises(Unread, match="planted"):
        query(node)
    with pytest.raises(Unread, match="Rocket"):
        query({"SelectStmt": {"targetList": [{"ResTarget": {"val": {"Rocket": {}}}}]}})


def test_depth_is_no_limit() -> None:
    sql = "SELECT " + " + ".join(["f(a)"] * 200)
    node = tree(sql)
    value = node["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    # Built by hand: decoding such a tree is another matter.
    for _ in range(50_000):
        value = {"A_Expr": {"kind": "AEXPR_OP", "name": [], "lexpr": value}}
    node["SelectStmt"]["targetList"][0]["ResTarget"]["val"] = value
    found = contents(node)
    assert found.functions == names("f")


@given(
    st.lists(st.sampled_from("abc"), max_size=4),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    st.booleans(),
)
def test_a_with_name_is_never_read_and_other_names_always(ctes: list[str], tables: list[str], recursive: bool) -> None:
    ctes = list(dict.fromkeys(ctes))
    head = ("WITH " + "RECURSIVE " * recursive + ", ".join(f"{c} AS (SELECT 1)" for c in ctes) + " ") if ctes else ""
    found = reads(tree(f"{head}SELECT 1 FROM {', '.join(f'{t} x{i}' for i, t in enumerate(tables))}"))
    assert set(found) == {Name(None, t) for t in tables if t not in ctes}
