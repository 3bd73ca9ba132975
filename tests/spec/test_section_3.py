"""The foreign key analyzer: the column is gone, and every other foreign key is as it was."""

from __future__ import annotations

import psycopg
import pytest

from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer
from tests.spec.running import run

_SCHEMA = """
CREATE TABLE departments (id int PRIMARY KEY, head int);
CREATE TABLE users (id int PRIMARY KEY, department_id int REFERENCES departments ON DELETE SET NULL, boss int);
ALTER TABLE departments ADD FOREIGN KEY (head) REFERENCES users DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE users ADD CONSTRAINT "the boss" FOREIGN KEY (boss) REFERENCES users MATCH FULL ON UPDATE CASCADE NOT VALID;
INSERT INTO departments VALUES (1, NULL);
INSERT INTO users VALUES (1, 1, NULL);
"""
_KEYS = "SELECT conname, pg_get_constraintdef(oid), oid FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f' ORDER BY 1"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
        before = connection.execute(_KEYS).fetchall()

        names = await run("section_3", connection_manager=dsn)

        assert names["fk_impact"].is_safe_to_proceed is True
        assert connection.execute(_KEYS).fetchall() == [key for key in before if key[0] != "users_department_id_fkey"]
        columns = connection.execute("SELECT * FROM users").description or []
        assert [column.name for column in columns] == ["id", "boss"]
    assert capsys.readouterr().out.splitlines() == [
        "FK Impact Level: MEDIUM",
        "Affected FK constraints: 1",
        f"Potential cascade operations: {len(names['fk_impact'].cascade_operations)}",
        "FK-safe migration: True",
    ]
