"""Which relations there are: the rows of pg_class, and what is found by a relation's OID in a few other catalogs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from dflint.catalog.reader.names import Names
from dflint.catalog.reader.pieces import fetch_by_range, ranges, within
from dflint.catalog.reader.session import SQL, ReaderSession, oid_array, since

TABLE_KINDS: Final = frozenset("rpf")
VIEW_KINDS: Final = frozenset("vm")
INDEX_KINDS: Final = frozenset("iI")

_RELATIONS: Final = SQL(
    """
    SELECT c.oid, c.relnamespace, c.relname, c.relkind, c.relpersistence, c.relowner, c.relam, c.reltablespace,
           c.reloptions, c.reltuples::pg_catalog.int8, c.relpages, c.reloftype, c.relrowsecurity,
           c.relforcerowsecurity, c.relreplident, c.relispopulated,
           CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, 0) END,
           nullif(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END,
                                                  c.relowner))::pg_catalog.text[], c.reltoastrelid
    FROM pg_catalog.pg_class c
    WHERE {within}
      AND c.relnamespace = ANY (%(schemas)s::pg_catalog.oid[]) AND c.relkind <> 't' AND c.relpersistence <> 't'
    ORDER BY c.oid
    """
)
#: Toast tables that have something to say, as few have.
_TOAST: Final = SQL(
    """
    SELECT oid, relpages, reloptions FROM pg_catalog.pg_class
    WHERE {within}
      AND relkind = 't' AND relpersistence <> 't' AND (relpages > 0 OR reloptions IS NOT NULL)
    """
)
_INHERITS: Final = SQL(
    """
    SELECT inhrelid, inhparent, {pending} FROM pg_catalog.pg_inherits
    WHERE {within} ORDER BY inhrelid, inhseqno
    """
)
_BLOCK_SIZE: Final = SQL("SELECT pg_catalog.current_setting('block_size')::pg_catalog.int4")


class RelationRow(NamedTuple):
    """A row of pg_class."""

    oid: int
    schema: int
    name: str
    kind: str
    persistence: str
    owner: int
    method: int
    tablespace: int
    options: list[str] | None
    tuples: int
    pages: int
    of_type: int
    row_security: bool
    force_row_security: bool
    replica_identity: str
    populated: bool
    bound: str | None
    privileges: list[str] | None
    toast: int


class Relations:
    """The relations that are read.

    Attributes:
        rows: in the order of their OIDs.
        toast: toast table -> its pages and options, where it has any.
        parents: relation -> the parents it inherits from, in order.
        children: the other way round.
        detach_pending: partitions whose concurrent detaching has not ended.
        block_size: bytes of a page.
    """

    def __init__(self) -> None:
        self.rows: dict[int, RelationRow] = {}
        self.toast: dict[int, tuple[int, list[str] | None]] = {}
        self.parents: dict[int, list[int]] = {}
        self.children: dict[int, list[int]] = {}
        self.detach_pending: set[int] = set()
        self.block_size = 8192

    def of_kind(self, kinds: frozenset[str]) -> list[int]:
        """The OIDs of the relations of these kinds (letters of pg_class)."""
        return [oid for oid, row in self.rows.items() if row.kind in kinds]


NO_TOAST: Final = (0, None)


async def read_relations(session: ReaderSession, names: Names, places: list[int]) -> Relations:
    """The relations of the wanted schemas; their names are noted in ``names``."""
    found = Relations()
    pending = since(session.version, 14, "inhdetachpending", "false")
    inherits = _INHERITS.format(pending=pending, within=within("inhrelid", places))
    _, toast, parents, ((found.block_size,),) = await session.together(
        _read_rows(session, names, places, found),
        fetch_by_range(session, "toast tables", _TOAST.format(within=within("oid", places)), places),
        fetch_by_range(session, "parents of tables", inherits, places),
        session.fetch(_BLOCK_SIZE),
    )
    found.toast = {oid: (pages, options) for oid, pages, options in toast}
    for child, parent, detaching in parents:
        if child in found.rows and parent in found.rows:
            found.parents.setdefault(child, []).append(parent)
            found.children.setdefault(parent, []).append(child)
            if detaching:
                found.detach_pending.add(child)
    return found


async def _read_rows(session: ReaderSession, names: Names, places: list[int], found: Relations) -> None:
    schemas = oid_array(names.schema_oids())
    query = _RELATIONS.format(within=within("c.oid", places))
    for limits in ranges(places):
        for row in await session.fetch(query, {**limits, "schemas": schemas}):
            relation = RelationRow(*row)
            found.rows[relation.oid] = relation
            names.relations[relation.oid] = names.name(relation.schema, relation.name)


def pairs(options: Iterable[str] | None) -> tuple[tuple[str, str | None], ...]:
    """Options as the catalogs keep them, ``name=value``, as pairs."""
    if not options:
        return ()
    return tuple([(name, value) for name, _, value in [option.partition("=") for option in options]])
