"""What can be foreseen before the first statement: what will be in the way, and what cannot be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.backfill_keys import Ranges, find_target
from dflint.guard.blockers import kind_of, spelled
from dflint.guard.capabilities import Capabilities
from dflint.guard.concerns import Concern, Severity
from dflint.guard.errors import GuardRefused
from dflint.guard.preflight_resources import resource_concerns
from dflint.guard.preflight_standbys import standby_concerns
from dflint.guard.preflight_tables import Touched, privilege_concerns, stops_others, table_concerns, touched_tables
from dflint.model.locks import conflicts
from dflint.model.plan import Plan

__all__ = ["Concern", "Severity", "preflight"]


async def preflight(
    connection: AsyncConnection[Any],
    plan: Plan,
    able: Capabilities,
    *,
    max_snapshot_age_s: float = 60.0,
    standbys: Sequence[str] = (),
) -> tuple[Concern, ...]:
    """Look for what will be in the plan's way. Writes nothing, and waits for nobody.

    Args:
        connection: autocommit, outside a transaction, of the role that will execute.
        plan: the steps that are left to do.
        able: what that role may see and do.
        max_snapshot_age_s: older snapshots are waited for before anything is built concurrently.
        standbys: connection strings of standby servers that are looked at too.
    """
    tables = await touched_tables(connection, plan)
    concerns = [*_blind_spots(plan, able)]
    concerns += await _others(connection, plan, tables, able, max_snapshot_age_s)
    concerns += await table_concerns(connection, tables)
    concerns += await privilege_concerns(connection, plan, tables)
    concerns += await _backfills(connection, plan)
    concerns += await resource_concerns(connection, plan, tables, able)
    locked = [table for table in tables if table.mode == "ACCESS EXCLUSIVE"]
    if locked or standbys:
        concerns += await standby_concerns(connection, locked, able, standbys)
    return tuple(concerns)


def _blind_spots(plan: Plan, able: Capabilities) -> list[Concern]:
    """What this role cannot see, as far as the plan rests on it."""
    strong = [step.id for step in plan.steps if stops_others(step)]
    found = []
    for missing in able.missing:
        if missing.what == "deadlock_timeout":
            # Told where autovacuum is in the way.
            continue
        severity: Severity = "refuse" if missing.refuses and strong else "unknown"
        found.append(Concern(kind=missing.what, severity=severity, message=missing.message, remedy=missing.remedy))
    return found


# Whoever holds a lock on a table of the plan, and whoever has a snapshot in this database, but for our own sessions,
# which bear the name of the run.
_OTHERS = b"""
    SELECT a.pid, a.application_name, a.usename::text, a.state, a.query, a.backend_type,
           a.query = '<insufficient privilege>' AND a.usesysid IS NULL AND a.datid IS NOT NULL,
           extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8,
           pg_catalog.age(a.backend_xmin),
           coalesce((SELECT array_agg(l.relation::bigint || ' ' || l.mode) FROM pg_catalog.pg_locks l
             WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND l.relation = ANY (%(tables)s::oid[])
               AND l.database = a.datid), '{}')
      FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
       AND NOT (split_part(a.application_name, '/', 1) = 'dflint' AND split_part(a.application_name, '/', 2) <> ''
                AND split_part(a.application_name, '/', 2) =
                    split_part(pg_catalog.current_setting('application_name'), '/', 2))
     ORDER BY a.xact_start, a.pid
    """

_PREPARED = b"""
    SELECT p.gid, extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8,
           array_agg(l.relation::bigint || ' ' || l.mode)
      FROM pg_catalog.pg_prepared_xacts p
      JOIN pg_catalog.pg_locks own ON own.pid IS NULL AND own.transactionid = p.transaction
      JOIN pg_catalog.pg_locks l ON l.pid IS NULL AND l.virtualtransaction = own.virtualtransaction
     WHERE p.database = pg_catalog.current_database() AND l.locktype = 'relation'
       AND l.relation = ANY (%(tables)s::oid[])
     GROUP BY p.gid, p.prepared
     ORDER BY p.gid
    """


async def _others(
    connection: AsyncConnection[Any], plan: Plan, tables: Sequence[Touched], able: Capabilities, max_age_s: float
) -> list[Concern]:
    """Sessions and prepared transactions that will be in the way."""
    cursor = connection.cursor(row_factory=tuple_row)
    oids = [table.oid for table in tables]
    concurrent = any(step.kind == "nontx" and "CONCURRENTLY" in step.sql.upper() for step in plan.steps)
    await cursor.execute(_OTHERS, {"tables": oids})
    found = []
    for pid, application, user, state, query, backend_type, no_role, age, xmin_age, locks in await cursor.fetchall():
        hidden = query == "<insufficient privilege>"
        kind = kind_of(application, state, None if hidden else query, backend_type, maybe_autovacuum=bool(no_role))
        who = _who(pid, application, user, state, age)
        where = _conflicting(tables, locks)
        if where and kind in {"pg_dump", "autovacuum_wraparound"}:
            found.append(_will_not_yield(kind, who, where))
        elif where and kind == "autovacuum":
            found.append(_autovacuum(who, where, able))
        elif where and (age is None or age > max_age_s):
            found.append(
                Concern(
                    kind="long_transaction",
                    severity="unknown" if age is None else "warn",
                    message=f"{who} holds a lock that the plan has to wait for: {where}",
                    remedy=f"let it end, or ask its owner; SELECT pg_terminate_backend({pid}) ends it",
                )
            )
        if concurrent and xmin_age is not None and not kind.startswith("autovacuum"):
            found += _snapshot(pid, who, age, max_age_s)
    if able.sees_prepared:
        await cursor.execute(_PREPARED, {"tables": oids})
        for gid, age, locks in await cursor.fetchall():
            if where := _conflicting(tables, locks):
                found.append(
                    Concern(
                        kind="prepared_transaction",
                        severity="wait",
                        message=f"prepared transaction {gid!r}, {age:.0f} s old, holds a lock that the plan has to "
                        f"wait for: {where}",
                        remedy=f"COMMIT PREPARED or ROLLBACK PREPARED {gid!r}: it belongs to no session that could end",
                    )
                )
    return found


def _who(pid: int, application: str | None, user: str | None, state: str | None, age: float | None) -> str:
    parts = [f"pid {pid}", application or "", f"of {user}" if user else "", state or ""]
    since = "" if age is None else f"in a transaction for {age:.0f} s"
    return ", ".join(part for part in (*parts, since) if part)


def _conflicting(tables: Sequence[Touched], held: Sequence[str]) -> str:
    """On which of the plan's tables the locks held are in its way, in words; "" for none."""
    named = {table.oid: table for table in tables}
    found = []
    for each in held:
        oid, _, mode = each.partition(" ")
        table = named[int(oid)]
        held_mode = spelled(mode)
        if conflicts(table.mode, held_mode):
            found.append(f"{held_mode} on {table.schema}.{table.name}")
    return ", ".join(sorted(set(found)))


def _will_not_yield(kind: str, who: str, where: str) -> Concern:
    if kind == "pg_dump":
        return Concern(
            kind="dump", severity="wait", message=f"a dump is running: {who}: {where}", remedy="begin when it is done"
        )
    return Concern(
        kind="wraparound_vacuum",
        severity="wait",
        message=f"autovacuum is at work to prevent wraparound, and gives way to nobody: {who}: {where}",
        remedy="begin when it is done; cancelled, it would begin again at once",
    )


def _autovacuum(who: str, where: str, able: Capabilities) -> Concern:
    remedy = "nothing: the executor makes it give way"
    if not able.sets_deadlock_timeout:
        remedy = next(missing.remedy for missing in able.missing if missing.what == "deadlock_timeout")
    if not able.sees_sessions:
        return Concern(
            kind="autovacuum",
            severity="unknown",
            message="autovacuum is at work, and this role may not see whether it is to prevent wraparound: "
            f"{who}: {where}",
            remedy="GRANT pg_read_all_stats (or pg_monitor) to this role",
        )
    return Concern(kind="autovacuum", severity="warn", message=f"autovacuum is at work: {who}: {where}", remedy=remedy)


def _snapshot(pid: int, who: str, age: float | None, max_age_s: float) -> list[Concern]:
    remedy = f"let it end, or ask its owner; SELECT pg_terminate_backend({pid}) ends it"
    if age is None:
        message = (
            f"{who} has a snapshot, and this role may not see how old it is: building concurrently waits for its end"
        )
        return [Concern(kind="old_snapshot", severity="unknown", message=message, remedy=remedy)]
    if age <= max_age_s:
        return []
    message = (
        f"{who} has an old snapshot: building concurrently would wait for its end, and leave half an index if stopped"
    )
    return [Concern(kind="old_snapshot", severity="wait", message=message, remedy=remedy)]


async def _backfills(connection: AsyncConnection[Any], plan: Plan) -> list[Concern]:
    """Backfills that will be refused when it is their turn are refused now."""
    found = []
    for step in plan.steps:
        if step.kind != "backfill" or step.backfill is None:
            continue
        try:
            Ranges(step, await find_target(connection, step))
        except GuardRefused as error:
            # The table, or its key, may be made by an earlier step.
            first = plan.steps[0].id == step.id
            severity: Severity = "refuse" if first else "warn"
            found.append(Concern(kind="backfill", severity=severity, message=error.message, remedy=error.next))
    return found
