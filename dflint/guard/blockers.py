"""Who stands in the way of a session, and of what kind it is: some end by themselves, some have to be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

#: ``session``: at work, or of a kind that this role may not see; ``idle_in_transaction``: its application has to end
#: the transaction; ``autovacuum``: gives way to who waits longer than deadlock_timeout; ``autovacuum_wraparound``:
#: gives way to nobody; ``prepared``: a prepared transaction, which has no session; ``pg_dump`` and ``copy``: end by
#: themselves.
BlockerKind = Literal[
    "session", "idle_in_transaction", "autovacuum", "autovacuum_wraparound", "prepared", "pg_dump", "copy"
]

_COPY: Final = re.compile(r"\s*copy\b", re.IGNORECASE)


class Blocker(Struct, frozen=True, kw_only=True):
    """Somebody whose lock another session waits for. None is what this role may not see.

    Attributes:
        pid: of the session; 0 for a prepared transaction.
        kind: see `BlockerKind`.
        application: its application_name.
        user: the role.
        state: of the session, as pg_stat_activity has it.
        xact_age_s: seconds since its transaction began.
        query: its latest statement; of a prepared transaction its identifier.
        mode: the strongest lock that it holds on the relation, in SQL spelling.
        relation: what is waited for, ``schema.name``; None where it is no relation.
        waits: it waits itself, and stands before the other in the queue.
    """

    pid: int
    kind: BlockerKind
    application: str | None = None
    user: str | None = None
    state: str | None = None
    xact_age_s: float | None = None
    query: str | None = None
    mode: str | None = None
    relation: str | None = None
    waits: bool = False

    @property
    def advice(self) -> str:
        """What an operator can do about it. Nothing of the kind is ever done for them."""
        match self.kind:
            case "prepared":
                return f"COMMIT PREPARED or ROLLBACK PREPARED '{self.query}'"
            case "autovacuum":
                return "it gives way by itself to an attempt that waits longer than deadlock_timeout"
            case "autovacuum_wraparound":
                return "let it finish: it protects the table, and would begin again"
            case "pg_dump" | "copy":
                return "it ends by itself"
            case _:
                return f"ask its owner, or SELECT pg_terminate_backend({self.pid})"


# One row for each blocker and relation that it holds a lock on of those the waiter waits for. A prepared transaction
# has no process; it is found by the lock that it holds where the waiter waits.
_QUERY: Final = b"""
    WITH waiting AS MATERIALIZED (
        SELECT l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
               l.objsubid
          FROM pg_catalog.pg_locks l WHERE l.pid = %(waiter)s AND NOT l.granted),
    held AS MATERIALIZED (
        SELECT coalesce(l.pid, 0) AS pid, l.virtualtransaction, l.mode, l.granted, w.relation, w.database
          FROM pg_catalog.pg_locks l JOIN waiting w
            ON l.locktype = w.locktype
           AND (l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid, l.objsubid)
               IS NOT DISTINCT FROM
               (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
         WHERE coalesce(l.pid, 0) = ANY (%(blockers)s::int[]))
    SELECT b.pid, h.virtualtransaction, h.mode, h.granted,
           (SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = h.relation
               AND h.database IN (0, (SELECT d.oid FROM pg_catalog.pg_database d
                                       WHERE d.datname = pg_catalog.current_database()))),
           a.application_name, a.usename::text, a.state,
           extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8, a.query, a.backend_type,
           a.usesysid IS NULL AND a.datid IS NOT NULL
      FROM unnest(%(blockers)s::int[]) AS b (pid)
      LEFT JOIN held h ON h.pid = b.pid
      LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
     ORDER BY b.pid, h.granted DESC NULLS LAST
    """

#: A prepared transaction holds the lock on its own number under the virtual transaction of all its other locks.
_PREPARED: Final = b"""
    SELECT p.gid, p.owner::text, extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8
      FROM pg_catalog.pg_prepared_xacts p
      JOIN pg_catalog.pg_locks l ON l.transactionid = p.transaction AND l.locktype = 'transactionid' AND l.granted
     WHERE l.pid IS NULL AND l.virtualtransaction = ANY (%s)
     ORDER BY p.gid
    """


async def blockers_of(
    connection: AsyncConnection[Any], waiter: int, pids: Sequence[int], *, sees_prepared: bool = True
) -> tuple[Blocker, ...]:
    """Who the sessions are that stand in the way of one.

    Args:
        connection: autocommit; not the waiting session.
        waiter: process number of the session that waits.
        pids: as pg_blocking_pids has them, 0 for prepared transactions.
        sees_prepared: the role may look at pg_prepared_xacts.
    """
    if not pids:
        return ()
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_QUERY, {"waiter": waiter, "blockers": sorted(set(pids))})
    rows = await cursor.fetchall()
    prepared = [row for row in rows if row[0] == 0]
    found = {row[0]: _session(row) for row in reversed(rows) if row[0] != 0}
    return tuple(found[pid] for pid in sorted(found)) + (
        await _prepared(connection, prepared, sees_prepared) if prepared else ()
    )


async def _prepared(
    connection: AsyncConnection[Any], rows: Sequence[Sequence[Any]], visible: bool
) -> tuple[Blocker, ...]:
    mode, relation = rows[0][2] and spelled(rows[0][2]), rows[0][4]
    found: list[tuple[Any, ...]] = []
    if visible:
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute(_PREPARED, [[row[1] for row in rows if row[1]]])
        found = await cursor.fetchall()
    if not found:
        return (Blocker(pid=0, kind="prepared", mode=mode, relation=relation),)
    return tuple(
        Blocker(pid=0, kind="prepared", user=user, xact_age_s=age, query=gid, mode=mode, relation=relation)
        for gid, user, age in found
    )


def _session(row: Sequence[Any]) -> Blocker:
    pid, _, mode, granted, relation, application, user, state, age, query, backend_type, no_role = row
    hidden = query == "<insufficient privilege>"
    query = None if hidden else query
    return Blocker(
        pid=pid,
        kind=kind_of(application, state, query, backend_type, maybe_autovacuum=hidden and no_role),
        application=application or None,
        user=user,
        state=state,
        xact_age_s=age,
        query=query,
        mode=mode and spelled(mode),
        relation=relation,
        waits=granted is False,
    )


def kind_of(
    application: str | None,
    state: str | None,
    query: str | None,
    backend_type: str | None,
    *,
    maybe_autovacuum: bool = False,
) -> BlockerKind:
    """Of what kind a session is.

    Args:
        application: its name, which it gave itself.
        state: of the session.
        query: its latest statement; None where it is hidden.
        backend_type: as pg_stat_activity has it; None where it is hidden.
        maybe_autovacuum: its row is hidden, but it is in a database and belongs to no role, as only workers of
            autovacuum do. Whether one is at work against wraparound cannot be told then.
    """
    if backend_type == "autovacuum worker" or maybe_autovacuum:
        return "autovacuum_wraparound" if "(to prevent wraparound)" in (query or "") else "autovacuum"
    if (application or "").startswith("pg_dump"):
        return "pg_dump"
    if state == "active" and query and _COPY.match(query):
        return "copy"
    if state in {"idle in transaction", "idle in transaction (aborted)"}:
        return "idle_in_transaction"
    return "session"


def spelled(mode: str) -> str:
    """``AccessShareLock`` as ``ACCESS SHARE``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()
