"""A backfill writes what its statement says, to the letter."""

from __future__ import annotations

import psycopg
import pytest

from dflint.app.plan import plan_sql
from dflint.app.snapshot import read_live
from dflint.guard.executor import execute
from dflint.guard.options import Options
from dflint.guard.progress import Silent
from dflint.postgres.source import ConnectionSource
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer


@pytest.mark.majors(14, 18)
@asynchronous
async def test_signs_that_mean_something_to_drivers(pg: TestServer) -> None:
    dsn, value = pg.new_database(), "{} {{a}} 100% %s %%s it''s"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            b'CREATE TABLE "t{}%" (id int PRIMARY KEY, n text); '
            b'INSERT INTO "t{}%" SELECT g FROM generate_series(1, 5) g'
        )
    sql = f"-- dflint: backfill key=id batch=2\nUPDATE \"t{{}}%\" SET n = '{value}' WHERE n IS NULL OR n LIKE '%{{'"
    plan = plan_sql(sql, await read_live(dsn), version=pg.major)
    assert (await execute(plan, ConnectionSource.coerce(dsn), Options(), Silent())).exit_code == 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(b'SELECT DISTINCT n FROM "t{}%"').fetchall()
    assert found == [(value.replace("''", "'"),)]
