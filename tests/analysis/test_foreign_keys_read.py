"""What is read for one table's foreign keys is enough: the same is said as with everything read."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dflint.analysis.foreign_keys.impact import FKOperationType, ForeignKeyImpact
from dflint.analysis.foreign_keys.net import net_of
from dflint.app.foreign_keys import asked_for, connected_impact, impact_in
from dflint.catalog.definitions import read_definitions
from dflint.catalog.reader import read_catalog
from dflint.catalog.surroundings import Surroundings, find_table, read_surroundings
from dflint.model.errors import DflintError, InputError, NotFound
from dflint.model.names import Identity, Name
from dflint.model.quoting import quote_identifier
from tests.analysis.judge.schemas import Grower, clear
from tests.catalog.live import execute
from tests.servers import TestServer

STATEMENTS = 40
QUESTIONS = 12
#: Texts that name something in bodies, which nothing but the text knows; and SQL that is put together.
ROUTINES = (
    "CREATE FUNCTION reading_{0}() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.{1}'",
    "CREATE FUNCTION calling_{0}(x text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE ''SELECT '' || x; END'",
    "CREATE FUNCTION typing_{0}() RETURNS void LANGUAGE plpgsql AS 'DECLARE x public.{1}%ROWTYPE; BEGIN x.k := 1; END'",
)
TABLES = """
    SELECT c.relname::text, a.attname::text, (
        SELECT k.conname::text FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('f', 'p', 'u')
        ORDER BY k.conname LIMIT 1)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2
"""


class Comparison:
    """Asks the same of all that was read and of what was read for the question.

    Attributes:
        seen: how many answers had what.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.seen = Counter[str]()

    def differences(self, seed: int) -> list[str]:
        chosen = random.Random(seed)
        with psycopg.connect(self._dsn) as connection:
            clear(connection)
            grower = Grower(connection, seed)
            grower.grow(STATEMENTS)
            rows = connection.execute(TABLES.encode()).fetchall()
            for number in range(chosen.choice((0, 0, 1, 3))):
                text = chosen.choice(ROUTINES).format(number, quote_identifier(chosen.choice(rows)[0]))
                connection.execute(text.encode())
        return asyncio.run(self._compare(list(self._questions(rows, chosen))))

    def _questions(
        self, rows: list[Any], chosen: random.Random
    ) -> Iterator[tuple[FKOperationType, str, dict[str, str]]]:
        names = sorted({table for table, _, _ in rows})
        for _ in range(QUESTIONS):
            table, column, constraint = chosen.choice(rows)
            kind = chosen.choice(list(FKOperationType))
            if kind is FKOperationType.DROP_CONSTRAINT and constraint is None:
                continue
            yield (
                kind,
                quote_identifier(table),
                {
                    "column_name": quote_identifier(column),
                    "constraint_name": quote_identifier(constraint or "none"),
                    "new_name": quote_identifier(chosen.choice(("brand_new", *names, column))),
                    "new_type": chosen.choice(("bigint", "text", "numeric", "public." + quote_identifier(names[0]))),
                },
            )

    async def _compare(self, questions: list[tuple[FKOperationType, str, dict[str, str]]]) -> list[str]:
        path = ("public",)
        found = []
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            catalog = await read_catalog(connection)
            assert not catalog.incomplete
            net = net_of(catalog)
            definitions = await read_definitions(
                connection, {key.table.name for key in net.keys}, version=catalog.version or 0
            )
            await connection.execute("RESET ALL")
            for kind, table, details in questions:
                whole = Surroundings(catalog, net, definitions)
                expected = _said(lambda: impact_in(whole, kind, asked_for(kind, table, details), path))  # noqa: B023
                try:
                    own: ForeignKeyImpact | str = await connected_impact(connection, kind, table, details)
                except DflintError as error:
                    own = str(error)
                if own != expected:
                    found.append(f"{kind} {table} {details}:\n{_difference(own, expected)}")
                self._count(expected)
        return found

    def _count(self, impact: ForeignKeyImpact | str) -> None:
        if isinstance(impact, str):
            self.seen["error"] += 1
            return
        self.seen["impact"] += 1
        for what in ("affected_constraints", "cascade_operations", "cycles", "dependents", "reasons", "unknown"):
            self.seen[what] += bool(getattr(impact, what))


def _said(ask: Any) -> ForeignKeyImpact | str:
    try:
        answer: ForeignKeyImpact = ask()
    except DflintError as error:
        return str(error)
    return answer


def _difference(own: object, expected: object) -> str:
    if not isinstance(own, ForeignKeyImpact) or not isinstance(expected, ForeignKeyImpact):
        return f"  {own}\n  {expected}"
    fields = [field for field in own.__struct_fields__ if getattr(own, field) != getattr(expected, field)]
    return "\n".join(f"  {field}: {getattr(own, field)}\n  not: {getattr(expected, field)}" for field in fields)


def compare(dsn: str, count: int, *, same: bool) -> Comparison:
    found = Comparison(dsn)

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        # A smaller seed is no smaller schema: nothing is shrunk.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(st.integers(0, 2**64 - 1))
    def run(seed: int) -> None:
        assert found.differences(seed) == []

    run()
    return found


@pytest.mark.majors(13, 18)
def test_what_is_read_is_enough(pg: TestServer) -> None:
    found = compare(pg.new_database(), 10, same=True)
    for what in ("affected_constraints", "cascade_operations", "cycles", "dependents", "reasons"):
        assert found.seen[what] >= 3, found.seen


@pytest.mark.exhaustive
@pytest.mark.majors(13, 15, 18)
def test_what_is_read_is_enough_for_many_schemas(pg: TestServer) -> None:
    compare(pg.new_database(), 150, same=False)


def test_a_column_has_the_keys_of_what_is_generated_from_it(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(
        dsn,
        "CREATE TABLE parent (id int PRIMARY KEY);"
        "CREATE TABLE child (k int, g int GENERATED ALWAYS AS (k * 2) STORED REFERENCES parent, other int)",
    )

    async def ask(column: str) -> ForeignKeyImpact:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await connected_impact(connection, "drop_column", "child", {"column_name": column})

    (lost,) = asyncio.run(ask("k")).affected_constraints
    assert (lost.effect, lost.definition) == ("auto_dropped", "FOREIGN KEY (g) REFERENCES public.parent(id)")
    assert not asyncio.run(ask("other")).affected_constraints


TURNS = (
    "ALTER TABLE child DROP CONSTRAINT IF EXISTS one, ADD CONSTRAINT other FOREIGN KEY (x) REFERENCES parent",
    "ALTER TABLE child DROP CONSTRAINT IF EXISTS other, ADD CONSTRAINT one FOREIGN KEY (x) REFERENCES parent",
)


def test_what_changes_while_it_is_read_is_read_again(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, f"CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (x int); {TURNS[0]}")
    stop = threading.Event()

    def change() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not stop.is_set():
                for turn in reversed(TURNS):
                    connection.execute(turn.encode())

    async def look() -> list[Surroundings]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            table = await find_table(connection, Name("public", "parent"), ())
            assert table is not None
            return [await read_surroundings(connection, table) for _ in range(10)]

    worker = threading.Thread(target=change)
    worker.start()
    try:
        found = asyncio.run(look())
    finally:
        stop.set()
        worker.join()
    for each in found:
        names = {key.name for key in each.net.keys}
        if each.catalog.incomplete:
            assert "the schema changed while it was read" in each.catalog.incomplete
        else:
            assert names in ({"one"}, {"other"})
            assert {key.name for key in net_of(each.catalog).keys} == names
            assert {Identity.parse(key).parts[-1] for key in each.definitions} == names


def test_what_is_no_table_is_looked_for_everywhere(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, "CREATE TABLE users (id int PRIMARY KEY); CREATE VIEW seen AS SELECT 1 AS x")

    async def ask(table: str) -> ForeignKeyImpact:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await connected_impact(connection, "drop_table", table, {})

    with pytest.raises(NotFound, match="usres"):
        asyncio.run(ask("usres"))
    with pytest.raises(InputError, match="is a view"):
        asyncio.run(ask("seen"))
