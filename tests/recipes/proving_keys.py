"""Proofs of recipes for keys: two tables, of which one refers to the other, beside writers of both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
from msgspec import Struct

from dflint.app.safe_plan import SafePlan, safe_plan_sql
from dflint.app.snapshot import differences, read_live
from dflint.catalog.definitions import read_definitions
from dflint.guard.executor import execute
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Silent
from dflint.guard.resume import resume
from dflint.guard.undoing import undo
from dflint.model.catalog import Catalog, Table
from dflint.model.plan import Plan
from dflint.postgres.source import ConnectionSource
from tests.recipes.proving import LockSampler


class Writers:
    """Sessions that insert rows of both tables, change and delete some: what was acknowledged is remembered.

    Each new row of ``t`` has the one before it as its parent, and a row of ``child`` that refers to it.

    Attributes:
        failures: what any of them was refused.
        written: notes of rows of ``t``, by id.
        deleted: ids of rows that are gone, and with them what referred to them.
    """

    def __init__(self, dsn: str, threads: int = 2) -> None:
        self.failures: list[str] = []
        self.written: dict[int, str] = {}
        self.deleted: set[int] = set()
        self._dsn = dsn
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        last: int | None = None
        turn = 0
        # Not prepared: a statement that gives back the key has to be prepared again when that has another type.
        with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as connection:
            while not self._end.is_set():
                turn += 1
                try:
                    last = self._say(connection, turn, last)
                except psycopg.Error as failure:
                    self.failures.append(str(failure))
                time.sleep(0.002)

    def _say(self, connection: psycopg.Connection[Any], turn: int, last: int | None) -> int:
        row = connection.execute(
            "INSERT INTO t (parent_id, note) VALUES (%s, %s) RETURNING id", (last, f"new {turn}")
        ).fetchone()
        assert row is not None
        connection.execute("INSERT INTO child (t_id, note) VALUES (%s, %s)", (row[0], f"new {turn}"))
        connection.execute("UPDATE t SET note = %s WHERE id = %s", (f"changed {turn}", row[0]))
        self.written[row[0]] = f"changed {turn}"
        if last is not None and turn % 3 == 0:
            connection.execute("DELETE FROM t WHERE id = %s", (last,))
            del self.written[last]
            self.deleted.add(last)
        return int(row[0])

    def lost(self, connection: psycopg.Connection[Any]) -> list[int]:
        """Ids of rows that are not as they were left, in either table."""
        query = "SELECT t.id, t.note, c.note FROM t LEFT JOIN child c ON c.t_id = t.id WHERE t.id = ANY (%s)"
        there = {key: (note, other) for key, note, other in connection.execute(query, (list(self.written),))}
        wrong = [key for key, note in self.written.items() if there.get(key) != (note, note.replace("changed", "new"))]
        left = "SELECT t_id FROM child WHERE t_id = ANY (%(keys)s) UNION ALL SELECT id FROM t WHERE id = ANY (%(keys)s)"
        return wrong + [key for (key,) in connection.execute(left, {"keys": list(self.deleted)})]


class Seen(Struct, kw_only=True):
    """What was seen of one plan.

    Attributes:
        naive, safe: the longest that others could not write to ``t``, in seconds.
        differs: printed differences of the end from the naive statements'.
        columns: whether the tables have the same columns, in whatever order.
        undone: printed differences from the start after an undo beside writers.
    """

    plan: SafePlan
    outcome: Outcome
    naive: float = 0.0
    safe: float = 0.0
    differs: list[str]
    columns: bool
    undone: list[str]
    failures: list[str] = []
    lost: list[int] = []


async def prove(
    new_database: Callable[[], str],
    schema: str,
    sql: str,
    naive: str,
    *,
    undone: str | None = None,
    before: str = "",
    at_the_end: Callable[[psycopg.Connection[Any]], None] = lambda connection: None,
    inspect: Callable[[psycopg.Connection[Any]], None] = lambda connection: None,
    writing: bool = True,
) -> Seen:
    """Run statements as they are in one database, and others by recipes in another; then take these back in a third.

    Args:
        new_database: makes one, and gives its connection string.
        schema: what is there before.
        sql: done by recipes.
        naive: what it should come to.
        undone: the same, with fewer rows, for the third database.
        before: done in the second database before the writers begin.
        at_the_end: called there when the only thing left is to drop what was there before.
        inspect: looks at it when all is done.
        writing: there are writers.
    """
    one, other, third = [made_database(new_database, each) for each in (schema, schema, undone or schema)]
    with psycopg.connect(one, autocommit=True) as connection, LockSampler(one, "t") as first:
        connection.execute(naive.encode())
    start = await read_live(other)
    made = await planned(other, sql, start)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(before.encode())

        def reached() -> None:
            at_the_end(connection)
            time.sleep(0.5 if writing else 0)

        with LockSampler(other, "t") as second, Writers(other, 2 if writing else 0) as writers:
            outcome = await carried_out(made.plan, other, manual=99, reached=reached)
        lost = writers.lost(connection) if writing else []
        inspect(connection)
    with Writers(third, 2 if writing else 0) as more:
        manual = sum(step.kind == "manual" for step in made.plan.steps)
        half = await carried_out(made.plan, third, manual=max(manual - 1, 0))
        back = await undo(ConnectionSource.coerce(third), half.run_id, Options(), Silent())
    assert back.exit_code == 0, back.message
    with psycopg.connect(third, autocommit=True) as connection:
        lost += more.lost(connection) if writing else []
    ends = await read_live(one), await read_live(other)
    return Seen(
        plan=made,
        outcome=outcome,
        naive=first.held.writes,
        safe=second.held.writes,
        differs=_printed(*ends),
        columns=_columns(ends[0]) == _columns(ends[1]),
        undone=_printed(start, await read_live(third)),
        failures=writers.failures + more.failures,
        lost=lost,
    )


async def carried_out(plan: Plan, dsn: str, *, manual: int, reached: Callable[[], None] = lambda: None) -> Outcome:
    """Execute a plan; what a person has to do is said to be done, so many times."""
    source = ConnectionSource.coerce(dsn)
    outcome = await execute(plan, source, Options(again=True), Silent())
    while manual and outcome.state != "done" and "is for a person to do" in outcome.message:
        reached()
        outcome = await resume(source, None, Options(), Silent())
        manual -= 1
    return outcome


def made_database(new_database: Callable[[], str], schema: str) -> str:
    """The connection string of a new database, with something in it."""
    dsn = new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"{schema}; ANALYZE".encode())
    return dsn


async def planned(dsn: str, sql: str, start: Catalog) -> SafePlan:
    """What recipes make of statements, by the definitions that a server gives."""
    names: Sequence[str] = [name.name for name in start.relations]
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        definitions = await read_definitions(connection, names, version=start.version or 0)
    return safe_plan_sql(sql, start, version=start.version or 0, definitions=definitions)


def _columns(catalog: Catalog) -> dict[Any, frozenset[Any]]:
    """The columns of all tables, in whatever order."""
    return {
        name: frozenset(found.columns)
        for name, found in catalog.relations.items()
        if isinstance(found, Table) and name.schema not in ("dflint", "dflint_trash")
    }


def _printed(one: Catalog, other: Catalog) -> list[str]:
    return [
        f"{each.identity} {each.how} {','.join(each.fields)}"
        for each in differences(one, other)
        if each.identity.partition(":")[2].split(".")[0] not in ("dflint", "dflint_trash")
    ]
