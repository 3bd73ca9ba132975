from __future__ import annotations

import pytest

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Analyze, Checkpoint, Cluster, CreateIndex, Reindex, Vacuum
from dflint.model.schema import IndexElement
from dflint.sql.build import indexes
from dflint.sql.build.nodes import Unread
from tests.sql.building import build, build_one, column_ref, greater, library, number, tree

T = Name("s", "t")
A = (IndexElement("a"),)


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("CREATE INDEX ON s.t (a)", CreateIndex(target=T, elements=A)),
        ("CREATE INDEX i ON s.t (a)", CreateIndex(target=T, name="i", elements=A)),
        ("CREATE UNIQUE INDEX ON s.t (a)", CreateIndex(target=T, unique=True, elements=A)),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (a)",
            CreateIndex(target=T, name="i", concurrently=True, if_not_exists=True, elements=A),
        ),
        ("CREATE INDEX ON ONLY s.t (a)", CreateIndex(target=T, only=True, elements=A)),
        ("CREATE INDEX ON s.t USING gin (a)", CreateIndex(target=T, method="gin", elements=A)),
        ("CREATE INDEX ON s.t (a) WHERE a > 1", CreateIndex(target=T, elements=A, where=greater("a", 1))),
        ("CREATE INDEX ON s.t (a) INCLUDE (b, c)", CreateIndex(target=T, elements=A, include=("b", "c"))),
        (
            "CREATE UNIQUE INDEX ON s.t (a) NULLS NOT DISTINCT",
            CreateIndex(target=T, unique=True, elements=A, nulls_not_distinct=True),
        ),
        (
            "CREATE INDEX ON s.t (a) WITH (fillfactor = 70, fastupdate = off) TABLESPACE fast",
            CreateIndex(target=T, elements=A, options=(("fillfactor", "70"), ("fastupdate", "off")), tablespace="fast"),
        ),
    ],
)
def test_create_index(sql: str, operation: CreateIndex) -> None:
    assert build_one(sql) == operation


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("a ASC", IndexElement("a")),
        ("a DESC", IndexElement("a", descending=True)),
        ("a NULLS FIRST", IndexElement("a", nulls_first=True)),
        ("a DESC NULLS LAST", IndexElement("a", descending=True, nulls_first=False)),
        ('a COLLATE "C"', IndexElement("a", collation=Name(None, "C"))),
        ("a text_pattern_ops", IndexElement("a", operator_class=Name(None, "text_pattern_ops"))),
        (
            "a s.gist_trgm_ops (siglen = 32)",
            IndexElement("a", operator_class=Name("s", "gist_trgm_ops"), operator_class_options=(("siglen", "32"),)),
        ),
        (
            "lower(a)",
            IndexElement(expression=Expr("function", name=Name(None, "lower"), args=(column_ref("a"),))),
        ),
        (
            "(a + 1) DESC",
            IndexElement(
                expression=Expr("operator", name=Name(None, "+"), args=(column_ref("a"), number(1))), descending=True
            ),
        ),
    ],
)
def test_index_elements(text: str, element: IndexElement) -> None:
    assert build_one(f"CREATE INDEX ON s.t ({text})") == CreateIndex(target=T, elements=(element,))


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("REINDEX INDEX s.t", Reindex(target=T, scope="index")),
        ("REINDEX TABLE CONCURRENTLY s.t", Reindex(target=T, scope="table", concurrently=True)),
        ("REINDEX (CONCURRENTLY off) TABLE s.t", Reindex(target=T, scope="table")),
        (
            "REINDEX (VERBOSE, CONCURRENTLY, TABLESPACE fast) TABLE s.t",
            Reindex(target=T, scope="table", concurrently=True, tablespace="fast"),
        ),
        ("REINDEX SCHEMA app", Reindex(scope="schema", schema="app")),
        ("REINDEX DATABASE", Reindex(scope="database")),
        ("REINDEX DATABASE d", Reindex(scope="database")),
        ("REINDEX SYSTEM d", Reindex(scope="system")),
        ("CLUSTER", Cluster()),
        ("CLUSTER s.t", Cluster(target=T)),
        ("CLUSTER VERBOSE s.t USING i", Cluster(target=T, index="i")),
        ("CLUSTER i ON s.t", Cluster(target=T, index="i")),
        ("VACUUM", Vacuum()),
        ("VACUUM s.t", Vacuum(target=T)),
        ("VACUUM FULL FREEZE ANALYZE s.t", Vacuum(target=T, full=True, freeze=True, analyze=True)),
        (
            "VACUUM (FULL off, ANALYZE true, FREEZE 1, PARALLEL 3, SKIP_LOCKED) ONLY s.t (a, b)",
            Vacuum(
                target=T,
                analyze=True,
                freeze=True,
                columns=("a", "b"),
                only=True,
                options=(("parallel", "3"), ("skip_locked", None)),
            ),
        ),
        ("ANALYZE", Analyze()),
        ("ANALYZE VERBOSE s.t (a)", Analyze(target=T, columns=("a",), options=(("verbose", None),))),
        ("ANALYZE (SKIP_LOCKED) ONLY s.t", Analyze(target=T, only=True, options=(("skip_locked", None),))),
        ("CHECKPOINT", Checkpoint()),
    ],
)
def test_maintenance(sql: str, operation: Operation) -> None:
    assert build_one(sql) == operation


def test_each_table_of_a_vacuum_is_an_operation() -> None:
    assert build("VACUUM FULL s.t, u") == [
        Vacuum(target=T, full=True, clause=0),
        Vacuum(target=Name(None, "u"), full=True, clause=1),
    ]
    assert build("ANALYZE s.t, u (a)") == [
        Analyze(target=T, clause=0),
        Analyze(target=Name(None, "u"), columns=("a",), clause=1),
    ]


@pytest.mark.parametrize(
    "sql",
    ["REINDEX (FASTER) TABLE t", "REINDEX (CONCURRENTLY maybe) TABLE t", "CLUSTER (FASTER) t", "VACUUM (FULL maybe) t"],
)
def test_options_that_are_not_understood_are_unread(sql: str) -> None:
    with pytest.raises(Unread):
        build(sql)


@pytest.mark.parametrize("text", ["lower(b)", "b DESC", "b text_ops"])
def test_only_plain_columns_can_be_included(text: str) -> None:
    with pytest.raises(Unread):
        build(f"CREATE INDEX ON t (a) INCLUDE ({text})")


def test_an_unknown_key_is_unread() -> None:
    node = tree("CREATE INDEX ON t (a)")["IndexStmt"]
    node["isconstraint"] = True
    with pytest.raises(Unread, match="isconstraint"):
        indexes.create_index(node, library())
