"""Proofs of recipes on a server: beside writers, against the naive statement."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
from msgspec import Struct

from dflint.app.effects import known_facts
from dflint.app.safe_plan import SafePlan, safe_plan_sql
from dflint.app.snapshot import differences, read_live
from dflint.catalog.definitions import read_definitions
from dflint.guard.executor import execute
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Silent
from dflint.guard.resume import resume
from dflint.guard.undoing import undo
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog, Table
from dflint.model.locks import MODES, blocks_reads, blocks_writes
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.model.plan import Plan
from dflint.planning.statements import names_in, operations_of, parser
from dflint.postgres.source import ConnectionSource

ROWS = 200_000
#: The writers change none of so many rows, unless a proof says otherwise.
UNTOUCHED = 1000


def catalog_after(sql: str, version: int) -> Catalog:
    """What statements make in an empty database."""
    fold = Fold(
        runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=Catalog(basis="replay", closed=True)
    )
    text = sql.encode()
    sections = [Section("up", Span(0, len(text)))]
    for _ in fold.file(text, sections, parser().parse(text, sections)):
        pass
    fold.begin_change()
    return fold.catalog


class Held(Struct):
    """How long locks were held that stop others: the longest stretch without a moment between, in seconds."""

    reads: float = 0.0
    writes: float = 0.0


class LockSampler:
    """Looks every other millisecond which locks others hold on a table."""

    def __init__(self, dsn: str, table: str) -> None:
        self.held = Held()
        self._dsn = dsn
        self._table = table
        self._end = threading.Event()
        self._oid = ""
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            row = connection.execute("SELECT %s::regclass::oid", (self._table,)).fetchone()
        assert row is not None
        self._oid = str(row[0])
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        query = (
            b"SELECT mode FROM pg_locks WHERE granted AND locktype = 'relation' AND relation = $1::oid "
            b"AND pid <> pg_backend_pid()"
        )
        since: dict[str, float] = {}
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            raw = connection.pgconn
            raw.prepare(b"look", query)
            while not self._end.is_set():
                found = raw.exec_prepared(b"look", [self._oid.encode()])
                now = time.monotonic()
                modes = [_spelled((found.get_value(n, 0) or b"").decode()) for n in range(found.ntuples)]
                for kind, stops in (("reads", blocks_reads), ("writes", blocks_writes)):
                    if any(map(stops, modes)):
                        began = since.setdefault(kind, now)
                        setattr(self.held, kind, max(getattr(self.held, kind), now - began))
                    else:
                        since.pop(kind, None)
                time.sleep(0.001)


_SPELLED = {mode.replace(" ", "").lower() + "lock": mode for mode in MODES}


def _spelled(mode: str) -> str:
    return _SPELLED[mode.lower()]


class Version(Struct, frozen=True):
    """What one version of an application says: it inserts a key and a note, changes the note of a key, and something
    else of it; notes and the other thing are null at times.
    """

    insert: str = "INSERT INTO t (id, note) VALUES (%(key)s, %(note)s)"
    update: str = "UPDATE t SET note = %(note)s WHERE id = %(key)s"
    other: str = "UPDATE t SET other_id = %(other)s WHERE id = %(key)s"
    nullable: bool = True


class Writers:
    """Sessions that insert and update rows all the time; what was acknowledged is remembered.

    Attributes:
        failures: what any of them was refused.
        written: notes by key, as they were acknowledged last.
        others: the other thing by key, in the same way.
    """

    def __init__(
        self, dsn: str, versions: Sequence[Version], *, threads: int = 2, rows: int = ROWS, untouched: int = UNTOUCHED
    ) -> None:
        self.failures: list[str] = []
        self.written: dict[int, str | None] = {}
        self.others: dict[int, int | None] = {}
        self._rows = rows
        self._untouched = untouched
        self._dsn = dsn
        self._versions = list(versions)
        self._busy = threading.Semaphore(threads)
        self._count = threads
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number, threads)) for number in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def deploy(self) -> None:
        """The next version, in the place of the one that is running: no writer uses the old one any more then."""
        if len(self._versions) < 2:
            return
        for _ in range(self._count):
            self._busy.acquire()
        self._versions.pop(0)
        self._busy.release(self._count)

    def _write(self, own: int, threads: int) -> None:
        key, turn = 1_000_000 + own, 0
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._end.is_set():
                turn += 1
                # The first rows stay as they are, to be compared with what the naive statement makes of them.
                old = (turn * 7919) % ((self._rows - self._untouched) // threads) * threads + own + 1
                old += self._untouched
                with self._busy:
                    version = self._versions[0]
                    self._say(connection, version.insert, key, note=f"new {turn}" if turn % 7 else None)
                    self._say(connection, version.update, old, note=f"changed {turn}" if turn % 5 else None)
                    value = None if version.nullable and turn % 3 == 0 else turn % 1000 + 1
                    self._say(connection, version.other, key if turn % 2 else old, other=value)
                key += threads
                time.sleep(0.002)

    def _say(self, connection: psycopg.Connection[Any], statement: str, key: int, **values: Any) -> None:
        try:
            connection.execute(statement.encode(), {"key": key, **values})
        except psycopg.Error as error:
            self.failures.append(str(error))
            return
        if "note" in values:
            self.written[key] = values["note"]
        else:
            self.others[key] = values["other"]

    def lost(self, connection: psycopg.Connection[Any], table: str, note: str, other: str) -> list[int]:
        """Keys of which what was acknowledged last is not there."""
        lost: list[int] = []
        for column, written in ((note, self.written), (other, self.others)):
            query = f"SELECT id, {column} FROM {table} WHERE id = ANY (%s)"
            there = dict(connection.execute(query.encode(), (list(written),)).fetchall())
            lost += [key for key, value in written.items() if key not in there or there[key] != value]
        return lost


class Proof(Struct, kw_only=True):
    """What was seen.

    Attributes:
        naive, safe: how long others were stopped.
        plan: the recipe's.
        differs: printed differences of the catalog's end from the naive statement's.
        undone: printed differences from the start after the undo; None where nobody undid it.
    """

    naive: Held
    safe: Held
    plan: SafePlan
    outcome: Outcome
    differs: list[str]
    undone: list[str] | None
    failures: list[str]
    lost: list[int]
    same_columns: bool
    same_data: bool


SCHEMA = """
CREATE TABLE other (id bigint PRIMARY KEY);
CREATE TABLE t (id bigint NOT NULL, n int, note text, other_id bigint);
INSERT INTO other SELECT g FROM generate_series(1, 1000) g;
INSERT INTO t SELECT g, g, 'row ' || g, g % 1000 + 1 FROM generate_series(1, {rows}) g;
"""


async def prove(
    new_database: Callable[[], str],
    sql: str,
    *,
    before: str = "",
    schema: str = SCHEMA,
    table: str = "t",
    versions: Sequence[Version] = (Version(),),
    reads: tuple[str, str] = ("t", "note"),
    other: str = "other_id",
    kept: str = "SELECT 1",
    undoing: bool = True,
    rows: int = ROWS,
    untouched: int = UNTOUCHED,
    inspect: Callable[[psycopg.Connection[Any]], None] | None = None,
) -> Proof:
    """Run a statement as it is in one database, and by its recipe, beside writers, in another; then take it back.

    Args:
        new_database: makes one, and gives its connection string.
        sql: the naive statement.
        before: further statements for both.
        schema: that makes a table t with id and note.
        table: whose locks are looked at.
        versions: of the application; the next is deployed where the plan asks for it.
        reads: the table and the column where the notes are at the end.
        other: the column of the other thing that the writers change.
        kept: a query that gives the same rows after both.
        undoing: take it back.
        rows: of the table.
        untouched: the writers change no row of those, the first ones.
        inspect: looks at the database after the recipe.
    """
    prepared = schema.format(rows=rows) + before + "; ANALYZE"
    one, second = new_database(), new_database()
    for dsn in (one, second):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(prepared.encode())
    with psycopg.connect(one, autocommit=True) as connection, LockSampler(one, table) as naive:
        connection.execute(sql.encode())
    start = await read_live(second)
    definitions = await _definitions(second, sql)
    made = safe_plan_sql(sql, start, version=start.version or 0, definitions=definitions)
    with LockSampler(second, table) as safe, Writers(second, versions, rows=rows, untouched=untouched) as writers:
        time.sleep(0.1)
        outcome = await _carried_out(made.plan, second, manual=len(made.plan.steps), deploy=writers.deploy)
        time.sleep(0.1)
    with psycopg.connect(second, autocommit=True) as connection:
        lost = writers.lost(connection, *reads, other)
        if inspect is not None:
            inspect(connection)
    data = _rows(second, kept)
    ends = await read_live(one), await read_live(second)
    found = differences(*ends)
    undone = None
    if not undoing:
        pass
    elif made.plan.point_of_no_return is None:
        undone = await _undone(second, outcome, start)
    else:
        # What can be taken back ends at the last thing that a person has to do.
        third = new_database()
        with psycopg.connect(third, autocommit=True) as connection:
            connection.execute(prepared.encode())
        manual = sum(step.kind == "manual" for step in made.plan.steps)
        undone = await _undone(third, await _carried_out(made.plan, third, manual=manual - 1), start)
    return Proof(
        naive=naive.held,
        safe=safe.held,
        plan=made,
        outcome=outcome,
        differs=_printed(found),
        undone=undone,
        failures=writers.failures,
        lost=lost,
        same_columns=_columns(ends[0], reads[0]) == _columns(ends[1], reads[0]),
        same_data=_rows(one, kept) == data,
    )


def _columns(catalog: Catalog, table: str) -> frozenset[Any]:
    """The columns of a table, in whatever order."""
    schema, _, name = table.rpartition(".")
    found = catalog.relation(Name(schema or "public", name))
    return frozenset(found.columns) if isinstance(found, Table) else frozenset()


def _rows(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return sorted(connection.execute(query.encode()).fetchall())


async def _carried_out(plan: Plan, dsn: str, *, manual: int, deploy: Callable[[], None] = lambda: None) -> Outcome:
    """Execute a plan; what a person has to do is said to be done, so many times."""
    source = ConnectionSource.coerce(dsn)
    outcome = await execute(plan, source, Options(again=True), Silent())
    while manual and outcome.state != "done" and "is for a person to do" in outcome.message:
        deploy()
        outcome = await resume(source, None, Options(), Silent())
        manual -= 1
    return outcome


async def _undone(dsn: str, outcome: Outcome, start: Catalog) -> list[str]:
    """What is not as it was, after the undo."""
    back = await undo(ConnectionSource.coerce(dsn), outcome.run_id, Options(), Silent())
    assert back.exit_code == 0, back.message
    return _printed(differences(start, await read_live(dsn)))


async def _definitions(dsn: str, sql: str) -> dict[str, str]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        version = connection.info.server_version // 10_000
        return await read_definitions(connection, names_in(operations_of(sql)), version=version)


def _printed(found: list[Any]) -> list[str]:
    return [f"{each.identity} {each.how} {','.join(each.fields)}" for each in found if not _is_ours(each.identity)]


def _is_ours(identity: str) -> bool:
    """The ledger's schema."""
    return identity.partition(":")[2].split(".")[0] in ("dflint", "dflint_trash")
