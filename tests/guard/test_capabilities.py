"""What a role may see and do is found by trying, as on servers whose provider has taken rights away."""

from __future__ import annotations

import pytest

from dflint.guard.capabilities import capabilities
from tests.guard.asynchronous import asynchronous
from tests.guard.watching import session
from tests.servers import TestServer

#: A function, and what is missing without it.
REVOKED = {
    "pg_blocking_pids(int)": "waiters",
    "pg_lock_status()": "waiters",
    "pg_prepared_xact()": "prepared_transactions",
    "pg_stat_get_wal_senders()": "replicas",
    "pg_current_wal_lsn()": "wal",
    "pg_cancel_backend(int)": "cancel",
}


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_superuser_lacks_nothing(pg: TestServer) -> None:
    async with session(pg.new_database()) as connection:
        found = await capabilities(connection)
    assert (found.superuser, found.missing, found.service) == (True, (), None)
    assert found.sets_deadlock_timeout
    assert found.sees_lag


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_plain_role(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, "DROP ROLE IF EXISTS able_plain", "CREATE ROLE able_plain LOGIN") as admin:
        try:
            async with session(f"{dsn} user=able_plain") as plain:
                found = await capabilities(plain)
                assert [missing.what for missing in found.missing] == ["sessions", "lag", "deadlock_timeout"]
                assert found.sees_waiters
                assert found.cancels
                assert not found.sees_lag
            await admin.execute("GRANT pg_read_all_stats TO able_plain")
            async with session(f"{dsn} user=able_plain") as plain:
                found = await capabilities(plain)
                assert [missing.what for missing in found.missing] == ["deadlock_timeout"]
            if pg.major >= 15:
                await admin.execute("GRANT SET ON PARAMETER deadlock_timeout TO able_plain")
                async with session(f"{dsn} user=able_plain") as plain:
                    assert (await capabilities(plain)).missing == ()
                await admin.execute("REVOKE SET ON PARAMETER deadlock_timeout FROM able_plain")
        finally:
            await admin.execute("DROP ROLE able_plain")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_what_a_provider_took_away_is_named(pg: TestServer) -> None:
    dsn = pg.new_database()
    setup = ("DROP ROLE IF EXISTS able_managed", "CREATE ROLE able_managed LOGIN", "CREATE ROLE rds_superuser")
    async with session(dsn, *setup) as admin:
        try:
            for function, what in REVOKED.items():
                await admin.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM public")
                try:
                    async with session(f"{dsn} user=able_managed") as managed:
                        found = await capabilities(managed)
                finally:
                    await admin.execute(f"GRANT EXECUTE ON FUNCTION {function} TO public")
                missing = {each.what: each for each in found.missing}
                assert what in missing, function
                assert missing[what].refuses == (what == "waiters")
                assert missing[what].message
                assert missing[what].remedy
                assert found.service == "Amazon RDS or Aurora"
                assert found.cancels == (what != "cancel")
        finally:
            await admin.execute("DROP ROLE able_managed, rds_superuser")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_looking_changes_nothing(pg: TestServer) -> None:
    async with session(pg.new_database(), "SET deadlock_timeout = '1234ms'") as connection:
        await capabilities(connection)
        row = await (await connection.execute("SHOW deadlock_timeout")).fetchone()
    assert row == ("1234ms",)
