"""Random schemas, grown statement by statement on a real server: what it refuses is left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import Connection, sql

#: Names as people give them, and as they should not.
_NAMES: Final = (
    "users",
    "Order Items",
    "größe",
    "select",
    "a.b",
    'say "hi"',
    "x" * 63,
    "orders",
    "tree",
    "log",
    "日本",
)
_COLUMNS: Final = ("a", "b", "Mixed Case", "user", "ä", "c.d", "n")
_TYPES: Final = ("integer", "text", "bigint", "timestamptz", "numeric(8,2)", "integer[]", "jsonb", "date")


class Grower:
    """Grows a schema in an empty database.

    Attributes:
        made: kinds of what was made, one entry a statement that succeeded.
        statements: their texts.
    """

    def __init__(self, connection: Connection, seed: int) -> None:
        self._connection = connection
        self._random = random.Random(seed)
        self._number = 0
        self.made: list[str] = []
        self.statements: list[str] = []

    def grow(self, statements: int) -> None:
        """Make some types, some tables, and whatever comes to mind over them."""
        self._run("enum", "CREATE TYPE {} AS ENUM ('x', 'y')", self._new())
        self._run("domain", "CREATE DOMAIN {} AS integer CHECK (VALUE > 0)", self._new())
        for _ in range(self._random.randint(2, 4)):
            self._table()
        steps: list[Callable[[], None]] = [
            self._table, self._child, self._partitioned, self._view, self._view, self._materialized, self._function,
            self._trigger, self._policy, self._rule, self._foreign_key, self._composite_key, self._self_key,
            self._generated, self._index, self._expression_index, self._domain, self._composite_type, self._range,
            self._publication, self._statistics, self._identity, self._sequence, self._check, self._add_column,
            self._replica_identity, self._typed_table, self._atomic_function, self._aggregate,
        ]  # fmt: skip
        for _ in range(statements):
            self._random.choice(steps)()

    def _new(self) -> sql.Identifier:
        self._number += 1
        odd = self._random.choice(_NAMES)
        name = odd if self._random.random() < 0.3 else f"{odd[:50]}{self._number}"
        return sql.Identifier("public", name)

    def _run(self, kind: str, text: str, *parts: sql.Composable) -> None:
        self._connection.execute("SAVEPOINT growing")
        statement = sql.SQL(text).format(*parts)
        try:
            self._connection.execute(statement)
            self.made.append(kind)
            self.statements.append(statement.as_string(self._connection))
        except psycopg.Error:
            self._connection.execute("ROLLBACK TO SAVEPOINT growing")
        self._connection.execute("RELEASE SAVEPOINT growing")

    def _relation(self, kinds: str = "rp") -> tuple[sql.Identifier, list[tuple[sql.Identifier, str]]] | None:
        """A relation of one of these kinds, and its columns with their types."""
        rows = self._connection.execute(
            "SELECT oid, relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind::text = ANY (%s) ORDER BY oid",
            (list(kinds),),
        ).fetchall()
        if not rows:
            return None
        oid, name = self._random.choice(rows)
        columns = self._connection.execute(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (oid,),
        ).fetchall()
        return sql.Identifier("public", name), [(sql.Identifier(column), kind) for column, kind in columns]

    def _type(self) -> sql.Composable:
        own = self._connection.execute(
            "SELECT typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'c')"
            " ORDER BY oid"
        ).fetchall()
        if own and self._random.random() < 0.4:
            return sql.Identifier("public", self._random.choice(own)[0])
        return sql.SQL(self._random.choice(_TYPES))

    def _column(self, columns: list[tuple[sql.Identifier, str]], *types: str) -> sql.Identifier | None:
        fitting = [name for name, kind in columns if not types or kind in types]
        return self._random.choice(fitting) if fitting else None

    def _table(self) -> None:
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(name), self._type())
            for name in self._random.sample(_COLUMNS, self._random.randint(1, 4))
        ]
        key = self._random.choice(("id serial PRIMARY KEY", "id integer PRIMARY KEY", "id integer, UNIQUE (id)"))
        body = sql.SQL(", ").join([sql.SQL("k integer DEFAULT 7"), *columns, sql.SQL(key)])
        self._run("table", "CREATE TABLE {} ({})", self._new(), body)

    def _child(self) -> None:
        found = self._relation("r")
        if found is not None:
            own = self._random.choice(("", "id integer", "k integer NOT NULL"))
            self._run("inheritance", "CREATE TABLE {} ({}) INHERITS ({})", self._new(), sql.SQL(own), found[0])

    def _partitioned(self) -> None:
        parent = self._new()
        key = self._random.choice(("PRIMARY KEY (id, k)", "UNIQUE (k)", "CHECK (k > -100)"))
        self._run(
            "partition",
            "CREATE TABLE {} (id integer, k integer, v {}, {}) PARTITION BY RANGE (k)",
            parent,
            self._type(),
            sql.SQL(key),
        )
        for low in range(self._random.randint(1, 2)):
            self._run(
                "partition",
                "CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})",
                self._new(),
                parent,
                sql.Literal(low * 10),
                sql.Literal(low * 10 + 10),
            )

    def _query(self) -> sql.Composable | None:
        found = self._relation("rpvm")
        if found is None:
            return None
        name, columns = found
        shown = self._random.sample(columns, min(len(columns), self._random.randint(1, 3)))
        text = sql.SQL("SELECT {} FROM {} AS q").format(
            sql.SQL(", ").join(sql.SQL("q.{}").format(column) for column, _ in shown), name
        )
        where = self._column(columns, "integer")
        if where is not None and self._random.random() < 0.5:
            text += sql.SQL(" WHERE q.{} > 1").format(where)
        return text

    def _view(self) -> None:
        query = self._query()
        if query is not None:
            self._run("view", "CREATE VIEW {} AS {}", self._new(), query)

    def _materialized(self) -> None:
        query = self._query()
        if query is not None:
            self._run("materialized_view", "CREATE MATERIALIZED VIEW {} AS {}", self._new(), query)

    def _function(self) -> None:
        found = self._relation()
        argument = found[0] if found is not None and self._random.random() < 0.5 else self._type()
        self._run(
            "function", "CREATE FUNCTION {} (x {}) RETURNS integer LANGUAGE sql AS 'SELECT 1'", self._new(), argument
        )

    def _atomic_function(self) -> None:
        query = self._query()
        if query is not None:
            text = "CREATE FUNCTION {} () RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM ({}) AS z; END"
            self._run("atomic_function", text, self._new(), query)

    def _aggregate(self) -> None:
        function = self._new()
        text = "CREATE FUNCTION {} (integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'"
        self._run("function", text, function)
        self._run("aggregate", "CREATE AGGREGATE {} (integer) (SFUNC = {}, STYPE = integer)", self._new(), function)

    def _trigger(self) -> None:
        found = self._relation("rp")
        if found is None:
            return
        function = self._new()
        body = "CREATE FUNCTION {} () RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"
        self._run("function", body, function)
        column, condition = self._column(found[1]), self._column(found[1], "integer")
        event = sql.SQL("UPDATE OF {}").format(column) if column is not None else sql.SQL("UPDATE")
        when: sql.Composable = sql.SQL("")
        if condition is not None and self._random.random() < 0.5:
            when = sql.SQL("WHEN (new.{} > 0)").format(condition)
        text = "CREATE TRIGGER {} AFTER INSERT OR {} ON {} FOR EACH ROW {} EXECUTE FUNCTION {} ()"
        self._run("trigger", text, sql.Identifier(f"trg {self._number}"), event, found[0], when, function)

    def _policy(self) -> None:
        found, query = self._relation(), self._query()
        column = self._column(found[1], "integer") if found is not None else None
        if found is not None and query is not None and column is not None:
            text = "CREATE POLICY {} ON {} USING ({} > 0 AND EXISTS ({}))"
            self._run("policy", text, sql.Identifier(f"pol.{self._number}"), found[0], column, query)

    def _rule(self) -> None:
        found, query = self._relation("r"), self._query()
        if found is not None and query is not None:
            self._number += 1
            text = "CREATE RULE {} AS ON UPDATE TO {} DO ALSO {}"
            self._run("rule", text, sql.Identifier(f"rule {self._number}"), found[0], query)

    def _foreign_key(self) -> None:
        one, other = self._relation(), self._relation()
        column = self._column(one[1], "integer") if one is not None else None
        if one is not None and other is not None and column is not None:
            action = sql.SQL(self._random.choice(("", "ON DELETE CASCADE", "ON DELETE SET NULL")))
            text = "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} (id) {}"
            self._run("foreign_key", text, one[0], column, other[0], action)

    def _composite_key(self) -> None:
        one, other = self._relation(), self._relation()
        if one is not None and other is not None:
            self._run("unique", "ALTER TABLE {} ADD UNIQUE (id, k)", other[0])
            self._run("composite_key", "ALTER TABLE {} ADD FOREIGN KEY (id, k) REFERENCES {} (id, k)", one[0], other[0])

    def _self_key(self) -> None:
        found = self._relation("r")
        if found is not None:
            self._run("self_key", "ALTER TABLE {} ADD FOREIGN KEY (k) REFERENCES {} (id)", found[0], found[0])

    def _generated(self) -> None:
        found = self._relation("r")
        column = self._column(found[1], "integer") if found is not None else None
        if found is not None and column is not None:
            self._number += 1
            text = "ALTER TABLE {} ADD COLUMN {} integer GENERATED ALWAYS AS ({} * 2) STORED"
            self._run("generated", text, found[0], sql.Identifier(f"g{self._number}"), column)

    def _index(self) -> None:
        found = self._relation("rpm")
        column = self._column(found[1]) if found is not None else None
        other = self._column(found[1], "integer", "text") if found is not None else None
        if found is not None and column is not None:
            where = sql.SQL("WHERE {} IS NOT NULL").format(other) if other is not None else sql.SQL("")
            self._run("index", "CREATE INDEX ON {} ({}) {}", found[0], column, where)

    def _expression_index(self) -> None:
        found = self._relation("rpm")
        column = self._column(found[1], "integer") if found is not None else None
        if found is not None and column is not None:
            function = self._new()
            text = "CREATE FUNCTION {} (integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'"
            self._run("function", text, function)
            self._run("expression_index", "CREATE INDEX ON {} ({} ({}))", found[0], function, column)

    def _domain(self) -> None:
        self._run("domain", "CREATE DOMAIN {} AS {} CHECK (VALUE IS NOT NULL)", self._new(), self._type())

    def _composite_type(self) -> None:
        self._run("composite_type", "CREATE TYPE {} AS (x integer, y {})", self._new(), self._type())

    def _range(self) -> None:
        self._run("range", "CREATE TYPE {} AS RANGE (subtype = {})", self._new(), self._type())

    def _typed_table(self) -> None:
        found = self._relation("c")
        if found is not None:
            self._run("typed_table", "CREATE TABLE {} OF {}", self._new(), found[0])

    def _publication(self) -> None:
        found = self._relation("r")
        if found is None:
            return
        self._number += 1
        name = sql.Identifier(f"pub {self._number}")
        column = self._column(found[1])
        listed = sql.SQL("({})").format(column) if column is not None and self._random.random() < 0.5 else sql.SQL("")
        self._run("publication", "CREATE PUBLICATION {} FOR TABLE {} {}", name, found[0], listed)

    def _statistics(self) -> None:
        found = self._relation("rm")
        if found is not None and len(found[1]) > 1:
            one, other = self._random.sample([name for name, _ in found[1]], 2)
            self._run("statistics", "CREATE STATISTICS {} ON {}, {} FROM {}", self._new(), one, other, found[0])

    def _identity(self) -> None:
        found = self._relation("r")
        if found is not None:
            self._number += 1
            text = "ALTER TABLE {} ADD COLUMN {} integer GENERATED ALWAYS AS IDENTITY"
            self._run("identity", text, found[0], sql.Identifier(f"i{self._number}"))

    def _sequence(self) -> None:
        found = self._relation("r")
        column = self._column(found[1], "integer") if found is not None else None
        name = self._new()
        self._run("sequence", "CREATE SEQUENCE {}", name)
        if found is not None and column is not None:
            text = "ALTER TABLE {} ALTER COLUMN {} SET DEFAULT nextval({}::regclass)"
            self._run("default", text, found[0], column, sql.Literal(name.as_string(self._connection)))

    def _check(self) -> None:
        found = self._relation("rp")
        column = self._column(found[1], "integer") if found is not None else None
        if found is not None and column is not None:
            self._run("check", "ALTER TABLE {} ADD CHECK ({} > 0)", found[0], column)

    def _add_column(self) -> None:
        found = self._relation("rp")
        if found is not None:
            self._number += 1
            self._run(
                "column", "ALTER TABLE {} ADD COLUMN {} {}", found[0], sql.Identifier(f"n{self._number}"), self._type()
            )

    def _replica_identity(self) -> None:
        found = self._relation("r")
        if found is not None:
            self._number += 1
            index = sql.Identifier(f"replica {self._number}")
            self._run("not_null", "ALTER TABLE {} ALTER id SET NOT NULL", found[0])
            self._run("index", "CREATE UNIQUE INDEX {} ON {} (id)", index, found[0])
            self._run("replica_identity", "ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", found[0], index)


def clear(connection: Connection) -> None:
    """Drop all that was made."""
    for (name,) in connection.execute("SELECT pubname::text FROM pg_publication").fetchall():
        connection.execute(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name)))
    connection.execute("DROP SCHEMA public CASCADE")
    connection.execute("CREATE SCHEMA public")
