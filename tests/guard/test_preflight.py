"""What preflight foresees, and what it says that it cannot."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from dflint.guard.capabilities import capabilities
from dflint.guard.preflight import Concern, preflight
from dflint.model.plan import Plan, Step
from dflint.postgres.server import start_server
from tests.guard.asynchronous import asynchronous, until
from tests.guard.test_blockers import SLOW_AUTOVACUUM, vacuum_at_work
from tests.guard.watching import backfill, plan_of, session, step
from tests.servers import TestServer, installation

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, v text)"
ALTER = step("ALTER TABLE t ADD x int", locks={"table:public.t": "ACCESS EXCLUSIVE"}, lock_class="reads")
BUILD = step(
    "CREATE INDEX CONCURRENTLY i ON t (v)",
    "nontx",
    locks={"table:public.t": "SHARE UPDATE EXCLUSIVE"},
    lock_class="schema_changes",
)
FILL = backfill("UPDATE t SET v = 'x'", "id")


async def look(dsn: str, plan: Plan | Step, *, user: str | None = None, age_s: float = 60.0) -> dict[str, Concern]:
    plan = plan if isinstance(plan, Plan) else plan_of(plan)
    async with session(f"{dsn} user={user}" if user else dsn) as connection:
        found = await preflight(connection, plan, await capabilities(connection), max_snapshot_age_s=age_s)
    for concern in found:
        assert concern.message
        assert concern.remedy
    return {concern.kind: concern for concern in found}


@pytest.mark.majors(14, 18)
@asynchronous
async def test_nothing_is_foreseen_where_nothing_is(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE):
        for each in (ALTER, BUILD, FILL):
            assert await look(dsn, each) == {}


@pytest.mark.majors(14, 18)
@asynchronous
async def test_old_snapshots_are_waited_for_by_what_is_built_concurrently(pg: TestServer) -> None:
    """Faults 41 and 42: a snapshot here counts, one in another database does not, nor does a transaction without one."""
    dsn, other = pg.new_database(), pg.new_database()
    snapshot = ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1")
    async with session(dsn, TABLE), session(other, *snapshot), session(dsn, "BEGIN", "SELECT 1"):
        assert await look(dsn, BUILD, age_s=0) == {}
        async with session(dsn, *snapshot, application_name="report") as reporting:
            found = await look(dsn, BUILD, age_s=0)
            assert found["old_snapshot"].severity == "wait"
            assert "report" in found["old_snapshot"].message
            assert str(reporting.info.backend_pid) in found["old_snapshot"].message
            # Young ones are no reason, and a plan that builds nothing concurrently does not care.
            assert await look(dsn, BUILD) == {}
            assert await look(dsn, ALTER, age_s=0) == {}


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_cursor_is_a_snapshot(pg: TestServer) -> None:
    dsn = pg.new_database()
    opened = ("BEGIN", "DECLARE c CURSOR FOR SELECT 1")
    async with session(dsn, TABLE), session(dsn, *opened):
        assert (await look(dsn, BUILD, age_s=0))["old_snapshot"].severity == "wait"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_plain_role_cannot_know_how_old_they_are(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = (TABLE, "DROP ROLE IF EXISTS pre_plain", "CREATE ROLE pre_plain LOGIN", "ALTER TABLE t OWNER TO pre_plain")
    snapshot = ("BEGIN ISOLATION LEVEL REPEATABLE READ", "TABLE t")
    async with session(dsn, *setup) as admin:
        try:
            async with session(dsn, *snapshot):
                found = await look(dsn, BUILD, user="pre_plain")
                altering = await look(dsn, ALTER, user="pre_plain")
            assert {kind: concern.severity for kind, concern in found.items()} == {
                "sessions": "unknown",
                "lag": "unknown",
                "old_snapshot": "unknown",
            }
            assert altering["long_transaction"].severity == "unknown"
        finally:
            await admin.execute("DROP OWNED BY pre_plain")
            await admin.execute("DROP ROLE pre_plain")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_long_transactions_and_dumps(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE), session(dsn, "BEGIN", "TABLE t", application_name="shop") as holder:
        assert await look(dsn, ALTER) == {}
        found = await look(dsn, ALTER, age_s=0)
        assert found["long_transaction"].severity == "warn"
        assert "shop" in found["long_transaction"].message
        assert "ACCESS SHARE on public.t" in found["long_transaction"].message
        # It is not in the way of what takes a weaker lock.
        assert await look(dsn, FILL, age_s=0) == {}
        await holder.execute("SELECT set_config('application_name', 'pg_dump', false)")
        assert (await look(dsn, ALTER))["dump"].severity == "wait"


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_a_prepared_transaction(major: int) -> None:
    """Fault 36."""
    found = installation(major)
    assert found is not None
    async with start_server(major, settings={"max_prepared_transactions": "5"}, providers=[lambda: [found]]) as server:
        dsn = server.dsn()
        async with session(dsn, TABLE, "BEGIN", "TABLE t", "PREPARE TRANSACTION 'it''s left'"):
            concern = (await look(dsn, ALTER))["prepared_transaction"]
            assert concern.severity == "wait"
            assert "it's left" in concern.message
            assert await look(dsn, FILL) == {}


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_autovacuum_to_prevent_wraparound(major: int) -> None:
    """Fault 32: nobody makes it give way, so nothing is begun."""
    found = installation(major)
    assert found is not None
    slow = {**SLOW_AUTOVACUUM, "autovacuum_freeze_max_age": "100000", "autovacuum_vacuum_threshold": "2000000000"}
    async with start_server(major, settings=slow, providers=[lambda: [found]]) as server:
        dsn = server.dsn()
        setup = (
            TABLE,
            "CREATE ROLE plain LOGIN",
            "ALTER TABLE t OWNER TO plain",
            "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g",
            "ALTER TABLE t SET (autovacuum_enabled = off)",
            """DO $$ BEGIN FOR i IN 1..102000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$""",
        )
        async with session(dsn, *setup) as looker:
            found_due = await look(dsn, ALTER)
            assert {"wraparound_due", "wraparound_vacuum"} & set(found_due)
            await until(lambda: vacuum_at_work(looker), seconds=120)
            concern = (await look(dsn, ALTER))["wraparound_vacuum"]
            assert concern.severity == "wait"
            assert "gives way to nobody" in concern.message
            # Who may not see which vacuum it is does not claim to know.
            assert (await look(dsn, ALTER, user="plain"))["autovacuum"].severity == "unknown"


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_autovacuum(major: int) -> None:
    found = installation(major)
    assert found is not None
    async with start_server(major, settings=SLOW_AUTOVACUUM, providers=[lambda: [found]]) as server:
        dsn = server.dsn()
        setup = (
            TABLE,
            "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g",
            "UPDATE t SET v = v",
        )
        async with session(dsn, *setup) as looker:
            await until(lambda: vacuum_at_work(looker), seconds=60)
            assert (await look(dsn, ALTER))["autovacuum"].severity == "warn"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_leftovers(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, "INSERT INTO t VALUES (1, 'x'), (2, 'x')") as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY half ON t (v)")
        concern = (await look(dsn, ALTER))["invalid_index"]
    assert concern.severity == "warn"
    assert "public.t has indexes that are not valid: half" in concern.message


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_partition_that_is_half_detached(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = (
        "CREATE TABLE t (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (9)",
        "SET lock_timeout = '100ms'",
    )
    async with session(dsn, *setup) as connection, session(dsn, "BEGIN", "TABLE t"):
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await connection.execute("ALTER TABLE t DETACH PARTITION p CONCURRENTLY")
        concern = (await look(dsn, ALTER))["detach_pending"]
    assert "FINALIZE" in concern.remedy


@pytest.mark.majors(14, 18)
@asynchronous
async def test_privileges(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = (TABLE, "DROP ROLE IF EXISTS pre_stranger", "CREATE ROLE pre_stranger LOGIN")
    async with session(dsn, *setup) as admin:
        try:
            for each in (ALTER, BUILD, FILL):
                concern = (await look(dsn, each, user="pre_stranger"))["privileges"]
                assert concern.severity == "refuse"
            # As somebody else, it is not this role's rights that count.
            elsewhere = step("SET ROLE postgres; ALTER TABLE t ADD x int", locks=ALTER.locks)
            assert "privileges" not in await look(dsn, elsewhere, user="pre_stranger")
            await admin.execute("GRANT SELECT, UPDATE ON t TO pre_stranger")
            found = await look(dsn, FILL, user="pre_stranger")
            assert "privileges" not in found
            assert found["vacuum"].severity == "warn"
        finally:
            await admin.execute("DROP OWNED BY pre_stranger")
            await admin.execute("DROP ROLE pre_stranger")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_managed_server(pg: TestServer) -> None:
    """Without the rights that providers take away, each thing that is not seen is named, and nothing fails."""
    dsn = pg.new_database()
    database = str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
    functions = (
        "pg_blocking_pids(int), pg_prepared_xact(), pg_stat_get_wal_senders(), pg_current_wal_lsn(), "
        "pg_get_replication_slots(), pg_control_system(), pg_control_checkpoint(), pg_stat_get_archiver()"
    )
    setup = (
        TABLE,
        "DROP ROLE IF EXISTS pre_managed",
        "CREATE ROLE pre_managed LOGIN",
        "ALTER TABLE t OWNER TO pre_managed",
    )
    async with session(dsn, *setup, f"REVOKE EXECUTE ON FUNCTION {functions} FROM public") as admin:
        try:
            await admin.execute(SQL("GRANT CREATE ON DATABASE {} TO pre_managed").format(Identifier(database)))
            found = await look(dsn, ALTER, user="pre_managed")
            harmless = await look(dsn, FILL, user="pre_managed")
        finally:
            await admin.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO public")
            await admin.execute("DROP OWNED BY pre_managed")
            await admin.execute("DROP ROLE pre_managed")
    unknown = {"sessions", "prepared_transactions", "replicas", "wal", "slots"}
    assert {kind for kind, concern in found.items() if concern.severity == "unknown"} == unknown
    # It could not be told that somebody waits: a step that stops others is not run so.
    assert found["waiters"].severity == "refuse"
    assert harmless["waiters"].severity == "unknown"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_backfills_that_will_be_refused(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, "CREATE TABLE t (id bigint, v text)"):
        assert (await look(dsn, FILL))["backfill"].severity == "refuse"
        # An earlier step may make the key.
        key = step("ALTER TABLE t ADD PRIMARY KEY (id)", id="0", locks={"table:public.t": "ACCESS EXCLUSIVE"})
        assert (await look(dsn, plan_of(key, FILL)))["backfill"].severity == "warn"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_published_table_without_identity(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = ("CREATE TABLE t (id bigint NOT NULL UNIQUE, v text)", "CREATE PUBLICATION p FOR TABLE t")
    async with session(dsn, *setup):
        assert (await look(dsn, FILL))["replica_identity"].severity == "refuse"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_the_lock_table(pg: TestServer) -> None:
    dsn = pg.new_database()
    many = {f"table:public.p{number}": "ACCESS EXCLUSIVE" for number in range(1_000_000)}
    async with session(dsn, TABLE):
        concern = (await look(dsn, step("DROP TABLE t", locks=many)))["lock_table"]
    assert concern.severity == "refuse"
    assert "max_locks_per_transaction" in concern.remedy


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_slot_that_nobody_reads(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, "SELECT pg_create_physical_replication_slot('pre_slot', true)") as admin:
        try:
            assert "slot" not in await look(dsn, FILL)
        finally:
            await admin.execute("SELECT pg_drop_replication_slot('pre_slot')")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_no_room_for_the_monitor(pg: TestServer) -> None:
    """Fault 71, before it is one."""
    dsn = pg.new_database()
    setup = (TABLE, "DROP ROLE IF EXISTS pre_lonely", "CREATE ROLE pre_lonely LOGIN CONNECTION LIMIT 2")
    async with session(dsn, *setup, "ALTER TABLE t OWNER TO pre_lonely") as admin:
        try:
            concern = (await look(dsn, ALTER, user="pre_lonely"))["sessions"]
        finally:
            await admin.execute("DROP OWNED BY pre_lonely")
            await admin.execute("DROP ROLE pre_lonely")
    assert concern.severity in {"warn", "unknown"}


@pytest.mark.majors(14, 18)
@asynchronous
async def test_looking_leaves_nothing(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE) as connection:
        await preflight(connection, plan_of(ALTER, BUILD, FILL), await capabilities(connection))
        row = await (await connection.execute("SELECT pg_current_xact_id_if_assigned()")).fetchone()
        locks = await (
            await connection.execute(
                "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
            )
        ).fetchone()
    assert (row, locks) == ((None,), (0,))
