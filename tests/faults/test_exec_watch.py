"""Faults 31-36, 52, 57, 58, 71 and 75, and stalls: what the monitor, preflight and backfills are for."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from dflint.guard.backfill import Pace, run_backfill
from dflint.guard.capabilities import capabilities
from dflint.guard.lag import LagLimits, ReplicaLag, Throttle
from dflint.guard.options import Options
from dflint.guard.preflight import preflight
from dflint.model.plan import Backfill
from tests.faults.cluster import Cluster
from tests.faults.executing import Database, Execution, journal, kinds, plan_of, step, until
from tests.faults.test_exec_locks import reading
from tests.guard.test_blockers import SLOW_AUTOVACUUM
from tests.guard.watching import backfill as guarded_backfill
from tests.guard.watching import guarded, run_of, session
from tests.servers import TestServer

pytestmark = pytest.mark.majors(14, 18)

T = {"table:public.t": "ACCESS EXCLUSIVE"}


class OnCluster(TestServer):
    """A cluster of a test's own, where other tests have the shared server."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)


@contextmanager
def own_server(major: int, folder: Path, **settings: str) -> Iterator[Database]:
    with Cluster(major, settings=settings) as cluster:
        database = Database(OnCluster(cluster), folder)
        try:
            yield database
        finally:
            database.close()


def filled(db: Database) -> None:
    db.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
    db.run("INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g")


def vacuum_at_work(db: Database) -> bool:
    return bool(db.one("SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 't'::regclass"))


@pytest.mark.parametrize("user", ["postgres", "owner"])
@pytest.mark.parametrize("major", [14, 18])
def test_31_autovacuum_gives_way(major: int, user: str, tmp_path: Path) -> None:
    """With 200 ms alone it never would; who may not lower deadlock_timeout makes one attempt that is longer."""
    with own_server(major, tmp_path, **SLOW_AUTOVACUUM) as db:
        filled(db)
        db.run(
            f"CREATE ROLE owner LOGIN; ALTER TABLE t OWNER TO owner; GRANT CREATE ON DATABASE {db.one('SELECT current_database()')} TO owner"
        )
        db.run("GRANT pg_monitor TO owner")
        db.run("UPDATE t SET v = v")
        path = db.save(plan_of(major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
        until(lambda: vacuum_at_work(db), "autovacuum")
        began = time.monotonic()
        ended = db.execute(path, "--yes", environment={"DFLINT_DB": f"{db.dsn} user={user}"})
        took = time.monotonic() - began
    assert ended.status == 0, ended.stderr
    # At its pace autovacuum would have needed minutes.
    assert took < 30
    attempts = [line["detail"] for line in journal(tmp_path) if line["kind"] == "attempt"]
    if user == "owner":
        assert any("autovacuum" in blocker for attempt in attempts for blocker in attempt["blockers"])
        assert len(attempts) < 5


@pytest.mark.parametrize("major", [14, 18])
def test_32_autovacuum_against_wraparound_is_not_fought(major: int, tmp_path: Path) -> None:
    slow = {**SLOW_AUTOVACUUM, "autovacuum_freeze_max_age": "100000", "autovacuum_vacuum_threshold": "2000000000"}
    with own_server(major, tmp_path, **slow) as db:
        filled(db)
        db.run("ALTER TABLE t SET (autovacuum_enabled = off)")
        db.run("DO $$ BEGIN FOR i IN 1..102000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        path = db.save(plan_of(major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
        until(lambda: vacuum_at_work(db), "autovacuum")
        ended = db.execute(path, "--yes", "--lock-wait", "1")
        assert vacuum_at_work(db)
        assert db.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == 2
    assert ended.status == 11, ended.stderr
    assert "gives way to nobody" in ended.stderr
    assert "attempt" not in kinds(tmp_path)


def test_33_a_scan_under_a_strong_lock_is_cancelled_for_others(db: Database) -> None:
    db.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 600)")
    # Sixty seconds of looking at rows.
    scan = "ALTER TABLE t ADD CONSTRAINT c CHECK (pg_sleep(0.1) IS NOT NULL)"
    path = db.save(plan_of(db.major, step(scan, locks=T)))
    with reading(db, "t") as (reader,):
        ended = db.execute(path, "--yes", "--max-block", "1")
    assert ended.status == 11, ended.stderr
    attempts = [line["detail"] for line in journal(db.folder) if line["kind"] == "attempt"]
    assert all("has waited for it" in attempt["cancelled_because"] for attempt in attempts)
    assert db.one("SELECT count(*) FROM pg_constraint WHERE conname = 'c'") == 0
    assert reader.errors == []
    # Half a second is allowed, the scan would have taken a minute.
    assert reader.longest_s < 5


def test_35_a_plain_owner_sees_who_waits(db: Database) -> None:
    """What other sessions do is hidden from it, and said to be unknown; that they wait is not hidden."""
    db.run("DROP ROLE IF EXISTS plain_owner; CREATE ROLE plain_owner LOGIN; CREATE TABLE t (id int)")
    db.run(f"GRANT CREATE ON DATABASE {db.one('SELECT current_database()')} TO plain_owner")
    db.run("ALTER TABLE t OWNER TO plain_owner; INSERT INTO t SELECT generate_series(1, 600)")
    scan = "ALTER TABLE t ADD CONSTRAINT c CHECK (pg_sleep(0.1) IS NOT NULL)"
    path = db.save(plan_of(db.major, step(scan, locks=T)))
    try:
        with reading(db, "t") as (reader,):
            ended = db.execute(
                path, "--yes", "--max-block", "1", environment={"DFLINT_DB": f"{db.dsn} user=plain_owner"}
            )
    finally:
        db.run("DROP OWNED BY plain_owner CASCADE; DROP ROLE plain_owner")
    assert ended.status == 11, ended.stderr
    assert "unknown: this role may not see what other roles' sessions do" in ended.stderr
    assert reader.longest_s < 5


def test_35_a_role_that_cannot_see_waiters_is_refused_what_stops_others(db: Database) -> None:
    db.run(
        "DROP ROLE IF EXISTS blinded; CREATE ROLE blinded LOGIN; CREATE TABLE t (id int); ALTER TABLE t OWNER TO blinded"
    )
    db.run(f"GRANT CREATE ON DATABASE {db.one('SELECT current_database()')} TO blinded")
    db.run("REVOKE EXECUTE ON FUNCTION pg_blocking_pids(int) FROM public")
    path = db.save(plan_of(db.major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
    try:
        ended = db.execute(path, "--yes", environment={"DFLINT_DB": f"{db.dsn} user=blinded"})
        columns = db.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'")
    finally:
        db.run("GRANT EXECUTE ON FUNCTION pg_blocking_pids(int) TO public")
        db.run("DROP OWNED BY blinded CASCADE; DROP ROLE blinded")
    assert ended.status == 10, ended.stderr
    assert "may not see who waits for whom" in ended.stderr
    assert columns == 1


@pytest.mark.parametrize("major", [14, 18])
def test_36_a_prepared_transaction_is_named(major: int, tmp_path: Path) -> None:
    with own_server(major, tmp_path, max_prepared_transactions="5") as db:
        db.run("CREATE TABLE t (id int)")
        with db.connect(autocommit=False) as left:
            left.execute("SELECT * FROM t")
            left.execute("PREPARE TRANSACTION 'left over'")
        path = db.save(plan_of(major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
        ended = db.execute(path, "--yes", "--lock-wait", "1")
        assert ended.status == 11, ended.stderr
        assert "prepared transaction 'left over'" in ended.stderr
        db.run("ROLLBACK PREPARED 'left over'")
        assert db.execute(path, "--yes").status == 0


def test_a_dump_is_waited_for_without_burning_attempts(db: Database) -> None:
    db.run("CREATE TABLE t (id int)")
    path = db.save(plan_of(db.major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
    with db.connect(autocommit=False) as dump:
        dump.execute("SET application_name = 'pg_dump'")
        dump.execute("SELECT * FROM t")
        execution = db.start(path, "--yes")
        time.sleep(2)
        assert execution.alive()
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert kinds(db.folder).count("attempt") <= 1


def backfill_step() -> Any:
    return step("UPDATE t SET n = n + 1", "backfill", backfill=Backfill("table:public.t", ("id",), 200))


def killed_again_and_again(db: Database, kills: int, rows: int) -> None:
    chance = random.Random(kills)
    db.run("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)")
    db.run("INSERT INTO t SELECT generate_series(1, %s)", rows)
    # Slow enough to be met at work.
    db.run(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.0002); RETURN new; END $$"
    )
    db.run("CREATE TRIGGER slowly BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slowly()")
    path = db.save(plan_of(db.major, backfill_step()))

    def done() -> int:
        with contextlib.suppress(psycopg.errors.UndefinedTable):
            return int(db.one("SELECT coalesce(sum(rows_done), 0) FROM dflint.cursor"))
        return 0

    for kill in range(kills):
        before = done()
        execution = db.start(path, "--yes", "-q")

        def moved(before: int = before, execution: Execution = execution) -> bool:
            return done() > before or not execution.alive()

        until(moved, "a batch")
        time.sleep(chance.random() * 0.1)
        if not execution.alive():
            assert execution.result().status == 0, kill
            break
        execution.kill()
    ended = db.execute(path, "--yes")
    assert ended.status == 0, ended.stderr
    assert db.run("SELECT n, count(*) FROM t GROUP BY n") == [(1, rows)]
    assert db.run("SELECT rows_done, last_key FROM dflint.cursor") == [(rows, [str(rows)])]
    assert len(db.events("done")) == 1


def test_52_killed_in_its_batches(db: Database) -> None:
    killed_again_and_again(db, kills=4, rows=8_000)


@pytest.mark.exhaustive
def test_52_killed_in_its_batches_again_and_again(db: Database) -> None:
    killed_again_and_again(db, kills=40, rows=60_000)


@contextmanager
def replicated(major: int) -> Iterator[tuple[Cluster, Cluster, str]]:
    """A primary with a database, and a standby that follows it."""
    with Cluster(major, settings={"wal_level": "replica", "max_wal_senders": "5", "hot_standby": "on"}) as primary:
        dsn = primary.new_database()
        primary.stop()
        parameters = primary.parameters("postgres")
        conninfo = (
            f"host={parameters['host']} port={parameters['port']} user={parameters['user']} application_name=replica"
        )
        quoted = conninfo.replace("'", "''")
        with Cluster(major, copy_of=primary, standby_of=quoted, settings={"hot_standby": "on"}) as standby:
            primary.start()
            yield primary, standby, dsn


def lag_bytes(dsn: str) -> int | None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint FROM pg_stat_replication"
        ).fetchone()
    return None if row is None else row[0]


@pytest.mark.parametrize(("major", "asked"), [(14, "primary"), (18, "primary"), (18, "standby")])
def test_57_58_a_backfill_waits_for_replicas_that_are_behind_or_gone(major: int, asked: str) -> None:
    """The primary says how far replicas are; to a role that may not see it, a standby that was named says so itself."""
    with replicated(major) as (_, standby, dsn):
        until(lambda: lag_bytes(dsn) == 0, "the standby")
        step = guarded_backfill("UPDATE t SET v = repeat('y', 300)", "id", batch=500)
        pace = Pace(target_s=0.02, lag_look_s=0.0)
        options = Options(
            standbys=(standby.dsn("test"),) if asked == "standby" else (),
            lag=LagLimits(pause_bytes=500_000, resume_bytes=100_000),
        )

        async def run() -> tuple[list[str], list[str]]:
            table = "CREATE TABLE t (id int PRIMARY KEY, v text)"
            async with session(dsn, table, "INSERT INTO t SELECT generate_series(1, 20000)"), guarded(dsn) as ours:
                run_id = await run_of(ours.ledger, step)
                if asked == "standby":
                    ours.monitor.able = replace(ours.monitor.able, sees_lag=False)
                    await _until(lambda: lag_bytes(dsn) == 0)
                with psycopg.connect(standby.dsn(), autocommit=True) as there:
                    there.execute("SELECT pg_wal_replay_pause()")
                running = asyncio.create_task(
                    run_backfill(
                        ours.lock, ours.ledger, run_id, 0, step,
                        monitor=ours.monitor, options=options, progress=ours.told, pace=pace,
                    )
                )  # fmt: skip
                await _until(lambda: ours.told.of("throttled"))
                behind = [detail["reason"] for detail in ours.told.of("throttled")]
                standby.stop("immediate")
                await _until(lambda: "not connected any more" in ours.told.of("throttled")[-1]["reason"])
                gone = [detail["reason"] for detail in ours.told.of("throttled")]
                assert not running.done()
                standby.start()
                await running
                return behind, gone

        behind, gone = asyncio.run(run())
    assert "MiB" in behind[0]
    assert ("replica@local" if asked == "primary" else "dbname=test") in gone[-1]


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


def test_57_hysteresis() -> None:
    throttle = Throttle(LagLimits(pause_bytes=100, resume_bytes=10, pause_s=10, resume_s=2))

    def observe(lag: int | None, seconds: float | None = None) -> bool:
        return throttle.observe([ReplicaLag(name="r", bytes=lag, seconds=seconds)]) is not None

    assert [observe(lag) for lag in (0, 90, 101, 50, 11, 10, 90)] == [False, False, True, True, True, False, False]
    # An idle replica has no lag in time, and one that has replayed everything may still show the last one's.
    assert [observe(0, None), observe(0, 60.0), observe(5, 11.0), observe(5, 3.0), observe(5, 2.0)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert throttle.observe([]) == "replica r is not connected any more: how far it is behind is unknown"


def test_71_no_session_for_the_monitor_no_step(db: Database) -> None:
    db.run("DROP ROLE IF EXISTS crowded; CREATE ROLE crowded LOGIN CONNECTION LIMIT 1; CREATE TABLE t (id int)")
    db.run(f"ALTER TABLE t OWNER TO crowded; GRANT CREATE ON DATABASE {db.one('SELECT current_database()')} TO crowded")
    path = db.save(plan_of(db.major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
    try:
        ended = db.execute(path, "--yes", environment={"DFLINT_DB": f"{db.dsn} user=crowded"})
        columns = db.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'")
    finally:
        db.run("DROP OWNED BY crowded CASCADE; DROP ROLE crowded")
    assert ended.status != 0
    assert "too many connections" in ended.stderr
    assert columns == 1


@pytest.mark.parametrize("major", [14, 18])
def test_75_a_query_on_a_standby(major: int) -> None:
    with replicated(major) as (_, standby, dsn):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int)")
        until(lambda: lag_bytes(dsn) == 0, "the standby")
        there = standby.dsn("test")
        plan = plan_of(major, step("ALTER TABLE t ADD COLUMN b int", locks=T))

        async def look(*standbys: str) -> dict[str, str]:
            async with session(dsn) as connection:
                able = await capabilities(connection)
                found = await preflight(connection, plan, able, standbys=standbys)
                return {concern.kind: f"{concern.severity}: {concern.message}" for concern in found}

        with psycopg.connect(there) as reader:
            reader.execute("SELECT * FROM t")
            # A delay for ever, so that no time has to pass.
            with psycopg.connect(standby.dsn(), autocommit=True) as settings:
                settings.execute("ALTER SYSTEM SET max_standby_streaming_delay = -1")
                settings.execute("SELECT pg_reload_conf()")
            unseen = asyncio.run(look())
            until(lambda: "standby_query" in asyncio.run(look(there)), "the query")
            seen = asyncio.run(look(there))
        assert unseen["standby_queries"].startswith("unknown: 1 replicas are connected")
        assert seen["standby_query"].startswith("warn: on the standby")
        assert f"pid {reader.info.backend_pid if not reader.closed else ''}".strip() in seen["standby_query"]


def test_staggered_blockers_on_partitions_stall_readers_for_one_attempt_only(db: Database) -> None:
    """lock_timeout counts for each lock anew: eight partitions, freed one after the other, would stall eight times."""
    count = 8
    db.run("CREATE TABLE t (id int) PARTITION BY LIST (id)")
    for number in range(count):
        db.run(f"CREATE TABLE p{number} PARTITION OF t FOR VALUES IN ({number})")
    locks = {f"table:public.{name}": "ACCESS EXCLUSIVE" for name in ["t", *(f"p{number}" for number in range(count))]}
    path = db.save(plan_of(db.major, step("ALTER TABLE t ADD COLUMN b int", locks=locks)))
    with contextlib.ExitStack() as stack:
        blockers = [stack.enter_context(db.connect(autocommit=False)) for _ in range(count)]
        for number, blocker in enumerate(blockers):
            blocker.execute(f"SELECT * FROM p{number}".encode())
        (reader,) = stack.enter_context(reading(db, "t"))
        execution = db.start(path, "--yes", "--max-block", "60")
        until(lambda: kinds(db.folder).count("attempt") >= 1, "an attempt")
        for blocker in blockers:
            # A little less than one lock may be waited for.
            time.sleep(0.15)
            blocker.rollback()
        ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert reader.errors == []
    blocked = [line["detail"]["blocked_s"] for line in journal(db.folder) if line["kind"] in {"attempt", "done"}]
    # As the server saw it: 200 ms, and what a busy machine adds; without a limit for all locks it was 1.15 s.
    assert max(blocked) < 0.8
