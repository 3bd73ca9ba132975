"""Backfills: every row once, whatever happens, and nobody waits long."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from dflint.guard.attempts import AttemptLimits
from dflint.guard.backfill import Pace, run_backfill
from dflint.guard.backfill_keys import Ranges, fetch_key, find_target
from dflint.guard.errors import Fenced, GaveUpWaiting, GuardRefused, PostCheckFailed, StepFailed
from dflint.guard.options import Options
from dflint.model.plan import Check, Step
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous, until
from tests.guard.watching import Guarded, backfill, guarded, run_of, session
from tests.servers import TestServer

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, v int, n int NOT NULL DEFAULT 0)"
ROWS = "INSERT INTO t SELECT g, NULL FROM generate_series(1, {}) g"
COUNT = "UPDATE t SET n = n + 1"


async def execute(ours: Guarded, step: Step, run: str | None = None, **given: Any) -> str:
    run = run or await run_of(ours.ledger, step)
    options = given.pop("options", Options())
    await run_backfill(
        ours.lock, ours.ledger, run, 0, step, monitor=ours.monitor, options=options, progress=ours.told, **given
    )
    return run


async def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    async with await connect(dsn, autocommit=True) as connection:
        return await (await connection.execute(query.encode())).fetchall()


@pytest.mark.majors(14, 18)
@asynchronous
async def test_each_row_once(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, ROWS.format(12_345)), guarded(dsn) as ours:
        step = backfill(COUNT, "id", batch=100)
        run = await execute(ours, step)
        (record,) = await ours.ledger.steps(run)
        cursor = await ours.ledger.cursor(run, 0)
        events = await ours.ledger.events(run)
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 12_345)]
    assert record.state == "done"
    assert cursor is not None
    assert (cursor.last_key, cursor.high_key, cursor.rows_done) == (("12345",), ("12345",), 12_345)
    assert [event.kind for event in events] == ["intent", "done"]
    progress = ours.told.of("progress")
    # The batches grow with what a batch takes.
    assert 5 < len(progress) < 100
    assert progress[-1]["estimate"] == 12_345


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_condition_a_join_an_alias_and_per_cent_signs(pg: TestServer) -> None:
    dsn = pg.new_database()
    other = "CREATE TABLE other AS SELECT g AS id, 'a%b' || g AS w FROM generate_series(1, 1000) g"
    sql = """UPDATE ONLY public.t AS x -- where it goes
                SET v = o.id, n = CASE WHEN x.n = 0 THEN 1 ELSE 99 END
               FROM other o
              WHERE o.id = x.id AND (o.w LIKE 'a%b%' OR o.w = '{}') AND x.v IS NULL -- the end
              ;"""
    async with session(dsn, TABLE, ROWS.format(1500), other), guarded(dsn) as ours:
        await execute(ours, backfill(sql, "id", batch=100))
    assert await rows(dsn, "SELECT v = id, n, count(*) FROM t GROUP BY 1, 2 ORDER BY 3") == [
        (None, 0, 500),
        (True, 1, 1000),
    ]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_empty_table(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE), guarded(dsn) as ours:
        run = await execute(ours, backfill(COUNT, "id"))
        assert (await ours.ledger.steps(run))[0].state == "done"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_it_goes_on_where_it_was(pg: TestServer) -> None:
    """Fault 52, killed by its server session's end; the process is killed in tests/faults."""
    dsn = pg.new_database()
    step = backfill(COUNT, "id", batch=100)
    killed = 0
    async with session(dsn, TABLE, ROWS.format(5000)) as admin:
        async with guarded(dsn) as ours:
            run = await run_of(ours.ledger, step)
            lock_run = ours.lock.run_id
        while killed < 5:
            with contextlib.suppress(psycopg.Error, Fenced):
                async with guarded(dsn, run_id=lock_run) as ours:
                    killing = asyncio.create_task(_kill_after_batches(admin, ours, 2))
                    await execute(ours, step, run, pace=Pace(target_s=0.002))
                    raise AssertionError("it was not killed")
            await killing
            killed += 1
        async with guarded(dsn, run_id=lock_run) as ours:
            await execute(ours, step, run)
    assert killed == 5
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 5000)]
    assert await rows(dsn, "SELECT rows_done FROM dflint.cursor") == [(5000,)]
    assert await rows(dsn, "SELECT count(*) FROM dflint.event WHERE kind = 'done'") == [(1,)]


@pytest.mark.majors(14, 15, 18)
@asynchronous
async def test_rows_are_deleted_in_batches_whatever_is_killed(pg: TestServer) -> None:
    """Those that the condition is for, and no others; rows that come meanwhile beyond the end stay."""
    dsn = pg.new_database()
    other = "CREATE TABLE other AS SELECT g AS id FROM generate_series(1, 6000) g WHERE g % 3 = 0"
    sql = "DELETE FROM ONLY t AS x USING other o WHERE o.id = x.id AND (x.n = 0 OR '%{}' = '') -- the end"
    step = backfill(sql, "id", batch=100)
    async with session(dsn, TABLE, ROWS.format(5000), other) as admin:
        async with guarded(dsn) as ours:
            run = await run_of(ours.ledger, step)
            lock_run = ours.lock.run_id
        for _ in range(3):
            with contextlib.suppress(psycopg.Error, Fenced):
                async with guarded(dsn, run_id=lock_run) as ours:
                    killing = asyncio.create_task(_kill_after_batches(admin, ours, 2))
                    await execute(ours, step, run, pace=Pace(target_s=0.002))
                    raise AssertionError("it was not killed")
            await killing
            await admin.execute("INSERT INTO t SELECT max(id) + 1 FROM t")
        async with guarded(dsn, run_id=lock_run) as ours:
            await execute(ours, step, run)
    assert await rows(dsn, "SELECT count(*), count(*) FILTER (WHERE id % 3 = 0), max(id) FROM t") == [
        (3337, 1, 5003),
    ]
    assert await rows(dsn, "SELECT rows_done FROM dflint.cursor") == [(1666,)]


async def _kill_after_batches(admin: psycopg.AsyncConnection[Any], ours: Guarded, batches: int) -> None:
    pid = ours.connection.info.backend_pid

    async def far_enough() -> bool:
        return len(ours.told.of("progress")) >= batches

    await until(far_enough)
    await admin.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.majors(14, 18)
@asynchronous
async def test_inserts_beyond_the_end_and_deletes_within(pg: TestServer) -> None:
    """Fault 53: it ends, though rows keep coming."""
    dsn = pg.new_database()
    done = asyncio.Event()

    async def insert_and_delete() -> int:
        number = 3001
        async with await connect(dsn, autocommit=True) as writer:
            while not done.is_set():
                await writer.execute("INSERT INTO t (id) VALUES (%s)", [number])
                await writer.execute("DELETE FROM t WHERE id = %s", [number - 3000])
                number += 1
        return number

    async with session(dsn, TABLE, ROWS.format(3000)), guarded(dsn) as ours:
        writing = asyncio.create_task(insert_and_delete())
        run = await execute(ours, backfill(COUNT, "id", batch=50), pace=Pace(target_s=0.005))
        done.set()
        await writing
        cursor = await ours.ledger.cursor(run, 0)
    assert cursor is not None
    assert cursor.high_key is not None
    high = int(cursor.high_key[0])
    assert await rows(dsn, f"SELECT id > {high}, n, count(*) > 0 FROM t GROUP BY 1, 2 ORDER BY 1") == [
        (False, 1, True),
        (True, 0, True),
    ]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_row_that_is_locked_halves_the_batch(pg: TestServer) -> None:
    """Fault 54: bounded, and whoever is in the way is named."""
    dsn = pg.new_database()
    async with session(dsn, TABLE, ROWS.format(2000)), guarded(dsn) as ours:
        async with session(dsn, "BEGIN", "UPDATE t SET v = 1 WHERE id = 1500", application_name="shop") as holder:
            step = backfill(COUNT, "id", batch=1000, lock_ms=300)
            running = asyncio.create_task(execute(ours, step))

            async def failed_twice() -> bool:
                return len(ours.told.of("attempt")) >= 2

            await until(failed_twice)
            await holder.execute("COMMIT")
            run = await running
        attempts = [event.detail for event in await ours.ledger.events(run) if event.kind == "attempt"]
    assert [attempt["error"]["sqlstate"] for attempt in attempts][:2] == ["55P03", "55P03"]
    assert attempts[1]["size"] * 2 <= attempts[0]["size"] + 1
    assert "shop" in attempts[0]["blockers"][0]
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 2000)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_row_that_stays_locked_ends_it(pg: TestServer) -> None:
    dsn = pg.new_database()
    options = Options(attempts=AttemptLimits(attempts=3, base_s=0.01))
    shop = session(dsn, application_name="shop")
    async with session(dsn, TABLE, ROWS.format(2000)), guarded(dsn) as ours, shop as locker:
        await locker.execute("BEGIN; UPDATE t SET v = 1 WHERE id = 1500")
        step = backfill(COUNT, "id", batch=1000, lock_ms=100)
        with pytest.raises(GaveUpWaiting, match="3 attempts failed") as gave_up:
            await execute(ours, step, options=options)
    assert gave_up.value.blocked is not None
    assert "shop" in gave_up.value.blocked
    assert "which stay" in gave_up.value.state


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_batch_that_takes_too_long_is_halved(pg: TestServer) -> None:
    dsn = pg.new_database()
    slow = "UPDATE t SET n = n + 1 WHERE pg_sleep(0.001) IS NOT NULL"
    async with session(dsn, TABLE, ROWS.format(800)), guarded(dsn) as ours:
        run = await execute(ours, backfill(slow, "id", batch=800), pace=Pace(statement_ms=400, target_s=0.2))
        attempts = [event.detail for event in await ours.ledger.events(run) if event.kind == "attempt"]
    assert attempts
    assert attempts[0]["error"]["sqlstate"] == "57014"
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 800)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_writer_never_waits_long(pg: TestServer) -> None:
    """A batch that makes somebody wait is cancelled, and smaller ones follow."""
    dsn = pg.new_database()
    slow = "UPDATE t SET n = n + 1 WHERE pg_sleep(0.002) IS NOT NULL"
    async with session(dsn, TABLE, ROWS.format(1000)), guarded(dsn) as ours:
        running = asyncio.create_task(
            execute(ours, backfill(slow, "id", batch=1000), pace=Pace(statement_ms=30_000, target_s=0.2))
        )
        async with await connect(dsn, autocommit=True) as writer:
            while not running.done():
                # An UPDATE would move the row to the end of the table, where the batch meets it last.
                await writer.execute("SELECT FROM t WHERE id = 1 FOR UPDATE")
                await asyncio.sleep(0.05)
        run = await running
        attempts = [event.detail for event in await ours.ledger.events(run) if event.kind == "attempt"]
    assert attempts
    assert "a session has waited" in attempts[0]["cancelled_because"]
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 1000)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_row_that_the_server_refuses(pg: TestServer) -> None:
    """Fault 59: the batch is rolled back, its keys are in the event, what came before stays."""
    dsn = pg.new_database()
    checked = "ALTER TABLE t ADD CHECK (id <> 2500 OR n = 0)"
    async with session(dsn, TABLE, ROWS.format(3000), checked), guarded(dsn) as ours:
        step = backfill(COUNT, "id", batch=1000)
        run = await run_of(ours.ledger, step)
        with pytest.raises(StepFailed, match="violates check constraint") as failed:
            await execute(ours, step, run, pace=Pace(target_s=0.0))
        (record,) = await ours.ledger.steps(run)
        attempt = next(event for event in await ours.ledger.events(run) if event.kind == "attempt")
        cursor = await ours.ledger.cursor(run, 0)
    assert (record.state, failed.value.exit_code) == ("failed", 13)
    batch = attempt.detail["batch"]
    assert int(batch["after"][0]) < 2500 <= int(batch["end"][0])
    assert cursor is not None
    assert cursor.last_key == tuple(batch["after"])
    assert await rows(dsn, "SELECT count(*) FROM t WHERE n = 1") == [(cursor.rows_done,)]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_what_does_not_hold_afterwards(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, ROWS.format(10)), guarded(dsn) as ours:
        step = backfill(
            COUNT, "id", post=(Check("all are filled", "SELECT NOT EXISTS (SELECT FROM t WHERE v IS NULL)"),)
        )
        with pytest.raises(PostCheckFailed, match="all are filled"):
            await execute(ours, step)


@pytest.mark.majors(14, 18)
@asynchronous
async def test_shards(pg: TestServer) -> None:
    """Fault 60: one shard's end does not touch the other's cursor."""
    dsn = pg.new_database()
    step = backfill(COUNT, "id", batch=100)
    async with session(dsn, TABLE, ROWS.format(2000)), guarded(dsn) as ours:
        run = await run_of(ours.ledger, step)
        for shard, (low, high) in enumerate([("0", "1000"), ("1000", "2000")]):
            await ours.ledger.advance_cursor(run, 0, last_key=(low,), high_key=(high,), rows=0, shard=shard)
        await execute(ours, step, run, shard=1)
        first, second = [await ours.ledger.cursor(run, 0, shard=shard) for shard in (0, 1)]
    assert first is not None
    assert (first.last_key, first.rows_done) == (("0",), 0)
    assert second is not None
    assert (second.last_key, second.rows_done) == (("2000",), 1000)
    assert await rows(dsn, "SELECT min(id), max(id) FROM t WHERE n = 1") == [(1001, 2000)]


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize(
    ("table", "sql", "key", "message"),
    [
        ("CREATE TABLE t (id int, n int)", COUNT, ("id",), "is no key of public.t"),
        ("CREATE TABLE t (id int UNIQUE, n int)", COUNT, ("id",), "is no key of public.t"),
        (
            "CREATE TABLE t (id int NOT NULL, n int); CREATE UNIQUE INDEX ON t (id) WHERE n > 0",
            COUNT,
            ("id",),
            "is no key of public.t",
        ),
        (
            "CREATE TABLE t (id int NOT NULL, n int, UNIQUE (id) DEFERRABLE)",
            COUNT,
            ("id",),
            "is no key of public.t",
        ),
        ("CREATE VIEW t AS SELECT 1 AS id, 2 AS n", COUNT, ("id",), "no table public.t"),
        (TABLE, "UPDATE t SET id = id + 1", ("id",), "rows would be met twice"),
        (TABLE, "UPDATE t SET n = 1 RETURNING id", ("id",), "RETURNING"),
        (TABLE, "WITH x AS (SELECT 1) UPDATE t SET n = 1", ("id",), "WITH"),
        (TABLE, "INSERT INTO t SELECT 1", ("id",), "not one UPDATE or DELETE"),
        (TABLE, "DELETE FROM t RETURNING id", ("id",), "RETURNING"),
        (TABLE, "DELETE FROM other", ("id",), "it changes other"),
        (TABLE, "UPDATE t SET n = 1; UPDATE t SET n = 2", ("id",), "not one UPDATE"),
        (TABLE, "UPDATE other SET n = 1", ("id",), "it changes other"),
    ],
)
@asynchronous
async def test_what_cannot_be_cut(pg: TestServer, table: str, sql: str, key: tuple[str, ...], message: str) -> None:
    """Fault 56, and UPDATEs of which batches would not do the same."""
    dsn = pg.new_database()
    async with session(dsn, table), guarded(dsn) as ours:
        with pytest.raises(GuardRefused, match=message):
            await execute(ours, backfill(sql, *key))


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_role_that_may_not_vacuum(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = (TABLE, ROWS.format(100), "DROP ROLE IF EXISTS filler", "CREATE ROLE filler LOGIN")
    database = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    async with session(dsn, *setup, "GRANT SELECT, UPDATE ON t TO filler") as admin:
        try:
            await admin.execute(SQL("GRANT CREATE ON DATABASE {} TO filler").format(Identifier(str(database))))
            async with guarded(f"{dsn} user=filler") as ours:
                run = await execute(ours, backfill(COUNT, "id"))
                said = [event.detail for event in await ours.ledger.events(run) if event.kind == "maintenance"]
        finally:
            await admin.execute("DROP OWNED BY filler CASCADE")
            await admin.execute("DROP ROLE filler")
    assert (said and "permission" in str(said)) or "skipping" in str(said)
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 100)]


KEYS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "bigint": ("k bigint PRIMARY KEY", st.tuples(st.integers(-(2**63), 2**63 - 1))),
    "composite": (
        "k smallint, l text, PRIMARY KEY (k, l)",
        st.tuples(st.integers(-3, 3), st.text("abAB ä", max_size=3)),
    ),
    "uuid": ("k uuid PRIMARY KEY", st.tuples(st.uuids())),
    "text": (
        "k text PRIMARY KEY",
        st.tuples(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4)),
    ),
    "descending": ("k int NOT NULL; CREATE UNIQUE INDEX ON t (k DESC)", st.tuples(st.integers(-50, 50))),
    "numeric": ("k numeric PRIMARY KEY", st.tuples(st.decimals(-100, 100, places=3))),
    "float": ("k float8 PRIMARY KEY", st.tuples(st.floats(allow_nan=True, allow_infinity=True))),
    "interval": ("k interval PRIMARY KEY", st.tuples(st.timedeltas(timedelta(-500), timedelta(500)))),
    "date": ("k date PRIMARY KEY", st.tuples(st.dates())),
    "char": ("k char(4) PRIMARY KEY", st.tuples(st.text("ab ", max_size=4))),
}

#: Of the servers here, the newest was built without ICU.
COLLATED_KEYS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "collated": ('k text COLLATE "en-x-icu" PRIMARY KEY', st.tuples(st.text("aAäÄbBß-_ '1", max_size=3))),
    "c_index": (
        'k text COLLATE "en-x-icu" NOT NULL; CREATE UNIQUE INDEX ON t (k COLLATE "C")',
        st.tuples(st.text("aAäÄb-_", max_size=3)),
    ),
    "ignoring_case": ("k text COLLATE nocase PRIMARY KEY", st.tuples(st.text("aAbB", max_size=3))),
}


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("kind", KEYS)
def test_no_key_is_skipped_or_met_twice(pg: TestServer, kind: str) -> None:
    """Fault 55: every key is in exactly one range, whatever its type, its order and the session's settings are."""
    meets_each_key_once(pg.new_database(), *KEYS[kind])


@pytest.mark.majors(14)
@pytest.mark.parametrize("kind", COLLATED_KEYS)
def test_no_key_is_skipped_whatever_the_collation(pg: TestServer, kind: str) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    meets_each_key_once(dsn, *COLLATED_KEYS[kind])


def meets_each_key_once(dsn: str, columns: str, strategy: st.SearchStrategy[Any]) -> None:
    """Fill a table with such keys, cut it into ranges of some size, and count how often each row is met."""
    names = ["k", "l"] if "l text" in columns else ["k"]

    async def ranges(keys: list[tuple[Any, ...]], size: int, style: str) -> None:
        async with await connect(dsn, autocommit=True) as connection:
            await connection.execute("TRUNCATE t")
            await connection.execute(SQL("SET DateStyle = {}").format(style))
            await connection.execute("SET IntervalStyle = 'sql_standard'; SET extra_float_digits = 0")
            for key in keys:
                await connection.execute(
                    SQL("INSERT INTO t ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
                        SQL(", ").join(map(Identifier, names)), SQL(", ").join([SQL("%s")] * len(names))
                    ),
                    key,
                )
            step = backfill("UPDATE t SET n = n + 1", *names)
            target = await find_target(connection, step)
            cut = Ranges(step, target)
            high = await fetch_key(connection, target, cut.highest(), [])
            after = None
            while high is not None and after != high:
                end = await fetch_key(connection, target, *cut.end_of_batch(after, high, size)) or high
                await connection.execute(*cut.change(after, end), prepare=False)
                after = end
            found = await (await connection.execute("SELECT n, count(*) FROM t GROUP BY n")).fetchall()
            assert [n for n, _ in found] in ([1], [])

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(strategy, max_size=30),
        st.integers(1, 7),
        st.sampled_from(["ISO, DMY", "German", "SQL, MDY", "SQL, DMY"]),
    )
    def check(keys: list[tuple[Any, ...]], size: int, style: str) -> None:
        asyncio.run(ranges(keys, size, style))

    with psycopg.connect(dsn, autocommit=True) as connection:
        first, _, index = columns.partition(";")
        # The column for counting comes first, so that a table constraint may be last.
        connection.execute(f"CREATE TABLE t (n int NOT NULL DEFAULT 0, {first})".encode())
        if index:
            connection.execute(index.encode())
    check()


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_partitioned_table(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = (
        "CREATE TABLE t (at date, id int, n int NOT NULL DEFAULT 0, PRIMARY KEY (at, id)) PARTITION BY RANGE (at)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "INSERT INTO t SELECT date '2024-01-01' + g % 700, g FROM generate_series(1, 3000) g",
    )
    async with session(dsn, *setup), guarded(dsn) as ours:
        await execute(ours, backfill(COUNT, "at", "id", batch=100))
    assert await rows(dsn, "SELECT n, count(*) FROM t GROUP BY n") == [(1, 3000)]
