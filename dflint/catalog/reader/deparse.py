"""Texts that the server must make from its own trees, for which it takes locks.

Measured on 13 to 18: printing an expression that may name columns (`pg_get_expr` with a relation, the definition of a
CHECK, a trigger's WHEN, a policy, an index expression, a partition key) locks the relation ACCESS SHARE while it is
printed, and so waits behind ACCESS EXCLUSIVE; printing a query (`pg_get_viewdef`, an SQL-standard function body)
does so too and keeps the locks of all relations named to the end of the transaction. Everything else that the reader
asks locks no user's object.

So: relations that somebody has locked, or waits to lock, ACCESS EXCLUSIVE are left out at first; the rest is printed
in small batches with short timeouts; a batch that times out is halved; and what is left is tried once more at the end.
A text that takes longer to print than anybody should wait is not to be had.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import psycopg

from dflint.catalog.reader.pieces import in_pieces
from dflint.catalog.reader.session import SQL, Budget, ReaderSession, Row, oid_array

#: Milliseconds for a lock, and for a batch: others wait so long for its locks, or for its snapshot.
_LOCK_MS: Final = 20
_BATCH_MS: Final = 80
#: Objects in a batch.
_FIRST_BATCH: Final = 20
_LARGEST_BATCH: Final = 500

_LOCKED: Final = SQL(
    """
    SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    """
)


class Request(NamedTuple):
    """An object whose text is wanted, and the relations that printing it locks."""

    oid: int
    relations: tuple[int, ...]


class Group(NamedTuple):
    """Objects printed by the same query.

    Attributes:
        what: what they are, for users.
        query: takes a list of the objects' OIDs; its first column is the OID again.
    """

    what: str
    query: SQL
    requests: Sequence[Request]


class Deparsed:
    """What was printed, by group and OID.

    Attributes:
        missing: what could not be had, by group.
        slow: OIDs of what no lock was in the way of: it takes too long to print.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[int, list[Row]]] = {}
        self.missing: dict[str, list[Request]] = {}
        self.slow: set[int] = set()

    def rows(self, what: str, oid: int) -> list[Row]:
        """The rows about an object; none when it could not be read."""
        return self._rows.get(what, {}).get(oid, [])

    def text(self, what: str, oid: int, place: int = 1) -> str | None:
        """The text in one column of the only row about an object."""
        rows = self.rows(what, oid)
        return rows[0][place] if rows else None

    def texts(self, what: str, place: int = 1) -> list[str]:
        """All texts of a group."""
        found = self._rows.get(what, {})
        return [row[place] for rows in found.values() for row in rows if row[place] is not None]

    def add(self, what: str, rows: list[Row]) -> None:
        """Keep the rows of a batch."""
        found = self._rows.setdefault(what, {})
        for row in rows:
            found.setdefault(row[0], []).append(row)


async def deparse(session: ReaderSession, groups: Sequence[Group]) -> Deparsed:
    """Print what the groups want. What could not be had is in ``missing``."""
    printer = _Printer(session)
    left: list[Group] = []
    for group in groups:
        missing = await printer.print_group(group)
        if missing:
            left.append(group._replace(requests=missing))
    for group in left:
        # The locks may be gone by now.
        missing = await printer.print_group(group)
        if missing:
            printer.found.missing[group.what] = missing
    return printer.found


class _Printer:
    def __init__(self, session: ReaderSession) -> None:
        self.session = session
        self.found = Deparsed()
        # What all waits for locks may take together.
        self.waits = Budget(0.6)

    async def print_group(self, group: Group) -> list[Request]:
        """Print a group as far as no lock is in the way; gives what is missing."""
        if not group.requests:
            return []
        locked = await self._locked()
        missing = [request for request in group.requests if not locked.isdisjoint(request.relations)]
        ready = [request for request in group.requests if locked.isdisjoint(request.relations)]
        for start, end in in_pieces(len(ready), first=_FIRST_BATCH, largest=_LARGEST_BATCH):
            missing += await self._print_batch(group, ready[start:end])
        return missing

    async def _locked(self) -> set[int]:
        rows = await self.session.fetch_or_note("the locks of other sessions", _LOCKED)
        return {oid for (oid,) in rows}

    async def _print_batch(self, group: Group, batch: Sequence[Request]) -> list[Request]:
        """Print some objects; where a lock is in the way, halves of them. Gives what is missing."""
        if self.waits.spent:
            return list(batch)
        began, waited = time.monotonic(), False
        try:
            oids = [request.oid for request in batch]
            self.found.add(
                group.what,
                await self.session.fetch(group.query, (oid_array(oids),), timeout_ms=_BATCH_MS, lock_ms=_LOCK_MS),
            )
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            self.waits.take(began)
            waited = isinstance(error, psycopg.errors.LockNotAvailable)
        except psycopg.Error as error:
            if self.session.connection.closed:
                raise
            if len(batch) < 2:
                self.session.note(f"one of the {group.what} could not be read: {error.diag.message_primary}")
                return list(batch)
        else:
            return []
        locked = await self._locked()
        if len(batch) < 2:
            if not waited and locked.isdisjoint(batch[0].relations):
                self.found.slow.add(batch[0].oid)
            return list(batch)
        missing = [request for request in batch if not locked.isdisjoint(request.relations)]
        ready = [request for request in batch if locked.isdisjoint(request.relations)]
        middle = len(ready) // 2
        for half in (ready[:middle], ready[middle:]):
            if half:
                missing += await self._print_batch(group, half)
        return missing
