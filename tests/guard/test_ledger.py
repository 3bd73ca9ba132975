"""The journal in the database."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dflint.guard.errors import GuardRefused
from dflint.guard.ledger import Ledger, ensure_ledger, ledger_exists
from dflint.model.errors import InputError
from dflint.model.run import BackfillCursor
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous
from tests.guard.plans import new_run, plan
from tests.servers import TestServer

ENDS = pytest.mark.majors(14, 18)


@ENDS
@asynchronous
async def test_a_run(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        assert not await ledger_exists(connection)
        await ensure_ledger(connection)
        await ensure_ledger(connection)
        assert await ledger_exists(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "SELECT 1", "SELECT 2")
        assert run.plan == plan("SELECT 1", "SELECT 2")
        assert run.state == "planned"
        assert run.target is not None
        assert run.target.database == connection.info.dbname
        assert [one.run_id for one in await ledger.unfinished_runs()] == [run.run_id]
        assert await ledger.runs_of_plan("a-hash") == await ledger.runs() == [run]

        await ledger.set_step(run.run_id, 0, "intent", attempts=1, fence=3)
        await ledger.set_step(run.run_id, 0, "failed", error={"sqlstate": "55P03"})
        first, second = await ledger.steps(run.run_id)
        assert (first.state, first.attempts, first.fence, first.error) == ("failed", 1, 3, {"sqlstate": "55P03"})
        assert first.started_at is not None
        assert first.finished_at is not None
        assert (second.state, second.step_id, second.step_hash) == ("pending", "2", "hash of SELECT 2")

        await ledger.set_run_state(run.run_id, "done")
        assert await ledger.unfinished_runs() == []
        assert (await ledger.load_run(run.run_id)).finished_at is not None


@asynchronous
async def test_what_is_not_there(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        unknown = "00000000-0000-0000-0000-000000000000"
        for call in (ledger.load_run(unknown), ledger.load_run("nonsense"), ledger.set_run_state(unknown, "done")):
            with pytest.raises(InputError):
                await call
        with pytest.raises(InputError, match="no hash"):
            await ledger.create_run(plan("SELECT 1", hash=None), "0.0", step_hashes=["h"])
        with pytest.raises(InputError, match="1 steps"):
            await ledger.create_run(plan("SELECT 1"), "0.0", step_hashes=[])


@asynchronous
async def test_what_is_done_is_done_once(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "SELECT 1")
        async with connection.transaction():
            await ledger.set_step(run.run_id, 0, "done")
            await ledger.event(run.run_id, 0, 1, "done")
        with pytest.raises(GuardRefused, match="done already"):
            await ledger.set_step(run.run_id, 0, "running")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await ledger.event(run.run_id, 0, 1, "done")
        await ledger.set_step(run.run_id, 0, "undone")
        # The event that failed left no gap.
        assert await ledger.verify_chain(run.run_id) is None


@asynchronous
async def test_a_step_and_its_record_are_one(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "CREATE TABLE t ()")
        async with connection.transaction(force_rollback=True):
            await connection.execute("CREATE TABLE t ()")
            await ledger.set_step(run.run_id, 0, "done")
            await ledger.event(run.run_id, 0, 1, "done")
        assert (await ledger.steps(run.run_id))[0].state == "pending"
        assert await ledger.events(run.run_id) == []
        assert await ledger.verify_chain(run.run_id) is None


@asynchronous
async def test_a_cursor(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "UPDATE t SET a = 1")
        assert await ledger.cursor(run.run_id, 0) is None
        await ledger.advance_cursor(run.run_id, 0, last_key=("1", 'a"b'), rows=10, batch_size=10, high_key=("9", "z"))
        await ledger.advance_cursor(run.run_id, 0, last_key=("2", "ä,\\"), rows=5)
        async with connection.transaction():
            found = await ledger.cursor(run.run_id, 0, for_update=True)
        assert found == BackfillCursor(last_key=("2", "ä,\\"), high_key=("9", "z"), rows_done=15, batch_size=10)
        assert await ledger.cursor(run.run_id, 0, shard=1) is None


@asynchronous
async def test_checkpoints_keep_their_order(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "SELECT 1")
        for name, ok in (("b", True), ("a", False), ("c", None)):
            await ledger.checkpoint(run.run_id, None, "pre", name, ok, {"n": 1})
        assert [(one.name, one.ok) for one in await ledger.checkpoints(run.run_id)] == [
            ("b", True),
            ("a", False),
            ("c", None),
        ]


# Fault 63, 64.


def _as_role(dsn: str, role: str) -> str:
    return f"{dsn} user={role}"


@asynchronous
async def test_another_version_is_refused(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        await connection.execute("UPDATE dflint.meta SET schema_version = 99")
        with pytest.raises(GuardRefused, match="version 99"):
            await ensure_ledger(connection)


@asynchronous
async def test_a_schema_of_somebody_else_is_left_alone(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA dflint CREATE TABLE mine ()")
        with pytest.raises(GuardRefused, match="not dflint's journal"):
            await ensure_ledger(connection)
        assert not await ledger_exists(connection)


@ENDS
@asynchronous
async def test_without_rights_it_says_what_is_missing(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as owner:
        await owner.execute("DROP ROLE IF EXISTS ledger_plain")
        await owner.execute("CREATE ROLE ledger_plain LOGIN")
        try:
            async with await connect(_as_role(dsn, "ledger_plain"), autocommit=True) as plain:
                with pytest.raises(GuardRefused, match="may not create schema dflint") as refused:
                    await ensure_ledger(plain)
                assert "CREATE SCHEMA dflint AUTHORIZATION" in refused.value.next
                await ensure_ledger(owner)
                assert not await ledger_exists(plain)
                with pytest.raises(GuardRefused, match="may not use"):
                    await ensure_ledger(plain)
                await owner.execute("GRANT USAGE ON SCHEMA dflint TO ledger_plain")
                await owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA dflint TO ledger_plain")
                with pytest.raises(GuardRefused, match=r"INSERT on dflint\.event"):
                    await ensure_ledger(plain)
                await owner.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA dflint TO ledger_plain")
                await ensure_ledger(plain)
                run = await new_run(Ledger(plain), "SELECT 1")
                await Ledger(plain).event(run.run_id, 0, 1, "done")
                await Ledger(plain).checkpoint(run.run_id, 0, "pre", "a", True, {})
                await Ledger(plain).heartbeat(run.run_id, 1)
        finally:
            await owner.execute("DROP OWNED BY ledger_plain")
            await owner.execute("DROP ROLE ledger_plain")


@ENDS
@asynchronous
async def test_a_schema_that_was_made_for_the_role_is_enough(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as owner:
        await owner.execute("DROP ROLE IF EXISTS ledger_guest")
        await owner.execute("CREATE ROLE ledger_guest LOGIN")
        await owner.execute("CREATE SCHEMA dflint AUTHORIZATION ledger_guest")
        try:
            async with await connect(_as_role(dsn, "ledger_guest"), autocommit=True) as guest:
                await ensure_ledger(guest)
                await Ledger(guest).heartbeat((await new_run(Ledger(guest), "SELECT 1")).run_id, 1)
        finally:
            await owner.execute("DROP OWNED BY ledger_guest")
            await owner.execute("DROP ROLE ledger_guest")


@asynchronous
async def test_two_make_it_at_once(pg: TestServer) -> None:
    dsn = pg.new_database()

    async def make() -> None:
        async with await connect(dsn, autocommit=True) as connection:
            await ensure_ledger(connection)

    await asyncio.gather(*(make() for _ in range(6)))
    async with await connect(dsn, autocommit=True) as connection:
        row = await (await connection.execute("SELECT count(*) FROM dflint.meta")).fetchone()
        assert row == (1,)


# Fault 65.


@ENDS
@asynchronous
async def test_the_trail_is_only_added_to(pg: TestServer) -> None:
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await ensure_ledger(connection)
        ledger = Ledger(connection)
        run = await new_run(ledger, "SELECT 1")
        await ledger.event(run.run_id, None, 1, "begun")
        for statement in (
            "UPDATE dflint.event SET kind = 'x'",
            "DELETE FROM dflint.event",
            "TRUNCATE dflint.event",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="audit trail"):
                await connection.execute(statement.encode())


DETAILS = st.dictionaries(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    max_size=3,
)
#: What somebody who owns the tables may do to one row, with the trigger out of the way.
TAMPERING = (
    "DELETE FROM dflint.event WHERE seq = {seq}",
    "UPDATE dflint.event SET kind = kind || 'x' WHERE seq = {seq}",
    "UPDATE dflint.event SET detail = detail || '{{\"x\": 1}}' WHERE seq = {seq}",
    "UPDATE dflint.event SET at = at + interval '1 microsecond' WHERE seq = {seq}",
    "UPDATE dflint.event SET ord = coalesce(ord, 0) + 1 WHERE seq = {seq}",
    "UPDATE dflint.event SET fence = NULL WHERE seq = {seq}",
    "UPDATE dflint.event SET seq = seq + 100 WHERE seq = {seq}",
    "UPDATE dflint.event SET hash = sha256(hash) WHERE seq = {seq}",
    "UPDATE dflint.event SET prev_hash = sha256(hash) WHERE seq = {seq}",
    "UPDATE dflint.event SET run_id = gen_random_uuid() WHERE seq = {seq}",
)


def test_any_single_tampering_shows(pg: TestServer) -> None:
    dsn = pg.new_database()

    @given(st.lists(DETAILS, min_size=1, max_size=5), st.sampled_from(TAMPERING), st.data())
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def tamper(details: list[dict[str, object]], tampering: str, data: st.DataObject) -> None:
        seq = data.draw(st.integers(1, len(details)))

        async def tampered() -> tuple[str | None, str | None]:
            async with await connect(dsn, autocommit=True) as connection:
                await ensure_ledger(connection)
                ledger = Ledger(connection)
                async with connection.transaction(force_rollback=True):
                    run = await new_run(ledger, "SELECT 1")
                    for number, detail in enumerate(details):
                        await ledger.event(run.run_id, number % 2, 1, "attempt", detail)
                    before = await ledger.verify_chain(run.run_id)
                    assert [event.detail for event in await ledger.events(run.run_id)] == details
                    await connection.execute("ALTER TABLE dflint.event DISABLE TRIGGER ALL")
                    statement = tampering.format(seq=seq) + f" AND run_id = '{run.run_id}'"
                    assert (await connection.execute(statement.encode())).rowcount == 1
                    return before, await ledger.verify_chain(run.run_id)
            raise AssertionError

        before, after = asyncio.run(tampered())
        assert before is None
        assert after is not None

    tamper()


@asynchronous
async def test_chains_of_two_runs_do_not_wait_for_each_other(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as one, await connect(dsn, autocommit=True) as other:
        await ensure_ledger(one)
        first, second = await new_run(Ledger(one), "SELECT 1"), await new_run(Ledger(one), "SELECT 2")
        async with one.transaction():
            await Ledger(one).event(first.run_id, 0, 1, "done")
            await other.execute("SET lock_timeout = '200ms'")
            await Ledger(other).event(second.run_id, 0, 1, "done")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await Ledger(other).event(first.run_id, None, 1, "note")
        assert await Ledger(one).verify_chain(first.run_id) is None
