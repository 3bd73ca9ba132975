"""The foreign keys by which changes of one table's rows reach others, however far; without the tables themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from dflint.catalog.reader.constraints import ACTIONS, MATCHES
from dflint.catalog.reader.session import SQL, ReaderSession, Row, oid_array, since
from dflint.model.foreign_keys import MOVING_UPDATES_SINCE, ForeignKey, ForeignKeyNet
from dflint.model.names import Name

#: What leads to the table, directly or through others, and what belongs to it and to these: their own keys, and their
#: partitions, children, parents. By kind: ``k``: a key, from the table it refers to; ``d``: down to a child or
#: partition; ``u``: up from a partition. Of a key, whether it changes rows, and whether it is one of those that matter
#: at first: of the table or one of its kin, and of the column if one is named, or of what is generated from it.
_LINKS: Final = SQL(
    """
    WITH RECURSIVE tree (here, further, partition) AS MATERIALIZED (
        SELECT i.inhparent, i.inhrelid, c.relispartition FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
        WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
    ), kin (oid) AS (
        SELECT %(table)s::pg_catalog.oid
        UNION SELECT CASE WHEN t.here = k.oid THEN t.further ELSE t.here END
        FROM kin k JOIN tree t ON k.oid IN (t.here, t.further)
    ), named (relation, number) AS (
        SELECT a.attrelid, a.attnum FROM kin k JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid
        WHERE a.attname = %(column)s
    ), chosen (relation, number) AS MATERIALIZED (
        SELECT relation, number FROM named
        UNION SELECT n.relation, coalesce(d.adnum, p.objsubid) FROM named n
        JOIN pg_catalog.pg_depend p ON p.refclassid = 1259 AND p.refobjid = n.relation AND p.refobjsubid = n.number
        LEFT JOIN pg_catalog.pg_attrdef d ON p.classid = 2604 AND d.oid = p.objid
        WHERE d.adrelid = n.relation OR (p.classid = 1259 AND p.objid = n.relation AND p.objsubid > 0)
    ), links (kind, here, further, key, acts, columns, referenced) AS MATERIALIZED (
        SELECT 'k', confrelid, conrelid, oid, confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'),
               conkey, confkey
        FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conparentid = 0
        UNION ALL SELECT 'd', here, further, 0, partition, NULL, NULL FROM tree
        UNION ALL SELECT 'u', further, here, 0, true, NULL, NULL FROM tree WHERE partition
    ), reach (oid) AS (
        SELECT %(table)s::pg_catalog.oid
        UNION SELECT l.further FROM reach r JOIN links l ON l.here = r.oid
    )
    SELECT l.kind, l.here, l.further, l.key, l.acts,
           l.kind = 'k' AND (h.oid IS NOT NULL OR f.oid IS NOT NULL) AND (
               %(column)s::pg_catalog.text IS NULL
               OR EXISTS (SELECT FROM chosen c WHERE (c.relation = l.further AND c.number = ANY (l.columns))
                                                  OR (c.relation = l.here AND c.number = ANY (l.referenced))))
    FROM links l LEFT JOIN kin h ON h.oid = l.here LEFT JOIN kin f ON f.oid = l.further
    WHERE f.oid IS NOT NULL OR l.here IN (SELECT oid FROM reach) OR l.further IN (SELECT oid FROM reach)
    """
)
_KEYS: Final = SQL(
    """
    SELECT k.oid, k.conname, k.conrelid, k.confrelid, k.conkey, k.confkey, k.confdeltype, k.confupdtype,
           k.confmatchtype, k.convalidated, k.condeferrable, k.condeferred, {set_columns}, {enforced},
           {period}
    FROM pg_catalog.pg_constraint k WHERE k.oid = ANY (%(keys)s::pg_catalog.oid[])
    """
)
_RELATIONS: Final = SQL(
    """
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples::pg_catalog.int8, c.relpages
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%(tables)s::pg_catalog.oid[])
    """
)
#: The columns of these numbers, and the generated ones.
_COLUMNS: Final = SQL(
    """
    SELECT attrelid, attnum, attname, attnotnull, attgenerated <> '' FROM pg_catalog.pg_attribute
    WHERE attrelid = ANY (%(tables)s::pg_catalog.oid[]) AND attnum > 0 AND NOT attisdropped
      AND (attnum = ANY (%(numbers)s::pg_catalog.int2[]) OR attgenerated <> '')
    """
)
#: What generated columns are computed from: before PostgreSQL 15 the column itself needs it, since then its expression.
_GENERATED: Final = SQL(
    """
    SELECT a.attrelid, a.attname, u.attname FROM pg_catalog.pg_attrdef d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
    JOIN pg_catalog.pg_depend p ON p.refclassid = 1259 AND p.refobjid = d.adrelid AND p.refobjsubid <> d.adnum
     AND ((p.classid = 2604 AND p.objid = d.oid) OR (p.classid = 1259 AND p.objid = d.adrelid AND p.objsubid = d.adnum))
    JOIN pg_catalog.pg_attribute u ON u.attrelid = d.adrelid AND u.attnum = p.refobjsubid
    WHERE d.adrelid = ANY (%(tables)s::pg_catalog.oid[])
    ORDER BY a.attrelid, a.attnum, u.attnum
    """
)
#: What partitioned tables are partitioned by; 0 stands for an expression.
_PARTITIONED: Final = SQL(
    """
    SELECT p.partrelid, ARRAY(SELECT a.attname FROM pg_catalog.unnest(p.partattrs) AS x (number)
                              LEFT JOIN pg_catalog.pg_attribute a
                                ON a.attrelid = p.partrelid AND a.attnum = x.number AND x.number > 0)
    FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = ANY (%(tables)s::pg_catalog.oid[])
    """
)
_DEFINITIONS: Final = SQL(
    "SELECT oid, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
    " WHERE oid = ANY (%(keys)s::pg_catalog.oid[])"
)


class SchemaChanged(Exception):
    """What was there a moment ago is gone."""


class _Link(NamedTuple):
    """A row of `_LINKS`; ``acts`` of a link down says that it leads to a partition."""

    kind: str
    here: int
    further: int
    key: int
    acts: bool
    first: bool


async def read_net(session: ReaderSession, table: int, column: str | None) -> tuple[ForeignKeyNet, dict[str, str]]:
    """The foreign keys that changes of a table's rows can follow, and how the server prints the nearest.

    Args:
        session: to read with.
        table: its OID.
        column: its name, if only this column's keys matter at first.

    Raises:
        SchemaChanged: a table or column went while they were read.
        psycopg.Error: they cannot be read.
    """
    parameters = {"table": table, "column": column}
    return await _NetReader(session, [_Link(*row) for row in await session.fetch(_LINKS, parameters)]).read()


class _NetReader:
    def __init__(self, session: ReaderSession, links: list[_Link]) -> None:
        self._session, self._links = session, links
        self._parents = {each.further: each.here for each in links if each.kind == "d" and each.acts}
        self._names: dict[int, Name] = {}
        self._columns: dict[int, dict[int, str]] = {}
        self._generated: dict[Name, dict[str, tuple[str, ...]]] = {}
        self._not_null: dict[Name, set[str]] = {}

    async def read(self) -> tuple[ForeignKeyNet, dict[str, str]]:
        """Ask the server."""
        session, version = self._session, self._session.version
        query = _KEYS.format(
            set_columns=since(version, 15, "k.confdelsetcols", "NULL::pg_catalog.int2[]"),
            enforced=since(version, 18, "k.conenforced", "true"),
            period=since(version, 18, "k.conperiod", "false"),
        )
        first = oid_array([each.key for each in self._links if each.first])
        tables = {oid for each in self._links for oid in (each.here, each.further)}
        rows, relations, partitioned, printed = await session.together(
            session.fetch(query, {"keys": oid_array(self._followed())}),
            session.fetch(_RELATIONS, {"tables": oid_array(tables)}),
            session.fetch(_PARTITIONED, {"tables": oid_array(tables if self._parents else ())}),
            session.fetch(_DEFINITIONS, {"keys": first}),
        )
        self._names = {row[0]: Name(row[1], row[2]) for row in relations}
        try:
            await self._read_columns(rows)
            keys = {row[0]: self._key(row) for row in rows}
            definitions = {keys[oid].identity: text for oid, text in printed if text is not None}
            return self._net(keys, relations, partitioned), definitions
        except KeyError:
            raise SchemaChanged from None

    def _followed(self) -> list[int]:
        """The first keys, and those from and to tables whose rows these change, and so on."""
        leading: dict[int, list[_Link]] = {}
        for each in self._links:
            if each.kind != "k" or each.acts:
                leading.setdefault(each.here, []).append(each)
        found = {each.key for each in self._links if each.first}
        pending = [each.further for each in self._links if each.first and each.acts]
        changed = set(pending)
        for table in pending:
            new = {each.further for each in leading.get(table, ())} - changed
            changed |= new
            pending += new
        found.update(
            each.key for each in self._links if each.kind == "k" and not changed.isdisjoint((each.here, each.further))
        )
        return sorted(found)

    async def _read_columns(self, keys: Collection[Row]) -> None:
        tables = {table for row in keys for table in row[2:4]}
        numbers = {number for row in keys for numbers in (row[4], row[5], row[12] or ()) for number in numbers}
        parameters = {"tables": oid_array(tables), "numbers": oid_array(numbers)}
        computing = set()
        for relation, number, name, not_null, generated in await self._session.fetch(_COLUMNS, parameters):
            self._columns.setdefault(relation, {})[number] = name
            if not_null:
                self._not_null.setdefault(self._names[relation], set()).add(name)
            if generated:
                computing.add(relation)
        if computing:
            for relation, made, used in await self._session.fetch(_GENERATED, {"tables": oid_array(computing)}):
                columns = self._generated.setdefault(self._names[relation], {})
                columns[made] = (*columns.get(made, ()), used)

    def _key(self, row: Row) -> ForeignKey:
        own, referenced = self._columns[row[2]], self._columns[row[3]]
        numbers = zip(row[4], row[5], strict=True)
        return ForeignKey(
            name=row[1],
            table=self._names[row[2]],
            references=self._names[row[3]],
            pairs=tuple([(own[one], referenced[other]) for one, other in numbers]),
            on_delete=ACTIONS[row[6]],
            on_update=ACTIONS[row[7]],
            set_columns=tuple([own[number] for number in row[12] or ()]),
            match=MATCHES[row[8]],
            validated=row[9],
            deferrable=row[10],
            initially_deferred=row[11],
            enforced=row[13],
            period=row[14],
        )

    def _net(self, keys: dict[int, ForeignKey], relations: list[Row], partitioned: list[Row]) -> ForeignKeyNet:
        names = self._names
        children: dict[Name, tuple[Name, ...]] = {}
        for _, parent, child, _, is_partition, _ in self._of_kind("d"):
            if not is_partition:
                children[names[parent]] = (*children.get(names[parent], ()), names[child])
        return ForeignKeyNet(
            keys=tuple(sorted(keys.values(), key=lambda key: (key.table, key.name))),
            rows=self._sizes(relations),
            partitions={names[partition]: names[parent] for partition, parent in self._parents.items()},
            children=children,
            generated=self._generated,
            not_null={table: frozenset(columns) for table, columns in self._not_null.items()},
            partitioned_by={names[oid]: None if None in by else frozenset(by) for oid, by in partitioned},
            moving_deletes=self._session.version < MOVING_UPDATES_SINCE,
            links=frozenset([(names[each.further], names[each.here]) for each in self._of_kind("k")]),
        )

    def _of_kind(self, kind: str) -> Iterator[_Link]:
        return (each for each in self._links if each.kind == kind)

    def _sizes(self, relations: list[Row]) -> dict[Name, int | None]:
        """Rows of tables, None where nobody has counted; of a partitioned one the sum of its partitions."""
        partitions: dict[int, list[int]] = {}
        for partition, parent in self._parents.items():
            partitions.setdefault(parent, []).append(partition)
        kinds = {row[0]: row[3] for row in relations}
        counted = {
            row[0]: row[4] if row[4] > 0 or (row[4] == 0 and row[5] and row[3] != "f") else None for row in relations
        }

        def size(oid: int) -> int | None:
            if kinds[oid] != "p":
                return counted[oid]
            total = 0
            for each in partitions.get(oid, ()):
                own = size(each)
                if own is None:
                    return None
                total += own
            return total

        return {self._names[oid]: size(oid) for oid in kinds}
