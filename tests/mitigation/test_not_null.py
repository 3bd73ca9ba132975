"""The NOT NULL handler: plan, execution and validation."""

from __future__ import annotations

import psycopg
import pytest

import dflint
from dflint.model.errors import NotFound
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_column_that_is_there(pg: TestServer) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int PRIMARY KEY, email text)")
        connection.execute("INSERT INTO people VALUES (1, 'a'), (2, NULL)")
        handler = dflint.NotNullHandler(dsn)

        plan = await handler.plan_not_null_addition("people", "email")
        assert plan.recipes == ("set-not-null",)
        failed = await handler.execute_not_null_addition(plan)
        assert not failed.success
        found = await handler.validate_not_null_addition("people", "email")
        assert (found.is_valid, found.nulls) == (False, 1)

        connection.execute("UPDATE people SET email = 'b' WHERE email IS NULL")
        await _undo(dsn)
        done = await handler.execute_not_null_addition(await handler.plan_not_null_addition("people", "email"))
        assert done.success, done.message
        assert done.validation is not None
        with pytest.raises(psycopg.errors.NotNullViolation):
            connection.execute("INSERT INTO people VALUES (3)")


async def _undo(dsn: str) -> None:
    """The constraint of the first attempt stays, as a failed run says: it is taken back."""
    from dflint.guard.options import Options
    from dflint.guard.progress import Silent
    from dflint.guard.undoing import undo
    from dflint.postgres.source import ConnectionSource

    outcome = await undo(ConnectionSource.coerce(dsn), None, Options(), Silent())
    assert outcome.exit_code == 0, outcome.message


@asynchronous
async def test_a_new_column_with_an_odd_default(pg: TestServer) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1)")
        handler = dflint.NotNullColumnHandler(dsn)
        plan = await handler.plan_not_null_addition(
            "people", "status", data_type="varchar(40)", default_value="x'; DROP TABLE people; --"
        )
        assert (await handler.execute_not_null_addition(plan)).success
        assert connection.execute("SELECT status FROM people").fetchone() == ("x'; DROP TABLE people; --",)
    with pytest.raises(NotFound):
        await handler.plan_not_null_addition("nobody", "status")
