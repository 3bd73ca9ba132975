"""What a plan needs of the server: the lock table, sessions, write-ahead log, disk; and who depends on the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.capabilities import Capabilities
from dflint.guard.concerns import Concern
from dflint.guard.lag import Throttle, read_lag
from dflint.guard.preflight_tables import Touched
from dflint.model.plan import Plan

_MIB: Final = 1024**2
#: Sessions besides the executing one: the monitor's, and the sign of life's.
_SESSIONS: Final = 2
#: What inactive slots may hold back of the log before it is said.
_RETAINED: Final = 1024**3
#: Steps that write less than this are not spoken of, bytes.
_NOTEWORTHY: Final = 256 * _MIB


async def resource_concerns(
    connection: AsyncConnection[Any], plan: Plan, tables: Sequence[Touched], able: Capabilities
) -> list[Concern]:
    """What the plan needs and the server may not have."""
    settings = await _settings(connection)
    return [
        *await _lock_table(connection, plan, settings, able),
        *await _sessions(connection, settings),
        *await _replication(connection, plan, able),
        *_volume(plan, tables, settings),
        *await _archiver(connection, settings),
    ]


async def _settings(connection: AsyncConnection[Any]) -> dict[str, str]:
    names = [
        "max_locks_per_transaction", "max_connections", "max_prepared_transactions", "max_wal_senders",
        "max_worker_processes", "autovacuum_max_workers", "autovacuum_worker_slots", "max_slot_wal_keep_size",
        "superuser_reserved_connections", "reserved_connections", "archive_mode",
    ]  # fmt: skip
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(b"SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY (%s)", [names])
    return dict(await cursor.fetchall())


async def _lock_table(
    connection: AsyncConnection[Any], plan: Plan, settings: dict[str, str], able: Capabilities
) -> list[Concern]:
    """Whether the locks that one transaction holds at the same time fit into the lock table."""
    largest = max(plan.steps, key=lambda step: len(step.locks), default=None)
    if largest is None or len(largest.locks) < 100:
        return []
    number = {name: int(value) for name, value in settings.items() if value.lstrip("-").isdigit()}
    workers = number.get("autovacuum_worker_slots", number.get("autovacuum_max_workers", 0))
    backends = number["max_connections"] + workers + number["max_worker_processes"] + number["max_wal_senders"] + 1
    room = number["max_locks_per_transaction"] * (backends + number["max_prepared_transactions"])
    taken = 0
    if able.sees_waiters:
        row = await (
            await connection.execute(b"SELECT count(*) FROM pg_catalog.pg_locks WHERE NOT fastpath")
        ).fetchone()
        taken = row[0] if row else 0
    need = len(largest.locks)
    numbers = f"step {largest.id} takes {need} locks; the lock table has room for {room}, of which {taken} are taken"
    remedy = (
        f"raise max_locks_per_transaction above {number['max_locks_per_transaction']} (a restart), or change fewer "
        "tables in one transaction"
    )
    if need > room - taken:
        return [Concern(kind="lock_table", severity="refuse", message=numbers, remedy=remedy)]
    if need > (room - taken) / 2:
        return [Concern(kind="lock_table", severity="warn", message=f"{numbers}: others may run out", remedy=remedy)]
    return []


async def _sessions(connection: AsyncConnection[Any], settings: dict[str, str]) -> list[Concern]:
    """Whether there is room for the monitor's session."""
    query = b"""SELECT count(*) FILTER (WHERE datid IS NOT NULL OR usesysid IS NOT NULL),
                       (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user),
                       count(*) FILTER (WHERE usename = current_user)
                  FROM pg_catalog.pg_stat_activity"""
    row = await (await connection.cursor(row_factory=tuple_row).execute(query)).fetchone()
    if row is None:
        return []
    used, limit, ours = row
    reserved = int(settings["superuser_reserved_connections"]) + int(settings.get("reserved_connections", 0))
    left = int(settings["max_connections"]) - reserved - used
    remedy = "let sessions end, or raise max_connections"
    if limit is not None and 0 <= limit < ours + _SESSIONS:
        left, remedy = min(left, limit - ours), "ALTER ROLE … CONNECTION LIMIT"
    if left >= _SESSIONS:
        return []
    message = f"there is room for {max(left, 0)} more sessions, and {_SESSIONS} are needed beside the executing one"
    return [Concern(kind="sessions", severity="warn", message=message, remedy=remedy)]


_SLOTS = b"""
    SELECT slot_name::text, slot_type::text,
           pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint, wal_status::text
      FROM pg_catalog.pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 1
    """


async def _replication(connection: AsyncConnection[Any], plan: Plan, able: Capabilities) -> list[Concern]:
    found = []
    try:
        rows = await (await connection.cursor(row_factory=tuple_row).execute(_SLOTS)).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        rows = []
        found.append(
            Concern(
                kind="slots",
                severity="unknown",
                message="this role may not see replication slots: how much log they hold back is unknown",
                remedy="GRANT EXECUTE ON FUNCTION pg_get_replication_slots(), pg_current_wal_lsn() to this role",
            )
        )
    for slot, kind, retained, status in rows:
        if retained > _RETAINED or status in {"unreserved", "lost"}:
            found.append(
                Concern(
                    kind="slot",
                    severity="warn",
                    message=f"nobody reads the {kind} replication slot {slot}, which holds back {retained // _MIB} MiB "
                    f"of the write-ahead log (wal_status {status}); what this plan writes comes on top",
                    remedy=f"let its reader catch up, or SELECT pg_drop_replication_slot('{slot}')",
                )
            )
    if able.sees_lag and able.sees_wal and any(step.kind == "backfill" for step in plan.steps):
        reason = Throttle().observe(await read_lag(connection))
        if reason is not None:
            found.append(Concern(kind="lag", severity="wait", message=reason, remedy="begin when it has caught up"))
    return found


def _volume(plan: Plan, tables: Sequence[Touched], settings: dict[str, str]) -> list[Concern]:
    """How much may be written; free space is nothing that a server tells over SQL."""
    size = {f"{table.schema}.{table.name}": table.bytes for table in tables}
    need = 0
    steps = []
    for step in plan.steps:
        named = {printed.partition(":")[2] for printed in step.locks}
        if step.backfill is not None:
            named.add(step.backfill.table.partition(":")[2])
        written = sum(size.get(name, 0) for name in named)
        heavy = step.kind in {"backfill", "nontx"} or step.lock_class in {"writes", "reads"}
        if heavy and written > _NOTEWORTHY:
            need += written
            steps.append(step.id)
    if not steps:
        return []
    at_most = (
        f"steps {', '.join(steps)} work on {need // _MIB} MiB: up to as much new data, and as much log, may be written"
    )
    found = [
        Concern(
            kind="disk",
            severity="unknown",
            message=f"{at_most}; how much disk is free cannot be seen over SQL",
            remedy="look at the server's disks: data directory, tablespaces, pg_wal",
        )
    ]
    keep = int(settings.get("max_slot_wal_keep_size", "-1"))
    if keep != -1 and need > keep * _MIB:
        found.append(
            Concern(
                kind="slot_wal",
                severity="warn",
                message=f"{at_most}, and max_slot_wal_keep_size is {keep} MiB: a replica that falls behind loses "
                "its slot",
                remedy="raise it for the time of the migration, or watch pg_replication_slots.wal_status",
            )
        )
    return found


async def _archiver(connection: AsyncConnection[Any], settings: dict[str, str]) -> list[Concern]:
    if settings.get("archive_mode", "off") == "off":
        return []
    query = b"""SELECT last_failed_wal, last_failed_time > coalesce(last_archived_time, '-infinity')
                  FROM pg_catalog.pg_stat_archiver"""
    try:
        row = await (await connection.cursor(row_factory=tuple_row).execute(query)).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        row = None
    if row is None or not row[1]:
        return []
    return [
        Concern(
            kind="archiver",
            severity="warn",
            message=f"archiving fails since {row[0]}: the log piles up on the server's disk, and this plan adds to it",
            remedy="see archive_command, or archive_library, and the server's log",
        )
    ]
