"""Looking at a session's locks while its statement runs: a loop inside the server, which misses the least."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, errors

from dflint.model.locks import stronger
from dflint.trace.observe_relations import SPELLING

# A transaction of its own for each look: a long one would have a snapshot that CREATE INDEX CONCURRENTLY waits for. A
# setting of the session is what outlives the cancelled loop.
_LOOP = """
do $$
declare now text; last text;
begin
  loop
    select string_agg(distinct relation || ':' || mode, ',') into now from pg_locks
    where pid = {pid} and granted and locktype = 'relation'
      and database = (select oid from pg_database where datname = current_database());
    if now is distinct from last then
      perform set_config('dflint.seen', current_setting('dflint.seen') || ',' || coalesce(now, ''), false);
      last := now;
    end if;
    commit;
  end loop;
end $$
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
    loop = asyncio.ensure_future(observer.execute(_LOOP.format(pid=int(worker.info.backend_pid)).encode()))
    try:
        while not loop.done() and not await _is_running(worker, observer):
            await asyncio.sleep(0)
        yield watched
    finally:
        while not loop.done():
            await worker.execute(b"select pg_cancel_backend(%s)", (observer.info.backend_pid,))
            await asyncio.wait([loop], timeout=0.1)
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
