"""What work takes on a server: measured on real ones, which are afterwards as before."""

from __future__ import annotations

import psycopg
import pytest

from dflint.catalog.speed import _line, measure_speed
from dflint.model.calibration import UNITS
from dflint.model.errors import ServerError
from tests.servers import TestServer


@pytest.mark.majors("ends")
async def test_every_unit_has_a_price_and_nothing_stays(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        found = await measure_speed(connection)
        row = await (
            await connection.execute(b"SELECT count(*) FROM pg_namespace WHERE nspname = 'dflint_calibration'")
        ).fetchone()
    assert row == (0,)
    assert set(found.seconds) == set(UNITS)
    assert all(0 <= price < 0.1 for price in found.seconds.values())
    assert found.seconds["text_sorted"] > 0
    assert found.spread == 2


@pytest.mark.majors("newest")
async def test_who_may_not_create_schemas_is_told(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(b"CREATE ROLE speed_reader")
        await connection.execute(b"SET ROLE speed_reader")
        with pytest.raises(ServerError, match="cannot be measured"):
            await measure_speed(connection)
        await connection.execute(b"RESET ROLE")
        await connection.execute(b"DROP ROLE speed_reader")


def test_rows_and_bytes_share_what_two_tables_took() -> None:
    lean, wide = (100, 1_000), (10, 5_000)
    assert _line(lean, wide, 100 * 2 + 1_000 * 3, 10 * 2 + 5_000 * 3) == pytest.approx((2, 3))
    assert _line(lean, wide, 10, 0.5) == pytest.approx((10.5 / 110, 0))
    assert _line(lean, wide, 1, 20) == pytest.approx((0, 21 / 6_000))
