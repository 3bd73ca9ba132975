"""Queries that stand for what the application does, and how long they take."""

from __future__ import annotations

import time
from itertools import cycle
from typing import Any

from dflint.guard.queries import LookingSession
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.plugin.validators import APPLICATION_SCHEMAS, Measure, QueryError, TableName

#: How many tables are looked up in, and how many keys of each.
_TABLES, _KEYS = 5, 20

#: In seconds: a query that takes longer has stalled.
_STALLED = 10.0

_TOP_STATEMENTS = """
select query from pg_stat_statements s join pg_database d on d.oid = s.dbid
where d.datname = current_database() and query ~* '^\\s*select\\y' and query !~ '\\$[0-9]'
  and query !~* '\\yfor\\s+(update|share)' and query !~* 'pg_(stat|catalog|sleep)'
order by total_exec_time desc limit 10
"""

_WITH_KEYS = """
select n.nspname::text, c.relname::text,
  array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality u(num, place)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = u.num order by u.place)
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relkind in ('r', 'p') and not c.relispartition and has_table_privilege(c.oid, 'select') and {scope}
order by pg_table_size(c.oid) desc, 1, 2 limit {limit}
"""


class ApplicationWorkload:
    """The queries that the user gives; else the top statements that the server has seen; else lookups by primary key.

    Attributes:
        origin: which of these, in words.
    """

    def __init__(
        self, session: LookingSession, tables: tuple[TableName, ...] = (), given: tuple[str, ...] = ()
    ) -> None:
        """Say where and what; nothing is read before the first measurement.

        Args:
            session: runs the queries.
            tables: whose rows to look up; empty: the largest tables'.
            given: the user's own queries.
        """
        self.origin = "not chosen yet"
        self._session = session
        self._tables = tables
        self._given = given
        self._queries: list[str] | None = None

    async def measure(self, seconds: float) -> Measure | None:
        """Run the queries one after the other for so long, and each at least once.

        Raises:
            QueryError: one failed.
        """
        if self._queries is None:
            self._queries = await self._chosen()
        if not self._queries:
            return None
        taken = list[float]()
        end = time.perf_counter() + seconds
        for query in cycle(self._queries):
            began = time.perf_counter()
            await self._session.rows(query, _STALLED)
            now = time.perf_counter()
            taken.append((now - began) * 1000)
            if now >= end:
                break
        return _measure(taken)

    async def _chosen(self) -> list[str]:
        if self._given:
            self.origin = "the queries given"
            return list(self._given)
        if top := await self._top_statements():
            self.origin = "the statements that took the server most time (pg_stat_statements)"
            return top
        lookups = await self._lookups()
        self.origin = "lookups by primary key" if lookups else "nothing: no table has a primary key and rows"
        return lookups

    async def _top_statements(self) -> list[str]:
        """Those without parameters: what values the others ran with is not known."""
        try:
            found = [query for (query,) in await self._session.rows(_TOP_STATEMENTS)]
        except QueryError:
            return []
        return [query for query in found if await self._runs(query)]

    async def _runs(self, query: str) -> bool:
        try:
            await self._session.rows(query, 2.0)
        except QueryError:
            return False
        return True

    async def _lookups(self) -> list[str]:
        found = list[str]()
        scope = APPLICATION_SCHEMAS
        if self._tables:
            named = ", ".join(f"({quote_literal(schema)}, {quote_literal(name)})" for schema, name in self._tables)
            scope = f"(n.nspname, c.relname) in ({named})"
        for schema, name, key in await self._session.rows(_WITH_KEYS.format(scope=scope, limit=_TABLES)):
            table = f"{quote_identifier(schema)}.{quote_identifier(name)}"
            columns = ", ".join(quote_identifier(column) for column in key)
            texts = ", ".join(f"{quote_identifier(column)}::text" for column in key)
            for values in await self._session.rows(f"select {texts} from {table} order by {columns} limit {_KEYS}"):
                found.append(f"select * from {table} where {_equal(key, values)}")
        return found


def _equal(key: list[str], values: tuple[Any, ...]) -> str:
    return " and ".join(
        f"{quote_identifier(column)} = {quote_literal(value)}" for column, value in zip(key, values, strict=True)
    )


def _measure(taken: list[float]) -> Measure:
    ordered = sorted(taken)

    def percentile(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    total = sum(taken) / 1000
    return Measure(
        p50_ms=percentile(0.50),
        p95_ms=percentile(0.95),
        p99_ms=percentile(0.99),
        rate=len(taken) / total if total else 0.0,
        count=len(taken),
        longest_ms=ordered[-1],
    )
