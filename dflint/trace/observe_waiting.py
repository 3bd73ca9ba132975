"""What a statement outside a transaction waits for: run it against a session that holds something.

Looking at the locks while such a statement runs misses short phases. A statement that is held up cannot hide: the
server says which lock it asks for, or that it waits for a transaction although no lock conflicts.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from psycopg import AsyncConnection, Error, sql

from dflint.trace.observe_relations import SPELLING

#: Modes to hold, from the one that stops only the strongest lock to the one that stops all. Others would tell nothing
#: more: whoever is stopped shows the very mode it asks for.
LADDER = ("ACCESS SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE")

#: What it is called to wait for the holder of such a lock although it does not conflict.
HOLDERS = {"ACCESS SHARE": "readers_of_target", "ROW EXCLUSIVE": "writers_of_target"}

#: Between two looks, in seconds, and how often a statement must be seen waiting for the same to be called so.
_POLL, _LOOKS = 0.004, 4

_WAITING = b"select locktype, relation, mode from pg_locks where pid = %s and not granted"

_DAMAGE = {
    "invalid_index": "select count(*) from pg_index where not indisvalid",
    "detach_pending": "select count(*) from pg_inherits where inhdetachpending",
}


class Held(Struct, frozen=True):
    """What another session holds: a lock on the table of that schema and name, or without one an old snapshot."""

    mode: str = ""
    table: tuple[str, str] = ("", "")


class Encounter(Struct, frozen=True):
    """How a statement fared against a holder.

    Attributes:
        outcome: it was done without waiting; it asked for a conflicting lock; it waited for the holder's transaction
            although no lock conflicts. Whatever waited was cancelled.
        mode, relation: the lock it asked for, in SQL spelling, and the OID of what that is on.
        leftover: what it left behind when it was cancelled: invalid_index, detach_pending or "".
    """

    outcome: Literal["done", "conflict", "waits"] = "done"
    mode: str = ""
    relation: int = 0
    leftover: str = ""


async def meet(
    worker: AsyncConnection[Any],
    holder: AsyncConnection[Any],
    observer: AsyncConnection[Any],
    statement: str,
    held: Held,
) -> Encounter:
    """Run ``statement``, which cannot run in a transaction, while ``holder`` holds something.

    All three sessions are in one database, in autocommit mode and idle.

    Raises:
        psycopg.Error: the statement fails by itself.
    """
    before = await _damage(observer)
    await holder.execute(b"begin" if held.mode else b"begin isolation level repeatable read")
    try:
        await holder.execute(_holding(held))
        encounter = await _run(worker, observer, statement)
    finally:
        await holder.rollback()
    after = await _damage(observer)
    return replace(encounter, leftover=next((what for what in after if after[what] > before[what]), ""))


def _holding(held: Held) -> sql.Composed | bytes:
    if not held.mode:
        return b"select from pg_class limit 1"
    spelled = sql.SQL(" in " + held.mode + " mode")
    return sql.SQL("lock table only ") + sql.Identifier(*held.table) + spelled


async def _run(worker: AsyncConnection[Any], observer: AsyncConnection[Any], statement: str) -> Encounter:
    running = asyncio.ensure_future(worker.execute(statement.encode()))
    seen, looks = Encounter(), 0
    while not running.done() and looks < _LOOKS:
        await asyncio.sleep(_POLL)
        now = await _waiting(worker, observer)
        looks = looks + 1 if now == seen and now.outcome != "done" else 0
        seen = now
    if looks == _LOOKS:
        await observer.execute(b"select pg_cancel_backend(%s)", (worker.info.backend_pid,))
    try:
        await running
    except Error as error:
        if error.sqlstate != "57014" or looks < _LOOKS:
            raise
        return seen
    return Encounter()


async def _waiting(worker: AsyncConnection[Any], observer: AsyncConnection[Any]) -> Encounter:
    cursor = await observer.execute(_WAITING, (worker.info.backend_pid,))
    for kind, relation, mode in await cursor.fetchall():
        return Encounter("conflict", SPELLING[mode], relation) if kind == "relation" else Encounter("waits")
    return Encounter()


async def _damage(observer: AsyncConnection[Any]) -> dict[str, int]:
    found = {}
    for what, query in _DAMAGE.items():
        if what == "detach_pending" and observer.info.server_version < 140000:
            continue
        row = await (await observer.execute(query.encode())).fetchone()
        found[what] = 0 if row is None else int(row[0])
    return found
