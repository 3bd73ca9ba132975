"""What PostgreSQL does to rows by foreign keys, against what dflint says: over random nets of tables with rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

from dflint.analysis.foreign_keys.cascades import CascadeOperation, Event, cascades
from dflint.analysis.foreign_keys.net import net_of
from dflint.model.foreign_keys import ForeignKey, ForeignKeyNet
from dflint.model.names import Identity, Name
from tests.analysis.judge.schemas import clear
from tests.catalog.live import read

#: So many statements change rows of each net.
_CHANGES: Final = 14
_LARGEST: Final = 4
_OWN: Final = ("id", "b", "r", "s", "t")
_ACTIONS: Final = ("NO ACTION", "RESTRICT", "CASCADE", "CASCADE", "CASCADE", "SET NULL", "SET NULL", "SET DEFAULT")
#: Which errors a statement may meet beside those of foreign keys: what cascades write may be there already, or belong to
#: no partition.
_BY_VALUES: Final = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.CheckViolation,
    psycopg.errors.TriggeredDataChangeViolation,
)

#: By number: a row's table, its own partition if it is in one, and its columns.
Rows = dict[int, tuple[Name, dict[str, Any]]]


class NetGrower:
    """Makes tables, foreign keys between them, and rows that keep these.

    Attributes:
        made: kinds of what was made, one entry a statement that succeeded.
    """

    def __init__(self, connection: psycopg.Connection, seed: int) -> None:
        self._connection, self._chance = connection, random.Random(seed)
        self._tables: list[str] = []
        self.made: list[str] = []

    def grow(self) -> None:
        """All of it."""
        for number in range(self._chance.randint(3, 6)):
            self._table(f"t{number}" if self._chance.random() < 0.8 else f"T {number}")
        for _ in range(self._chance.randint(3, 11)):
            self._key()
        for me in range(self._chance.randint(30, 60)):
            self._row(me)

    def _run(self, kind: str, text: str, *parts: sql.Composable) -> bool:
        try:
            with self._connection.transaction():
                self._connection.execute(sql.SQL(text).format(*parts))
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error:
            return False
        self.made.append(kind)
        return True

    def _table(self, name: str) -> None:
        chance, table = self._chance, sql.Identifier("public", name)
        not_null = sql.SQL("NOT NULL" if chance.random() < 0.2 else "")
        columns = sql.SQL(
            "me int, id int DEFAULT 0, b int DEFAULT 0, r int {}, s int DEFAULT 0, t int DEFAULT 1, {} UNIQUE (id, b)"
        ).format(not_null, sql.SQL("PRIMARY KEY (id), "))
        kind = chance.choice(("plain", "plain", "plain", "generated", "partitioned", "inherited"))
        if kind == "partitioned":
            self._run(kind, "CREATE TABLE {} ({}) PARTITION BY RANGE (id)", table, columns)
            for low, high in ((0, 2), (2, 1000)):
                part = sql.Identifier("public", f"{name} from {low}")
                limits = sql.Literal(low), sql.Literal(high)
                self._run(kind, "CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})", part, table, *limits)
                if chance.random() < 0.3:
                    self._tables.append(f"{name} from {low}")
        else:
            self._run("table", "CREATE TABLE {} ({})", table, columns)
        if kind == "generated":
            self._run(kind, "ALTER TABLE {} ADD g int GENERATED ALWAYS AS (r + 0) STORED UNIQUE", table)
        if kind == "inherited":
            child = sql.Identifier("public", f"{name} child")
            self._run(kind, "CREATE TABLE {} (PRIMARY KEY (id), UNIQUE (id, b)) INHERITS ({})", child, table)
            self._tables.append(f"{name} child")
        self._tables.append(name)

    def _key(self) -> None:
        chance = self._chance
        one = chance.choice(self._tables)
        other = one if chance.random() < 0.15 else chance.choice(self._tables)
        own = chance.sample((*_OWN, "g"), 2)
        composite = chance.random() < 0.35
        if not composite:
            own = own[:1]
        referenced = ["id", "b"] if composite else [chance.choice(("id", "id", "id", "id", "g"))]
        delete, update = chance.choice(_ACTIONS), chance.choice(_ACTIONS)
        if delete.startswith("SET") and chance.random() < 0.4:
            some = self._names(own[-1:])
            chosen: sql.Composable = sql.SQL("{} ({})").format(sql.SQL(delete), some)
        else:
            chosen = sql.SQL(delete)
        match = chance.choice(("", "", "MATCH FULL"))
        later = chance.choice(("", "", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED", "NOT ENFORCED"))
        kinds = [
            "composite" if composite else "single",
            *(["self"] if one == other else []),
            delete,
            f"UPDATE {update}",
        ]
        kind = "|".join([*kinds, *([match] if match else []), *([later] if later else [])])
        text = "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) {} ON DELETE {} ON UPDATE {} {}"
        parts = self._names(referenced), sql.SQL(match), chosen, sql.SQL(update), sql.SQL(later)
        self._run(kind, text, sql.Identifier("public", one), self._names(own), sql.Identifier("public", other), *parts)

    def _names(self, columns: list[str]) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, columns))

    def _row(self, me: int) -> None:
        chance = self._chance
        table = chance.choice(self._tables)
        values = [chance.choice((None, *range(_LARGEST), *range(_LARGEST))) for _ in _OWN]
        text = "INSERT INTO {} (me, {}) VALUES ({}, {})"
        listed = sql.SQL(", ").join(map(sql.Literal, values))
        self._run("row", text, sql.Identifier("public", table), self._names(list(_OWN)), sql.Literal(me), listed)


class RowJudge:
    """Judges one random net after another in a database of its own.

    Attributes:
        nets: how many were judged.
        seen: kinds of what there was, and what became of rows and statements.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.nets = 0
        self.seen = Counter[str]()

    def differences(self, seed: int) -> list[str]:
        """Where dflint and the server do not agree about the net of a seed; empty is good."""
        with psycopg.connect(self._dsn) as connection:
            connection.execute("SET client_min_messages = error")
            clear(connection)
            grower = NetGrower(connection, seed)
            grower.grow()
            connection.commit()
            self.nets += 1
            self.seen.update({part for kind in set(grower.made) for part in kind.split("|")})
            catalog = read(self._dsn)
            assert not catalog.incomplete, catalog.incomplete
            judging = _Judging(connection, net_of(catalog), self.seen)
            chance = random.Random(seed)
            found = [each for _ in range(_CHANGES) for each in judging.change(chance)]
            connection.rollback()
        return found


class _Judging:
    def __init__(self, connection: psycopg.Connection, net: ForeignKeyNet, seen: Counter[str]) -> None:
        self._connection, self._net, self._seen = connection, net, seen
        self._tables = sorted(table for table in net.rows if table.name[0] in "tT")
        self._keys = {key.identity: key for key in net.keys}
        self._before = self._rows()

    def change(self, chance: random.Random) -> Iterator[str]:
        """Change some rows, and compare; each difference is one sentence."""
        table = chance.choice(self._tables)
        where = sql.SQL(chance.choice(("true", "true", "id = 0", "id = 1", "id >= 2")))
        name = sql.Identifier("public", table.name)
        columns = chance.choice(((), (), ("id",), ("b",), ("id", "b"), ("r",), ("s", "t")))
        if columns:
            values = [sql.SQL("{} = {} + 4").format(sql.Identifier(each), sql.Identifier(each)) for each in columns]
            statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(name, sql.SQL(", ").join(values), where)
        else:
            statement = sql.SQL("DELETE FROM {} WHERE {}").format(name, where)
        events = [Event(table, column) for column in columns] or [Event(table)]
        predicted = cascades(self._net, events)
        after: Rows | psycopg.Error
        try:
            with self._connection.transaction(force_rollback=True):
                self._connection.execute(statement)
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                after = self._rows()
        except psycopg.Error as error:
            after = error
        found = (
            self._refused(after, predicted, columns, table)
            if isinstance(after, psycopg.Error)
            else self._changed(after, predicted, events)
        )
        for each in found:
            yield f"{statement.as_string(self._connection)}: {each}"

    def _rows(self) -> Rows:
        rows: Rows = {}
        for table in self._tables:
            if table not in self._net.partitions.values():
                query = sql.SQL("SELECT * FROM ONLY {}").format(sql.Identifier("public", table.name))
                with self._connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
                    rows.update({row["me"]: (table, row) for row in cursor.execute(query)})
        return rows

    def _refused(
        self, error: psycopg.Error, predicted: tuple[CascadeOperation, ...], columns: tuple[str, ...], table: Name
    ) -> Iterator[str]:
        if isinstance(error, psycopg.errors.NotNullViolation):
            self._seen["refused NULL"] += 1
            of_table = [
                each
                for each in predicted
                if self._root(self._keys[each.constraint].table).name
                == self._root(Name("public", error.diag.table_name or "")).name
            ]
            if not any(each.result == "refused" or each.action == "set_default" for each in of_table):
                yield f"unexpected: {error}"
            return
        if isinstance(error, _BY_VALUES):
            self._seen["refused by values"] += 1
            return
        if not isinstance(error, psycopg.errors.ForeignKeyViolation | psycopg.errors.RestrictViolation):
            yield f"unexpected: {error}"
            return
        identity = self._constraint(error)
        key = self._keys[identity]
        self._seen["refused"] += 1
        said = {each.result for each in predicted if each.constraint == identity}
        moves = "id" in columns and table in self._net.partitions.values()
        changed = {*columns, *(["g"] if "r" in columns else [])}
        own = self._same(key.table, table) and (moves or not changed.isdisjoint(key.columns))
        if "refused" not in said and not own and not any(identity in each.checks for each in predicted):
            yield f"refused by {identity}, of which is said {sorted(said)}: {error}"

    def _constraint(self, error: psycopg.Error) -> str:
        """The key that an error is about; a partition's copy counts as the partitioned table's."""
        row = self._connection.execute(
            """
            WITH RECURSIVE above (oid) AS (
                SELECT oid FROM pg_constraint WHERE conname = %(name)s AND conrelid = to_regclass(quote_ident(%(table)s))
                UNION SELECT k.conparentid FROM above a JOIN pg_constraint k ON k.oid = a.oid WHERE k.conparentid <> 0
            )
            SELECT c.relname, k.conname FROM above JOIN pg_constraint k USING (oid) JOIN pg_class c ON c.oid = k.conrelid
            WHERE k.conparentid = 0
            """,
            {"name": error.diag.constraint_name, "table": error.diag.table_name},
        ).fetchone()
        assert row is not None, error
        return str(Identity("fk", ("public", *row)))

    def _changed(self, after: Rows, predicted: tuple[CascadeOperation, ...], events: list[Event]) -> Iterator[str]:
        deleted = {self._root(event.table) for event in events if event.column is None}
        updated = {(self._root(event.table), event.column) for event in events if event.column is not None}
        for event in events:
            for child in self._net.children.get(event.table, ()):
                deleted |= {child} if event.column is None else set()
                updated |= {(child, event.column)} if event.column is not None else set()
        for each in predicted:
            table = self._root(self._keys[each.constraint].table)
            if each.result == "deleted":
                deleted.add(table)
            updated |= {(table, column) for column in each.columns}
        self._seen["done"] += 1
        really_deleted = {self._root(table) for me, (table, _) in self._before.items() if me not in after}
        really_updated = {
            (self._root(table), column)
            for me, (table, row) in self._before.items()
            if me in after
            for column, value in row.items()
            if column != "g" and after[me][1][column] != value
        }
        self._seen["predicted"] += len(deleted) + len(updated)
        self._seen["came true"] += len(really_deleted) + len(really_updated)
        if really_deleted - deleted:
            yield f"rows of {sorted(really_deleted - deleted)} are gone, which was not said"
        if really_updated - updated:
            yield f"{sorted(really_updated - updated)} changed, which was not said"
        yield from self._nearest(after, predicted, events)

    def _nearest(self, after: Rows, predicted: tuple[CascadeOperation, ...], events: list[Event]) -> Iterator[str]:
        """Rows that referred to deleted ones: each must have met what is said of its key."""
        if events[0].column is not None:
            return
        said = {each.constraint: each for each in predicted if each.event == "delete"}
        gone = [(table, row) for me, (table, row) in self._before.items() if me not in after]
        for key in self._net.keys:
            referring = [
                me for me, (table, row) in self._before.items() if key.enforced and key.table in self._above(table)
                and any(_refers(key, row, other) for where, other in gone if key.references in self._above(where))
            ]  # fmt: skip
            each = said.get(key.identity)
            if each is None:
                if referring:
                    yield f"nothing is said of {key.identity}, by which row {referring[0]} referred to one that is gone"
                continue
            self._seen[f"seen {each.result}"] += len(referring)
            for me in referring:
                # By another key a row may be changed before, so that it refers to nothing any more.
                if me in after and _same(self._before[me][1], after[me][1], key.columns):
                    yield f"row {me} is as it was, though {key.identity} has it {each.result}"

    def _above(self, table: Name) -> list[Name]:
        """The table, what it is a partition of, and so on."""
        listed = [table]
        while listed[-1] in self._net.partitions:
            listed.append(self._net.partitions[listed[-1]])
        return listed

    def _root(self, table: Name) -> Name:
        return self._above(table)[-1]

    def _same(self, one: Name, other: Name) -> bool:
        return self._root(one) == self._root(other) or one in self._net.children.get(other, ())


def _same(before: dict[str, Any], after: dict[str, Any], columns: tuple[str, ...]) -> bool:
    """Whether none of the columns has another value; the default 0, or 1, may be the value that there was."""
    return all(before[column] == after[column] and before[column] not in (0, 1, None) for column in columns)


def _refers(key: ForeignKey, row: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(row.get(own) is not None and row[own] == other.get(referenced) for own, referenced in key.pairs)
