from __future__ import annotations

import re
from contextlib import closing

import psycopg
import pytest

from dflint.app.effects import predict
from dflint.facts.volatility import default_volatility
from dflint.model.catalog import UNKNOWN, Catalog, Domain, Routine
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.tables import AddColumn, SetColumnDefault
from dflint.model.schema import Column
from tests.catalog.live import execute, read
from tests.facts.contexts import builtin, call, catalog_of, column, constant, context_of, operator, public
from tests.servers import TestServer

NOW = call("now")
EMPTY_JSON = Expr("cast", args=(constant("{}"),), type=builtin("jsonb"))


def of(default: Expr | None, catalog: Catalog | None = None, new: Column | None = None) -> object:
    operation = AddColumn(target=Name(None, "t"), column=new or column("c", default=default))
    return default_volatility(context_of(operation, catalog))


@pytest.mark.parametrize(
    ("default", "answer"),
    [
        (None, "none"),
        (constant("1"), "constant"),
        (Expr("null"), "none"),
        (Expr("cast", args=(Expr("null"),), type=builtin("text")), "none"),
        (EMPTY_JSON, "constant"),
        (NOW, "stable"),
        (call("now", schema="pg_catalog"), "stable"),
        (Expr("value_function", Name(None, "current_timestamp")), "stable"),
        (operator("+", NOW, constant("1")), "stable"),
        (call("lower", constant("A")), "constant"),
        (call("to_char", NOW, constant("YYYY")), "stable"),
        (call("clock_timestamp"), "volatile"),
        (call("random"), "volatile"),
        (call("gen_random_uuid"), "volatile"),
        (call("uuid_generate_v4", schema="extensions"), "volatile"),
        (call("uuidv7"), "volatile"),
        (call("nextval", constant("s")), "volatile"),
        (call("timeofday"), "volatile"),
        (Expr("cast", args=(call("random"),), type=builtin("int4")), "volatile"),
        (Expr("coalesce", args=(constant("1"), call("random"))), "volatile"),
        (call("own"), UNKNOWN),
        (operator("+", call("own"), call("random")), "volatile"),
        (Expr("operator", Name("app", "+++"), (constant("1"),)), UNKNOWN),
    ],
)
def test_defaults(default: Expr | None, answer: object) -> None:
    assert of(default) == answer
    if default is not None:
        operation = SetColumnDefault(target=Name(None, "t"), column="c", default=default)
        assert default_volatility(context_of(operation)) == answer


@pytest.mark.parametrize(
    ("routine", "answer"),
    [
        (Routine(public("own"), volatility="volatile", language="plpgsql"), "volatile"),
        (Routine(public("own"), volatility="stable", language="plpgsql"), "stable"),
        (Routine(public("own"), volatility="immutable", language="plpgsql"), "constant"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=constant("1")), "constant"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=call("random")), "volatile"),
        # A body more volatile than declared is not inlined: what was declared counts.
        (Routine(public("own"), volatility="stable", language="sql", inlined=call("random")), "stable"),
        (Routine(public("own"), volatility="volatile", language="sql", inlined=call("own")), "volatile"),
    ],
)
def test_functions_of_the_history(routine: Routine, answer: str) -> None:
    assert of(call("own"), catalog_of(routines=(routine,))) == answer


def test_a_domain_brings_its_default() -> None:
    domain = Domain(public("d"), builtin("uuid"), default=call("gen_random_uuid"))
    new = column("c", Type(Name(None, "d")))
    assert of(None, catalog_of(types=(domain,)), new) == "volatile"
    assert (
        of(None, catalog_of(types=(domain,)), column("c", Type(Name(None, "d")), default=constant("x"))) == "constant"
    )
    assert of(None, None, new) is UNKNOWN


#: Over a table with a column of each of these types, named like its type.
COLUMNS = "text varchar int4 numeric date timestamp timestamptz time timetz interval jsonb money float8 tsvector bytea"
EXPRESSIONS = (
    *(f"length({each})" for each in ("text", "varchar", "bytea", "tsvector")),
    *(f"date_trunc('hour', {each})" for each in ("date", "timestamp", "timestamptz", "interval")),
    *(f"extract(minute from {each})" for each in ("timestamp", "timestamptz", "time", "timetz", "interval")),
    "extract(year from date)",
    "date_part('year', timestamptz)",
    "date_trunc('month', date::timestamp)",
    "date_trunc('day', timestamptz at time zone 'UTC')",
    "date_trunc('day', timestamptz, 'UTC')",
    "timestamp at time zone 'UTC'",
    "timestamptz at time zone 'UTC'",
    "date at time zone 'UTC'",
    "timetz at time zone 'UTC'",
    "age(timestamp)",
    "age(timestamp, timestamp)",
    "age(timestamptz, timestamptz)",
    "age(date, date)",
    "date(timestamp)",
    "date(timestamptz)",
    "timestamptz::date",
    "timestamp::date",
    "to_tsvector(text)",
    "to_tsvector('english', text)",
    "to_tsvector('english', jsonb)",
    "to_tsvector('english', coalesce(text, '') || ' ' || coalesce(varchar, ''))",
    "to_tsvector('english'::regconfig, text)",
    "to_timestamp(float8)",
    "to_timestamp(text, 'YYYY')",
    "quote_literal(text)",
    "quote_literal(int4)",
    "timestamptz + interval",
    "timestamp + interval",
    "date + int4",
    "timestamptz - timestamptz",
    "timestamptz > date",
    "timestamptz = timestamptz",
    "text || varchar",
    "text || int4",
    "text || 'x'",
    "concat(text, varchar)",
    "lower(text)",
    "upper(varchar) || text",
    "coalesce(text, '')",
    "to_char(timestamp, 'YYYY')",
    "int4::text",
    "date::text",
    "money::numeric",
    "numeric::int4",
    "md5(text)",
    "jsonb ->> 'a'",
    "(jsonb ->> 'a')::int",
    "(jsonb ->> 'a')::timestamptz",
)
#: What the arguments do not tell.
UNSETTLED = frozenset(
    {
        "timetz at time zone 'UTC'", "quote_literal(text)", "quote_literal(int4)", "timestamptz + interval",
        "timestamptz - timestamptz", "timestamptz > date", "text || int4",
        "(jsonb ->> 'a')::timestamptz",
    }
)  # fmt: skip


@pytest.mark.majors("ends")
def test_what_an_index_may_call(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, f"create table t ({', '.join(f'{each} {each}' for each in COLUMNS.replace('time ', '').split())})")
    execute(dsn, 'alter table t add column "time" time')
    catalog = read(dsn)
    for expression in EXPRESSIONS:
        written = re.sub(r"\btime\b(?! zone)", '"time"', expression)
        statement = f"create index on t (({written}))"
        refused = _refusal(dsn, statement)
        (found,) = predict(statement, catalog, version=pg.major)
        predicted = None if found.refused_by_server is None else found.refused_by_server.sqlstate
        assert refused in (None, "42P17"), (expression, refused)
        if expression in UNSETTLED:
            assert predicted is None, expression
        else:
            assert predicted == refused, expression


def _refusal(dsn: str, statement: str) -> str | None:
    with closing(psycopg.connect(dsn)) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate
    return None
