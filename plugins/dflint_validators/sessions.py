"""How other sessions fare while a migration runs."""

from __future__ import annotations

from typing import Any

from dflint.plugin.validators import QueryError, Situation, Validator, Verdict
from dflint_validators.scope import listed

#: Seconds that a session may wait for a lock, and that one may be idle in an open transaction.
_MAX_WAIT, _MAX_IDLE = 2.0, 60.0

#: Connections that must be left.
_MIN_FREE = 3

_WAITING = """
select a.pid, a.application_name, extract(epoch from clock_timestamp() - a.query_start)::float8, left(a.query, 80),
       pg_blocking_pids(a.pid)
from pg_stat_activity a
where a.datname = current_database() and a.wait_event_type = 'Lock' and a.application_name !~ '^dflint'
order by 3 desc
"""

_IDLE = """
select pid, application_name, extract(epoch from clock_timestamp() - state_change)::float8
from pg_stat_activity
where datname = current_database() and state like 'idle in transaction%' and pid <> pg_backend_pid()
order by 3 desc
"""

_DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"

_CONNECTIONS = """
select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - (select count(*)::int from pg_stat_activity where backend_type in ('client backend', 'walsender')),
       pg_backend_pid(), pg_postmaster_start_time()::text
"""

_ENDED = """
select sessions_fatal, sessions_killed from pg_stat_database where datname = current_database()
"""


async def _transactions(situation: Situation) -> Verdict:
    """Nobody waits long for a lock, no transaction lies about, nobody died of a deadlock."""
    longest = float(situation.options.get("max_wait_seconds", _MAX_WAIT))
    idle = float(situation.options.get("max_idle_in_transaction_seconds", _MAX_IDLE))
    found = []
    for pid, application, waited, query, blockers in await situation.queries.rows(_WAITING):
        if waited is not None and waited > longest:
            by = ", ".join(str(each) for each in blockers) or "nobody any more"
            found.append(f"session {pid} ({application or 'unnamed'}) has waited {waited:.1f} s for {by}: {query}")
    for pid, application, lying in await situation.queries.rows(_IDLE):
        if lying is not None and lying > idle:
            found.append(f"session {pid} ({application or 'unnamed'}) is idle in a transaction for {lying:.0f} s")
    deadlocks = (await situation.queries.rows(_DEADLOCKS))[0][0]
    before = situation.memory.setdefault("deadlocks", deadlocks)
    if deadlocks > before:
        found.append(f"{deadlocks - before} deadlocks since the migration began")
    if found:
        return Verdict(False, listed(found, 2), {"problems": found})
    return Verdict(True, "nobody waits long, no transaction lies about, no deadlock")


async def _connections(situation: Situation) -> Verdict:
    """The server lets sessions in and keeps them."""
    try:
        ((free, pid, started),) = await situation.queries.rows(_CONNECTIONS)
        ((fatal, killed),) = await situation.queries.rows(_ENDED)
    except QueryError as error:
        if error.sqlstate:
            raise
        return Verdict(False, f"the session that watches was lost: {error}")
    was = situation.memory.setdefault("connections", {"pid": pid, "started": started, "ended": (fatal, killed)})
    found, ended = list[str](), was["ended"]
    if started != was["started"]:
        found.append("the server was restarted")
    elif pid != was["pid"]:
        found.append("the session that watches was ended and had to be opened again")
    if fatal > ended[0] or killed > ended[1]:
        found.append(f"{fatal - ended[0] + killed - ended[1]} sessions were ended by an error or an administrator")
    if free < int(situation.options.get("min_free_connections", _MIN_FREE)):
        found.append(f"{max(free, 0)} connections are left")
    details: dict[str, Any] = {"free_connections": free}
    if found:
        return Verdict(False, listed(found), {**details, "problems": found})
    return Verdict(True, f"sessions are kept; {free} connections are left", details)


TRANSACTION_HEALTH = Validator("transaction_health", _transactions, before=_transactions)
CONNECTION_STABILITY = Validator("connection_stability", _connections, before=_connections)
