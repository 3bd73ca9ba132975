"""What the server makes of an expression has the normal form of what was written."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.catalog.literals import LITERALS
from dflint.catalog.normal_form import normal_expression
from dflint.catalog.reader.texts import Texts, parser_library
from dflint.model.expressions import Expr
from tests.servers import TestServer

WRITTEN = (
    "a > 0 and (b < 1 and c = 'x')",
    "c in ('x', 'y')",
    "c not in ('x', 'y')",
    "c in ('x')",
    "a between 1 and 5",
    "a not between 1 and 5",
    "c like 'x%' or c not ilike '%y'",
    "c is distinct from 'x'",
    "not (a is not distinct from b)",
    "coalesce(d, 'z') <> 'q'",
    "v::text = 'x'",
    "lower(v) = 'x'",
    "at > now() - interval '90 day'",
    "at > '2024-01-01'::timestamptz",
    "case when a > 1 then true else b = 2 end",
    "a = -1",
    "n = 1.50",
    "t.a + 1 > t.b",
    "f is not true",
    "f",
    "not f",
    "substring(c from 1 for 2) = 'ab'",
    "extract(year from at) > 2000",
    "position('x' in c) > 0",
    "trim(both from c) <> ''",
    "at at time zone 'utc' > '2020-01-01'",
    "j ->> 'a' = 'b'",
    "j @> '{\"a\":   1}'",
    "a = any (array[1, 2, 3])",
    "(a, b) = (1, 2)",
    "nullif(a, b) is null",
    "greatest(a, b) > 3",
    "c ~ '^[a-z]+$'",
    "c collate \"C\" > 'x'",
    "arr[1] = 2",
    "char_length(c) <= 10",
    "current_date > '2020-01-01'",
)


@pytest.mark.majors("ends")
def test_the_server_s_spelling(pg: TestServer) -> None:
    texts = Texts(parser_library())
    with closing(psycopg.connect(pg.new_database(), autocommit=True)) as connection:
        connection.execute(
            "create table t (a int, b int, c text, d text, v varchar(10), n numeric, f boolean, at timestamptz, j jsonb,"
            " arr int[])"
        )
        for written in WRITTEN:
            connection.execute(f"alter table t add constraint x check ({written})".encode())
            row = connection.execute(
                "select pg_get_expr(conbin, conrelid) from pg_constraint where conname = 'x'"
            ).fetchone()
            connection.execute("alter table t drop constraint x")
            assert row is not None
            mine, theirs = normal_expression(texts.expression(written)), normal_expression(texts.expression(row[0]))
            if pg.major == 13 and "extract" in written:
                continue  # 13 has no function of that name
            assert mine == theirs, (written, row[0])


def test_different_expressions_stay_different() -> None:
    texts = Texts(parser_library())
    written = ["a > 0", "a >= 0", "a > 1", "b > 0", "a > 0 or b > 0", "a > 0 and b > 0", "a in (1, 2)", "a in (1, 3)",
               "not a", "a is null", "a is not null", "lower(a) = 'x'", "upper(a) = 'x'", "a = 'x'", "a between 1 and 2"]  # fmt: skip
    found = [normal_expression(texts.expression(text)) for text in written]
    assert len(set(found)) == len(written)


expressions = st.recursive(
    st.builds(Expr, st.just("constant"), value=st.text(max_size=3)),
    lambda inner: st.builds(
        Expr,
        st.sampled_from(["and", "or", "coalesce", "array"]),
        args=st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=10,
)


@given(expressions)
def test_the_normal_form_is_its_own(expression: Expr) -> None:
    once = normal_expression(expression)
    assert normal_expression(once) == once


def test_literals_as_the_server_prints_them(pg: TestServer) -> None:
    with closing(psycopg.connect(pg.dsn())) as connection:
        connection.execute("set timezone = 'UTC'")
        for kind, text in (
            ("interval", "90 day"),
            ("interval", "1 year 2 months 3 days 04:05:06"),
            ("interval", "2 weeks"),
            ("interval", "-1 hours"),
            ("interval", "1.5 hours"),
            ("bool", "t"),
            ("bool", "off"),
            ("timestamp", "2020-01-01"),
            ("timestamptz", "2020-01-01 10:00:00+02"),
            ("timestamp", "epoch"),
            ("jsonb", '{"b":1,"a":[1,2]}'),
            ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
            ("int4", "+5"),
        ):
            row = connection.execute(f"select $x${text}$x$::{kind}::text".encode()).fetchone()
            assert row is not None
            printed = "true" if row[0] == "t" else "false" if row[0] == "f" else row[0]
            assert LITERALS[kind](text) == LITERALS[kind](printed), (kind, text, printed)
