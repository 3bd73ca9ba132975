"""Tables of every kind, with their partition keys and bounds."""

from __future__ import annotations

from typing import Any, Final

from dflint.catalog.reader.columns import UNREADABLE
from dflint.catalog.reader.deparse import Request
from dflint.catalog.reader.indexes import IndexRows
from dflint.catalog.reader.pieces import fetch_by_oids
from dflint.catalog.reader.relations import NO_TOAST, RelationRow, Relations, pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.catalog.reader.sources import Sources
from dflint.model.catalog import Policy, Table, Trigger
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, IndexElement, PartitionBound, PartitionKey

_PARTITIONED: Final = SQL(
    """
    SELECT p.partrelid, p.partstrat, p.partattrs::pg_catalog.text, p.partclass::pg_catalog.text,
           p.partcollation::pg_catalog.text, p.partexprs IS NOT NULL,
           ARRAY(SELECT CASE WHEN a.attcollation = x.own THEN 0::pg_catalog.oid ELSE x.own END
                 FROM ROWS FROM (pg_catalog.unnest(p.partattrs), pg_catalog.unnest(p.partcollation))
                      WITH ORDINALITY AS x (number, own, place)
                 LEFT JOIN pg_catalog.pg_attribute a
                   ON a.attrelid = p.partrelid AND a.attnum = x.number AND x.number > 0
                 ORDER BY x.place)
    FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = ANY (%s::pg_catalog.oid[])
    """
)
_FOREIGN: Final = SQL(
    """
    SELECT t.ftrelid, s.srvname, t.ftoptions
    FROM pg_catalog.pg_foreign_table t JOIN pg_catalog.pg_foreign_server s ON s.oid = t.ftserver
    WHERE t.ftrelid = ANY (%s::pg_catalog.oid[])
    """
)
_TYPED: Final = SQL("SELECT oid, typnamespace, typname FROM pg_catalog.pg_type WHERE oid = ANY (%s::pg_catalog.oid[])")
KEYS: Final = "partition keys with expressions"
KEYS_QUERY: Final = SQL(
    """
    SELECT c.oid, pg_catalog.pg_get_partkeydef(c.oid) FROM pg_catalog.pg_class c
    WHERE c.oid = ANY (%s::pg_catalog.oid[])
    """
)

_STRATEGIES: Final = {"r": "range", "l": "list", "h": "hash"}
_PERSISTENCE: Final = {"p": "permanent", "u": "unlogged", "t": "temporary"}
_IDENTITIES: Final = {"d": "default", "f": "full", "n": "nothing", "i": "index"}


class TableRows:
    """What only tables have: partition keys, servers, types."""

    def __init__(self, partitioned: list[Row], foreign: list[Row], typed: list[Row]) -> None:
        self.partitioned = {row[0]: row for row in partitioned}
        self.foreign = {row[0]: row for row in foreign}
        self.typed = {row[0]: row for row in typed}

    def requests(self) -> list[Request]:
        """The tables whose partition key holds an expression."""
        return [Request(oid, (oid,)) for oid, row in self.partitioned.items() if row[5]]


async def read_tables(session: ReaderSession, relations: Relations) -> TableRows:
    """The rows about partitioned, foreign and typed tables."""
    of_kind = relations.of_kind
    types = sorted({row.of_type for row in relations.rows.values() if row.of_type})
    return TableRows(
        *await session.together(
            fetch_by_oids(session, "partition keys", _PARTITIONED, of_kind(frozenset("p"))),
            fetch_by_oids(session, "foreign tables", _FOREIGN, of_kind(frozenset("f"))),
            fetch_by_oids(session, "types of typed tables", _TYPED, types),
        )
    )


class TableBuilder:
    """Makes tables out of rows and parts."""

    def __init__(self, sources: Sources, rows: TableRows) -> None:
        self._names, self._relations, self._columns, self._texts, self._deparsed = sources
        self._rows = rows
        self._sizes: dict[int, tuple[int | None, int | None]] = {}
        bounded = [row for row in self._relations.rows.values() if row.bound is not None]
        bounds = self._texts.bounds([row.bound or "" for row in bounded])
        self._bounds = {row.oid: bound for row, bound in zip(bounded, bounds, strict=True)}
        self.clustered: dict[int, str] = {}
        self.identity: dict[int, str] = {}

    def note_indexes(self, indexes: IndexRows) -> None:
        """Learn which index a table is clustered on, and which is its replica identity."""
        for oid, row in indexes.rows.items():
            if row[5]:
                self.clustered[row[1]] = self._names.relations[oid].name
            if row[6]:
                self.identity[row[1]] = self._names.relations[oid].name

    def table(
        self,
        row: RelationRow,
        columns: dict[int, tuple[Column, ...]],
        constraints: dict[int, tuple[Constraint, ...]],
        triggers: dict[int, tuple[Trigger, ...]],
        policies: dict[int, tuple[Policy, ...]],
        rules: tuple[str, ...],
    ) -> Table:
        """One table."""
        oid, names = row.oid, self._names
        rows, size = self._size(row)
        values: dict[str, Any] = {}
        if row.persistence != "p":
            values["persistence"] = _PERSISTENCE[row.persistence]
        if row.kind == "p":
            values["partition_by"] = self._key(oid)
        elif row.kind == "f":
            server = self._rows.foreign.get(oid)
            values["foreign_server"] = server[1] if server else "?"
            values["options"] = pairs(server[2]) if server else ()
        if row.bound is not None:
            values["bound"] = self._bounds[oid] or PartitionBound("list")
            values["detach_pending"] = oid in self._relations.detach_pending
        parents = self._relations.parents.get(oid)
        if parents:
            values["parents"] = tuple([names.relations[parent] for parent in parents])
        toast_options = self._relations.toast.get(row.toast, NO_TOAST)[1]
        if row.options or toast_options:
            values["options"] = pairs(row.options) + pairs([f"toast.{option}" for option in toast_options or ()])
        if row.of_type:
            values["of_type"] = self._type_name(row.of_type)
        if row.replica_identity != "d":
            values["replica_identity"] = _IDENTITIES[row.replica_identity]
            values["replica_index"] = self.identity.get(oid)
        if row.row_security or row.force_row_security:
            values["row_security"], values["force_row_security"] = row.row_security, row.force_row_security
        if row.tablespace:
            values["tablespace"] = names.tablespaces.get(row.tablespace)
        method = names.methods.get(row.method)
        if method not in (None, "heap"):
            values["method"] = method
        return Table(
            names.relations[oid],
            columns.get(oid, ()),
            constraints.get(oid, ()),
            triggers=triggers.get(oid, ()),
            policies=policies.get(oid, ()),
            rules=rules,
            clustered_on=self.clustered.get(oid),
            owner=names.role(row.owner),
            rows=rows,
            bytes=size,
            **values,
        )

    def _type_name(self, oid: int) -> Name | None:
        row = self._rows.typed.get(oid)
        return self._names.name(row[1], row[2]) if row else None

    def _key(self, oid: int) -> PartitionKey:
        row = self._rows.partitioned.get(oid)
        if row is None:
            return PartitionKey("list", ())
        _oid, strategy, attributes, classes, _collations, with_expressions, own_collations = row
        if with_expressions:
            text = self._deparsed.text(KEYS, oid)
            found = self._texts.partition_key(text) if text is not None else None
            return found or PartitionKey(_STRATEGIES[strategy], (IndexElement(expression=UNREADABLE),))  # type: ignore[arg-type]
        columns = self._columns.get(oid, {})
        elements = tuple(
            [
                IndexElement(
                    columns.get(int(number), "?"),
                    None,
                    self._names.collation(collation, 0),
                    self._names.operator_classes.get(int(operator_class)),
                )
                for number, operator_class, collation in zip(
                    attributes.split(), classes.split(), own_collations, strict=True
                )
            ]
        )
        return PartitionKey(_STRATEGIES[strategy], elements)  # type: ignore[arg-type]  # values of the Literal

    def _size(self, row: RelationRow) -> tuple[int | None, int | None]:
        """Rows and bytes: estimates of the last VACUUM or ANALYZE; of partitioned tables the sum of the leaves."""
        if row.kind == "f":
            return (row.tuples if row.tuples > 0 else None), None
        if row.kind != "p":
            return file_size(row, self._relations)
        known = self._sizes.get(row.oid)
        if known is None:
            children = [self._relations.rows[child] for child in self._relations.children.get(row.oid, ())]
            sizes = [self._size(child) for child in children]
            known = self._sizes[row.oid] = _sum([rows for rows, _ in sizes]), _sum([size for _, size in sizes])
        return known


def _sum(parts: list[int | None]) -> int | None:
    """The sum, None when a part is unknown."""
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def file_size(row: RelationRow, relations: Relations) -> tuple[int | None, int | None]:
    """Rows and bytes of a relation with a file; None before it was first vacuumed or analysed.

    PostgreSQL 13 does not tell an empty table from one that was never looked at.
    """
    if row.tuples < 0 or (not row.tuples and not row.pages):
        return None, None
    pages = row.pages + relations.toast.get(row.toast, NO_TOAST)[0]
    return row.tuples, pages * relations.block_size
