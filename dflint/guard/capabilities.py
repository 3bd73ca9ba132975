"""What the role of a session may see and do, found by trying.

Managed servers take rights away from their users in ways of their own, so nothing is concluded from the name of a role:
each function is called, each view is read.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.sql import SQL


class Missing(Struct, frozen=True, kw_only=True):
    """Something that this role cannot see or do.

    Attributes:
        what: a short name: ``waiters``, ``sessions``, ``lag``, …
        message: what cannot be seen or done, and what follows from it.
        remedy: how to change that.
        refuses: what then cannot be watched must not be run: steps that stop readers or writers.
    """

    what: str
    message: str
    remedy: str
    refuses: bool = False


class Capabilities(Struct, frozen=True, kw_only=True):
    """What this role may see and do.

    Attributes:
        role: its name.
        superuser: it may do everything.
        service: the managed service that the server seems to belong to, by its administrators' role; None: none known.
        sees_waiters: which sessions wait for which; without it no step runs that stops readers or writers.
        sees_sessions: state, age and statement of other roles' sessions.
        sees_prepared: prepared transactions.
        sees_replicas: that there are replicas.
        sees_lag: how far they are behind.
        sees_wal: the position in the write-ahead log.
        cancels: may ask the server to cancel its own statements; without it the client's cancel request is used.
        sets_deadlock_timeout: may change deadlock_timeout of its session.
        missing: everything it lacks, in words.
    """

    role: str
    superuser: bool
    service: str | None = None
    sees_waiters: bool = True
    sees_sessions: bool = True
    sees_prepared: bool = True
    sees_replicas: bool = True
    sees_lag: bool = True
    sees_wal: bool = True
    cancels: bool = True
    sets_deadlock_timeout: bool = False
    missing: tuple[Missing, ...] = ()


#: Administrators' roles by which managed services are known.
_SERVICES: Final = {
    "rds_superuser": "Amazon RDS or Aurora",
    "cloudsqlsuperuser": "Google Cloud SQL",
    "alloydbsuperuser": "Google AlloyDB",
    "azure_pg_admin": "Azure Database for PostgreSQL",
    "supabase_admin": "Supabase",
    "neon_superuser": "Neon",
}

_ROLE = """
    SELECT current_user::text, r.rolsuper, pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
           (SELECT array_agg(s.rolname::text) FROM pg_catalog.pg_roles s WHERE s.rolname = ANY (%s))
      FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
    """

#: What is tried, by the name of the field that says whether it works.
_TRIALS: Final = {
    # The rows of pg_locks are everybody's to see, as long as nobody takes the functions away.
    "sees_waiters": "SELECT pg_catalog.pg_blocking_pids(pg_catalog.pg_backend_pid()), count(*) "
    "FROM pg_catalog.pg_locks",
    "sees_prepared": "SELECT count(*) FROM pg_catalog.pg_prepared_xacts",
    "sees_replicas": "SELECT count(*) FROM pg_catalog.pg_stat_replication",
    "sees_wal": "SELECT pg_catalog.pg_current_wal_lsn()",
    # Of this very session, and never executed: the right is checked when the statement is prepared to run.
    "cancels": "SELECT pg_catalog.pg_cancel_backend(0) WHERE pg_catalog.pg_backend_pid() = 0",
    "sets_deadlock_timeout": "SELECT pg_catalog.set_config('deadlock_timeout', setting, true) "
    "FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'",
}

_MISSING: Final = {
    "sees_waiters": Missing(
        what="waiters",
        message="this role may not see who waits for whom: it could not be told that a step makes others wait",
        remedy="GRANT EXECUTE ON FUNCTION pg_blocking_pids(int), pg_lock_status() to this role",
        refuses=True,
    ),
    "sees_sessions": Missing(
        what="sessions",
        message="this role may not see what other roles' sessions do: who is in the way is named by process number "
        "only, and how old other transactions are is unknown",
        remedy="GRANT pg_read_all_stats (or pg_monitor) to this role",
    ),
    "sees_prepared": Missing(
        what="prepared_transactions",
        message="this role may not see prepared transactions: whether one is in the way is unknown",
        remedy="GRANT EXECUTE ON FUNCTION pg_prepared_xact() to this role",
    ),
    "sees_replicas": Missing(
        what="replicas",
        message="this role may not see replicas: whether there are any, and how far they are behind, is unknown",
        remedy="GRANT EXECUTE ON FUNCTION pg_stat_get_wal_senders() and pg_read_all_stats to this role",
    ),
    "sees_lag": Missing(
        what="lag",
        message="this role may not see how far replicas are behind: backfills are paced by their own work only",
        remedy="GRANT pg_read_all_stats (or pg_monitor) to this role",
    ),
    "sees_wal": Missing(
        what="wal",
        message="this role may not see the position in the write-ahead log: the lag of replicas in bytes is unknown",
        remedy="GRANT EXECUTE ON FUNCTION pg_current_wal_lsn() to this role",
    ),
    "cancels": Missing(
        what="cancel",
        message="this role may not call pg_cancel_backend: statements of its own are cancelled by the client's "
        "request, which cannot make sure that it reaches the statement that it is meant for",
        remedy="GRANT EXECUTE ON FUNCTION pg_cancel_backend(int) to this role",
    ),
    "sets_deadlock_timeout": Missing(
        what="deadlock_timeout",
        message="this role may not change deadlock_timeout: autovacuum gives way only to an attempt that waits "
        "longer than that, which is made at most once a minute",
        remedy="from 15 on: GRANT SET ON PARAMETER deadlock_timeout to this role",
    ),
}


async def capabilities(connection: AsyncConnection[Any]) -> Capabilities:
    """What the connection's role may see and do.

    Args:
        connection: autocommit, outside a transaction.

    Raises:
        psycopg.OperationalError: the connection is lost.
    """
    assert connection.info.transaction_status is TransactionStatus.IDLE
    cursor = connection.cursor(row_factory=tuple_row)
    row = await (await cursor.execute(_ROLE, [list(_SERVICES)])).fetchone()
    assert row is not None
    role, superuser, reads_all_stats, services = row
    found = {name: await _works(connection, trial) for name, trial in _TRIALS.items()}
    found["sees_sessions"] = superuser or reads_all_stats
    found["sees_lag"] = found["sees_sessions"] and found["sees_replicas"]
    lacking = [missing for name, missing in _MISSING.items() if not found[name]]
    if not found["sees_replicas"]:
        lacking = [missing for missing in lacking if missing.what != "lag"]
    return Capabilities(
        role=role,
        superuser=superuser,
        service=_SERVICES[services[0]] if services else None,
        missing=tuple(lacking),
        **found,
    )


async def _works(connection: AsyncConnection[Any], trial: str) -> bool:
    try:
        await connection.execute(SQL(trial))
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return True
