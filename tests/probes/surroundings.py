"""A probe in other surroundings: the same statement, with things hung on its tables that may matter to it."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection, Error

from dflint.facts.probes import Probe
from dflint.model.quoting import quote_identifier
from dflint.trace.observe_probe import ProbeServer

_COLUMNS = """
select n.nspname, c.relname, a.attname
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where c.relkind in ('r', 'p', 'm') and a.attnum > 0 and not a.attisdropped
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^pg_temp'
order by 1, 2, a.attnum
"""

_FORMS = [
    "create index around_{n} on {table} ({column})",
    "create index around_{n} on {table} ({column}) where {column} is not null",
    "create unique index around_{n} on {table} ({column})",
    "create index around_{n} on {table} ((({column})::text))",
    "create view around_{n} as select {column} from {table}",
    "create materialized view around_{n} as select {column} from {table}",
    "create table around_{n} () inherits ({table})",
    "create table around_{n} (like {table} including all)",
    "alter table {table} add check ({column} is not null) not valid",
    "alter table {table} add check ({column} is not null)",
    "alter table {table} alter column {column} set statistics 50",
    "alter table {table} add column around_{n} int default 3",
    "alter table {table} add column around_{n} int generated always as identity",
    "create policy around_{n} on {table} using (true)",
    (
        "create function around_{n}() returns trigger language plpgsql as 'begin return new; end'; "
        "create trigger around_{n} after insert on {table} for each row execute function around_{n}()"
    ),
    "create publication around_{n} for table {table}",
    "create sequence around_{n} owned by {table}.{column}",
    (
        "create table around_{n} as select {column} from {table}; "
        "alter table around_{n} add foreign key ({column}) references {table} ({column})"
    ),
    "comment on column {table}.{column} is 'around'",
]


async def surrounded(server: ProbeServer, probe: Probe, rng: Random) -> Probe:
    """The same probe with a few more things in its setup, as far as the server allows them.

    Raises:
        InputError: the probe's own setup fails.
    """
    done: list[str] = []
    async with server.prepared(probe) as prepared:
        session = prepared.observer
        rows = await (await session.execute(_COLUMNS.encode())).fetchall()
        for number in range(rng.randint(1, 3) if rows else 0):
            schema, relation, column = rng.choice(rows)
            table = f"{quote_identifier(schema)}.{quote_identifier(relation)}"
            text = rng.choice(_FORMS).format(n=number, table=table, column=quote_identifier(column))
            try:
                if "references" in text and not await _has_rows(session, table):
                    continue
                await session.execute(text.encode())
            except Error:
                continue
            done.append(f"{text};\n")
    setup = f"{probe.setup}\n;\n" if probe.setup else ""
    return replace(probe, setup=setup + "".join(done), proves=None)


async def _has_rows(session: AsyncConnection[Any], table: str) -> bool:
    """An empty table that refers to another is validated without a look at that one."""
    cursor = await session.execute(f"select from {table} limit 1".encode())
    return await cursor.fetchone() is not None
