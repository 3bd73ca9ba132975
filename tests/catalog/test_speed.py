"""What work takes on a server: measured on real ones, which are afterwards as before."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from dflint.catalog.speed import _line, measure_speed
from dflint.model.calibration import UNITS, Calibration
from dflint.model.errors import ServerError
from tests.servers import TestServer


def measured(dsn: str, role: str | None = None) -> Calibration:
    async def run() -> Calibration:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            if role is not None:
                await connection.execute(b"SELECT set_config('role', %s, false)", (role,))
            return await measure_speed(connection)

    return asyncio.run(run())


@pytest.mark.majors("ends")
def test_every_unit_has_a_price_and_nothing_stays(pg: TestServer) -> None:
    dsn = pg.new_database()
    found = measured(dsn)
    with psycopg.connect(dsn) as connection:
        stays = connection.execute(b"SELECT count(*) FROM pg_namespace WHERE nspname = 'dflint_calibration'").fetchone()
    assert stays == (0,)
    assert set(found.seconds) == set(UNITS)
    assert all(0 <= price < 0.1 for price in found.seconds.values())
    assert found.seconds["text_sorted"] > 0
    assert found.spread == 2


@pytest.mark.majors("newest")
def test_who_may_not_create_schemas_is_told(pg: TestServer) -> None:
    # A role that is always there, and may nothing of the kind.
    with pytest.raises(ServerError, match="cannot be measured"):
        measured(pg.new_database(), "pg_monitor")


def test_rows_and_bytes_share_what_two_tables_took() -> None:
    lean, wide = (100, 1_000), (10, 5_000)
    assert _line(lean, wide, 100 * 2 + 1_000 * 3, 10 * 2 + 5_000 * 3) == pytest.approx((2, 3))
    assert _line(lean, wide, 10, 0.5) == pytest.approx((10.5 / 110, 0))
    assert _line(lean, wide, 1, 20) == pytest.approx((0, 21 / 6_000))
