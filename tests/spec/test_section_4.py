"""The table rename analyzer: the table is renamed, and everything else is as it was and works."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer
from tests.spec.running import run

_SCHEMA = """
CREATE TABLE user_accounts (id int PRIMARY KEY, email text, parent int REFERENCES user_accounts, changed timestamptz);
CREATE INDEX by_email ON user_accounts (lower(email));
COMMENT ON TABLE user_accounts IS 'people';
CREATE TABLE orders (id int PRIMARY KEY, account int REFERENCES user_accounts ON DELETE CASCADE);
INSERT INTO user_accounts VALUES (1, 'A@x', NULL), (2, 'B@x', 1);
INSERT INTO orders VALUES (1, 1);
GRANT SELECT, UPDATE (email) ON user_accounts TO pg_monitor;
CREATE VIEW emails AS SELECT id, email, 'user_accounts' AS literal FROM user_accounts;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM user_accounts;
CREATE UNIQUE INDEX counted_key ON counted (count);
CREATE FUNCTION number() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM user_accounts';
CREATE FUNCTION mail(who user_accounts) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  found user_accounts%ROWTYPE;  -- user_accounts
BEGIN
  SELECT * INTO found FROM user_accounts WHERE user_accounts.id = who.id;
  RETURN found.email || ' of user_accounts';
END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE user_accounts SET changed = now() WHERE id = NEW.account;
  RETURN NEW;
END $$;
CREATE TRIGGER touching AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch();
"""
_STATE = """
SELECT array_agg((c.oid, c.relkind, c.relacl, c.relfilenode, obj_description(c.oid, 'pg_class'),
                  CASE WHEN c.relkind IN ('r') THEN '' ELSE c.relname END)::text ORDER BY c.oid)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT array_agg((a.attrelid, a.attnum, a.attacl)::text ORDER BY a.attrelid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT array_agg((oid, conname, convalidated)::text ORDER BY oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT array_agg((oid, proacl, proowner, proargtypes)::text ORDER BY oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def _all(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


@pytest.mark.majors(14, 18)
@asynchronous
async def test_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA.encode())
        before, emails = _all(connection, _STATE), _all(connection, "TABLE emails")

        names = await run("section_4", connection_manager=dsn)

        assert _all(connection, _STATE) == before
        assert _all(connection, "TABLE emails") == emails
        assert emails[0][2] == "user_accounts"
        assert _all(connection, "SELECT to_regclass('user_accounts'), to_regclass('users') IS NOT NULL") == [
            (None, True)
        ]
        assert _all(connection, "SELECT number()") == [(2,)]
        assert _all(connection, "SELECT mail(u) FROM users u ORDER BY id") == [
            ("A@x of user_accounts",),
            ("B@x of user_accounts",),
        ]
        connection.execute("INSERT INTO orders VALUES (2, 2)")
        assert _all(connection, "SELECT id FROM users WHERE changed IS NOT NULL") == [(2,)]
        connection.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY counted")
        copy = names["result"].backup_table
        assert _all(connection, f"SELECT id, email FROM {copy} ORDER BY id") == [(1, "A@x"), (2, "B@x")]
    impact = names["rename_impact"]
    assert capsys.readouterr().out.splitlines() == [
        f"Total dependencies: {len(impact.total_dependencies)}",
        "Views to update: 2",
        "FK constraints: 2",
        "Stored procedures: 3",
        "Triggers: 1",
        "Coordinated rename: True",
    ]
