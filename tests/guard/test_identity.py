"""What tells a database from a copy of it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from msgspec.structs import replace

from dflint.guard.errors import GuardRefused
from dflint.guard.identity import assert_same, differences, identity_of
from dflint.guard.ledger import ensure_ledger
from dflint.model.run import Identity
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer

HERE = Identity(
    system_identifier="7711",
    timeline=1,
    database_oid=5,
    database="shop",
    data_directory="/data",
    address="10.0.0.1",
    port=5432,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    marker="a-marker",
)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_same() -> None:
    assert differences(HERE, HERE) == ()
    assert_same(HERE, HERE)


@pytest.mark.parametrize(
    "change",
    [
        {"system_identifier": "7712"},
        {"timeline": 2},
        {"database_oid": 6},
        {"data_directory": "/copy"},
        {"marker": "another"},
        {"started_at": LATER, "address": "10.0.0.2"},
        {"started_at": LATER, "port": 5433},
        {"started_at": LATER, "port": 5433, "data_directory": None},
        {"started_at": LATER, "address": "10.0.0.2", "data_directory": None},
    ],
)
def test_what_makes_it_another(change: dict[str, object]) -> None:
    found = replace(HERE, **change)
    assert len(differences(HERE, found)) == len(differences(found, HERE)) == 1
    with pytest.raises(GuardRefused, match="may not be the database") as refused:
        assert_same(HERE, found)
    assert refused.value.exit_code == 10


@pytest.mark.parametrize(
    "change",
    [
        # Restarted in its place.
        {"started_at": LATER},
        # The same postmaster, reached in another way.
        {"address": None},
        {"address": "10.0.0.2", "port": 5432},
        # Renamed.
        {"database": "store"},
        # Less to see for this role.
        {"system_identifier": None, "timeline": None, "data_directory": None, "marker": None},
    ],
)
def test_what_does_not(change: dict[str, object]) -> None:
    assert differences(HERE, replace(HERE, **change)) == ()


@pytest.mark.majors(14, 18)
@asynchronous
async def test_what_roles_may_know(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as owner:
        await ensure_ledger(owner)
        whole = await identity_of(owner)
        assert None not in {whole.system_identifier, whole.timeline, whole.data_directory, whole.marker}
        assert whole.database == psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        await owner.execute("DROP ROLE IF EXISTS identity_plain")
        await owner.execute("CREATE ROLE identity_plain LOGIN")
        # What providers of managed servers revoke.
        await owner.execute("REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn() FROM public")
        try:
            async with await connect(f"{dsn} user=identity_plain", autocommit=True) as plain:
                part = await identity_of(plain)
        finally:
            await owner.execute("GRANT EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn() TO public")
            await owner.execute("DROP ROLE identity_plain")
    assert part == replace(whole, system_identifier=None, timeline=None, data_directory=None, marker=None)
    assert differences(whole, part) == ()
