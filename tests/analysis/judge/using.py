"""Uses every object of a database, and takes it back: PostgreSQL's word on what still works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from psycopg import Connection, sql

from dflint.model.names import Identity
from tests.analysis.judge.bodies import READER

#: What `attempts` says of a use that worked.
WORKED: Final = "ZZ000"

# Each use is a transaction of its own that is rolled back, and one round trip asks for all.
_ATTEMPTS: Final = b"""
CREATE FUNCTION pg_temp.attempts(text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE one text; found text[] := '{}';
BEGIN
  FOREACH one IN ARRAY $1 LOOP
    BEGIN
      -- Rows that were written again: no session has what it compiled of a body at hand.
      UPDATE pg_proc SET proname = proname WHERE pronamespace = 'public'::regnamespace
        AND prolang IN (SELECT oid FROM pg_language WHERE lanname IN ('sql', 'plpgsql'));
      EXECUTE one;
      RAISE SQLSTATE 'ZZ000';
    EXCEPTION WHEN OTHERS THEN found := found || (SQLSTATE || ' ' || SQLERRM);
    END;
  END LOOP;
  RETURN found;
END $$
"""


class Use(Struct, frozen=True):
    """One way to use objects.

    Attributes:
        identities: the objects that it needs to work, as they are called before the change.
        statement: commands that use them; with ``{}`` for nothing.
    """

    identities: frozenset[str]
    statement: str


def prepare(connection: Connection) -> None:
    """Make what `attempts` needs."""
    connection.execute(_ATTEMPTS)


def attempts(connection: Connection, uses: Sequence[Use]) -> list[str]:
    """The sqlstate and message of each use; all bodies are read anew."""
    connection.execute("SET LOCAL search_path = public")
    try:
        row = connection.execute("SELECT pg_temp.attempts(%s)", ([use.statement for use in uses],)).fetchone()
    finally:
        connection.execute("SET LOCAL search_path = ''")
    assert row is not None
    return list(row[0])


def uses(connection: Connection) -> list[Use]:
    """Every use of the objects that exist, spelled with their names of now."""
    return [
        Use(frozenset(identities), text.as_string(connection))
        for identities, text in (*_routines(connection), *_views(connection), *_tables(connection))
    ]


_Made = Iterator[tuple[set[str], sql.Composable]]


def _rows(connection: Connection, query: str) -> list[tuple[str, ...]]:
    return connection.execute(query.encode()).fetchall()


def _routines(connection: Connection) -> _Made:
    query = """SELECT p.prokind::text, n.nspname::text, p.proname::text,
      coalesce((SELECT string_agg(format_type(u.t, NULL), ', ' ORDER BY u.o)
                FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, o)), ''),
      coalesce((SELECT string_agg('NULL::' || format_type(u.t, NULL), ', ' ORDER BY u.o)
                FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, o)), '')
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'public' AND p.prorettype <> 'trigger'::regtype AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i'
        AND d.refclassid = 'pg_type'::regclass) ORDER BY p.oid"""
    kinds = {"f": "function", "p": "procedure", "a": "aggregate"}
    for kind, schema, name, types, nulls in _rows(connection, query):
        verb = "CALL" if kind == "p" else "SELECT"
        text = sql.SQL(f"{verb} {{}}({{}})").format(sql.Identifier(schema, name), sql.SQL(nulls))
        yield {str(Identity(kinds[kind], (schema, f"{name}({types})")))}, text


def _views(connection: Connection) -> _Made:
    query = """SELECT c.relkind::text, c.relname::text FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY c.oid"""
    for kind, name in _rows(connection, query):
        text = "SELECT * FROM {}" if kind == "v" else "REFRESH MATERIALIZED VIEW {}"
        identity = Identity("view" if kind == "v" else "materialized_view", ("public", name))
        yield {str(identity)}, sql.SQL(text).format(sql.Identifier("public", name))


def _tables(connection: Connection) -> _Made:
    query = """SELECT c.relname::text, c.oid::text, c.relrowsecurity::text FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY c.oid"""
    for name, oid, secured in _rows(connection, query):
        table = sql.Identifier("public", name)
        columns = [row[0] for row in _rows(connection, _COLUMNS.format(oid))]
        quiet = sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(table)
        insert = _insert(table, columns)
        parts = {
            str(Identity(kind, ("public", own) if kind == "index" else ("public", name, own)))
            for kind, own in _rows(connection, _PARTS.format(oid))
        }
        yield parts, sql.SQL("{}; {}").format(quiet, insert)
        for (trigger,) in _rows(connection, _TRIGGERS.format(oid)):
            one = sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}").format(table, sql.Identifier(trigger))
            yield (
                {*parts, str(Identity("trigger", ("public", name, trigger)))},
                sql.SQL("{}; {}; {}").format(quiet, one, insert),
            )
        if not connection.execute(sql.SQL("SELECT FROM ONLY {} LIMIT 1").format(table)).fetchall():
            # Rules and policies are asked for each row.
            continue
        rules = [row[0] for row in _rows(connection, _RULES.format(oid))]
        for rule in rules:
            others = [
                sql.SQL("ALTER TABLE {} DISABLE RULE {}; ").format(table, sql.Identifier(other))
                for other in rules
                if other != rule
            ]
            text = sql.SQL("{}; {}DELETE FROM ONLY {}").format(quiet, sql.Composed(others), table)
            yield {str(Identity("rule", ("public", name, rule)))}, text
        policies = {
            str(Identity("policy", ("public", name, row[0]))) for row in _rows(connection, _POLICIES.format(oid))
        }
        if policies and secured == "true":
            yield policies, sql.SQL("SET LOCAL ROLE {}; SELECT * FROM ONLY {}").format(sql.Identifier(READER), table)


def _insert(table: sql.Identifier, columns: list[str]) -> sql.Composable:
    values = {"id": "100", "k": "5"}
    given = [each for each in columns if each in values]
    if not given:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table)
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, given)),
        sql.SQL(", ").join(sql.Literal(int(values[each])) for each in given),
    )


_COLUMNS: Final = """SELECT attname::text FROM pg_attribute WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped
  AND attidentity = '' AND attgenerated = '' ORDER BY attnum"""
#: What every INSERT needs: defaults, checks, and indexes whose expressions are computed.
_PARTS: Final = """
SELECT 'default', a.attname::text FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = {0} AND a.attname NOT IN ('id', 'k')
UNION ALL SELECT 'constraint', conname::text FROM pg_constraint WHERE conrelid = {0} AND contype = 'c'
UNION ALL SELECT 'index', c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {0}
"""
_TRIGGERS: Final = """SELECT tgname::text FROM pg_trigger WHERE tgrelid = {} AND NOT tgisinternal
  AND tgtype & 4 <> 0 ORDER BY 1"""
_RULES: Final = "SELECT rulename::text FROM pg_rewrite WHERE ev_class = {} AND ev_type = '4' ORDER BY 1"
_POLICIES: Final = "SELECT polname::text FROM pg_policy WHERE polrelid = {} AND NOT polpermissive ORDER BY 1"
