"""Looking at a session's locks while its statement runs: a loop inside the server, which misses the least.

Some statements take a lock just before one of their commits and hold it for microseconds. On a server with the settings
`COMMITS_WAIT` the watched session's commits wait for a standby that does not exist, with all their locks, until the
loop has seen them and lets the session go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, errors

from dflint.model.locks import stronger
from dflint.trace.observe_relations import SPELLING

#: Server settings with which commits of watched statements wait to be seen. Other sessions' commits do not wait unless
#: they set synchronous_commit themselves.
COMMITS_WAIT: Mapping[str, str] = {"synchronous_standby_names": "dflint_watches_commits", "synchronous_commit": "off"}

# A transaction of its own for each look: a long one would have a snapshot that CREATE INDEX CONCURRENTLY waits for. A
# setting of the session is what outlives the cancelled loop. Cancelling a wait for a standby ends the wait alone; each
# commit's is cancelled once, as a second signal could meet the statement itself, and after what was seen has been
# committed, as the loop may be ended right after.
_LOOP = """
do $$
declare now text; last text; waiting boolean; this xid; done xid;
begin
  loop
    select wait_event = 'SyncRep', backend_xid into waiting, this from pg_stat_get_activity({pid});
    select string_agg(distinct relation || ':' || mode, ',') into now from pg_locks
    where pid = {pid} and granted and locktype = 'relation'
      and database = (select oid from pg_database where datname = current_database());
    if now is distinct from last then
      perform set_config('dflint.seen', current_setting('dflint.seen') || ',' || coalesce(now, ''), false);
      last := now;
    end if;
    commit;
    if waiting and this is distinct from done then
      perform pg_cancel_backend({pid});
      done := this;
      commit;
    end if;
  end loop;
end $$
"""

# Only where nobody but the loop can end the wait and only the loop has to.
_COMMITS = b"""
select set_config('synchronous_commit', %s, false)
where current_setting('synchronous_standby_names') = 'dflint_watches_commits'
"""


class Watched:
    """The strongest mode seen on each relation, by OID, in SQL spelling; complete when the watching has ended."""

    def __init__(self) -> None:
        self.locks: dict[int, str] = {}

    def add(self, seen: str) -> None:
        """Add what the loop saw, as it wrote it down."""
        for each in filter(None, seen.split(",")):
            oid, _, mode = each.partition(":")
            spelled = SPELLING[mode]
            self.locks[int(oid)] = stronger(self.locks.get(int(oid), spelled), spelled)


@asynccontextmanager
async def watching(worker: AsyncConnection[Any], observer: AsyncConnection[Any]) -> AsyncIterator[Watched]:
    """Watch the locks of ``worker`` for as long as the context lasts; ``observer`` is busy with it."""
    watched = Watched()
    await observer.execute(b"select set_config('dflint.seen', '', false)")
    await worker.execute(_COMMITS, ("on",))
    loop = asyncio.ensure_future(observer.execute(_LOOP.format(pid=int(worker.info.backend_pid)).encode()))
    try:
        while not loop.done() and not await _is_running(worker, observer):
            await asyncio.sleep(0)
        yield watched
    finally:
        while not loop.done():
            await worker.execute(b"select pg_cancel_backend(%s)", (observer.info.backend_pid,))
            await asyncio.wait([loop], timeout=0.1)
        await worker.execute(_COMMITS, ("off",))
        with suppress(errors.QueryCanceled):
            await loop
    cursor = await observer.execute(b"select current_setting('dflint.seen')")
    row = await cursor.fetchone()
    watched.add("" if row is None else row[0])


async def _is_running(worker: AsyncConnection[Any], observer: AsyncConnection[Any]) -> bool:
    cursor = await worker.execute(
        b"select from pg_stat_activity where pid = %s and state = 'active' and query ~ '^\\s*do '",
        (observer.info.backend_pid,),
    )
    return await cursor.fetchone() is not None
