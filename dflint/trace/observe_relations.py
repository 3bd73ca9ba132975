"""The user's relations as one connection sees them: identities, files and scan counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.model.locks import MODES, stronger
from dflint.model.names import Identity

_KINDS = {
    "r": "table",
    "p": "table",
    "f": "foreign_table",
    "v": "view",
    "m": "materialized_view",
    "i": "index",
    "I": "index",
    "S": "sequence",
}

#: `pg_locks` spells AccessShareLock what SQL spells ACCESS SHARE.
SPELLING = {mode.title().replace(" ", "") + "Lock": mode for mode in MODES}

# Functions of the statistics take OIDs and lock nothing; pg_class itself is a system catalog, whose locks nobody
# counts. So the connection under observation may run this itself.
_RELATIONS = """
select c.oid, case when n.oid = pg_my_temp_schema() then 'pg_temp' else n.nspname::text end, c.relname::text,
       c.relkind::text, c.relfilenode, i.indrelid,
       case when c.relkind in ('r', 'm') then pg_stat_get_xact_numscans(c.oid) else 0 end,
       case when c.relkind in ('r', 'm') then pg_stat_get_numscans(c.oid) else 0 end
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index i on i.indexrelid = c.oid
where c.relkind in ('r', 'p', 'f', 'v', 'm', 'i', 'I', 'S')
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and (n.oid = pg_my_temp_schema() or n.nspname !~ '^pg_(toast_)?temp_[0-9]+$')
"""

_LOCKS = """
select relation, mode from pg_locks
where pid = %s and granted and locktype = 'relation'
  and database = (select oid from pg_database where datname = current_database())
"""


class Relation(Struct, frozen=True):
    """One relation at one moment.

    Attributes:
        identity: printed.
        name: schema and name.
        file: the number of its file, 0 where it has none.
        table: OID of an index's table, None for other relations.
        pending_scans, past_scans: sequential scans of it, of this session not yet reported to the statistics, and
            those in the statistics.
    """

    oid: int
    identity: str
    name: tuple[str, str]
    kind: str
    file: int
    table: int | None
    pending_scans: int
    past_scans: int


class Relations:
    """All relations of the user at one moment."""

    def __init__(self, relations: Iterable[Relation]) -> None:
        self.by_oid: Mapping[int, Relation] = {relation.oid: relation for relation in relations}
        self._by_identity = {relation.identity: relation for relation in self.by_oid.values()}

    def successor(self, relation: Relation) -> Relation | None:
        """The same relation in this later moment: by OID, or by name where the OID is gone."""
        return self.by_oid.get(relation.oid) or self._by_identity.get(relation.identity)


async def read_relations(connection: AsyncConnection[Any]) -> Relations:
    """The relations as ``connection`` sees them, in its transaction if it is in one."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_RELATIONS)
        rows = await cursor.fetchall()
    return Relations(
        Relation(
            oid, str(Identity(_KINDS[kind], (schema, name))), (schema, name), _KINDS[kind], file, table, pending, past
        )
        for oid, schema, name, kind, file, table, pending, past in rows
    )


async def read_locks(connection: AsyncConnection[Any], pid: int) -> dict[int, str]:
    """The strongest mode, in SQL spelling, that backend ``pid`` holds on each relation of the database, by OID."""
    held: dict[int, str] = {}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_LOCKS, (pid,))
        for oid, mode in await cursor.fetchall():
            spelled = SPELLING[mode]
            held[oid] = stronger(held[oid], spelled) if oid in held else spelled
    return held


def named_locks(locks: Mapping[int, str], relations: Relations) -> dict[str, str]:
    """Locks by identity, sorted; those on anything else than ``relations`` are left out."""
    known = relations.by_oid
    return dict(sorted((known[oid].identity, mode) for oid, mode in locks.items() if oid in known))


def new_files(before: Relations, after: Relations) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables and materialized views, and the indexes, of ``before`` that have another file in ``after``."""
    rewritten, rebuilt = [], []
    for relation in before.by_oid.values():
        later = after.successor(relation)
        if later is None or later.file == relation.file or not relation.file:
            continue
        if relation.kind == "index":
            rebuilt.append(relation.identity)
        elif relation.kind in ("table", "materialized_view"):
            rewritten.append(relation.identity)
    return tuple(sorted(rewritten)), tuple(sorted(rebuilt))


def begun_scans(before: Relations, after: Relations, *, reported: bool) -> tuple[str, ...]:
    """The tables and materialized views of ``before`` whose scan counters moved.

    Args:
        before, after: of the session that scanned.
        reported: whether the session may have reported scans to the statistics meanwhile.
    """
    found = []
    for relation in before.by_oid.values():
        later = after.by_oid.get(relation.oid)
        if later is None:
            continue
        moved = later.pending_scans - relation.pending_scans
        if reported:
            moved += later.past_scans - relation.past_scans
        if moved > 0:
            found.append(relation.identity)
    return tuple(sorted(found))
