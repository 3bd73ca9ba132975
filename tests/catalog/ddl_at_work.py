"""A process that changes a schema without pause, and watches who waits for whom.

PostgreSQL itself says who waits for the reader, so that a busy machine, on which everything takes long, is not taken
for a reader that stands in the way.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import closing

import psycopg

#: Whether one of the workers is blocked by the reader, and the reader by anybody.
_WAITING = b"""
SELECT reader.query,
       EXISTS (SELECT FROM pg_stat_activity AS worker
               WHERE worker.application_name = 'worker' AND reader.pid = ANY (pg_blocking_pids(worker.pid))),
       cardinality(pg_blocking_pids(reader.pid)) > 0
FROM pg_stat_activity AS reader WHERE reader.application_name = 'reader'
"""


class Wait:
    """The longest wait of one sort.

    Attributes:
        seconds: between the first and the last of the looks in a row that found somebody waiting.
        query: what the reader was at.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.query = ""
        self._since: float | None = None

    def note(self, query: str, *, waiting: bool) -> None:
        """Take in one look."""
        now = time.monotonic()
        if not waiting:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since > self.seconds:
            self.seconds, self.query = now - self._since, " ".join(query.split())


class Watch:
    """Looks at the server until told to stop."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.for_the_reader = Wait()
        self.of_the_reader = Wait()

    def listen(self) -> None:
        """Stop at the first line of input."""
        sys.stdin.readline()
        self.stop.set()

    def run(self, dsn: str) -> None:
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            while not self.stop.is_set():
                query, for_it, of_it = connection.execute(_WAITING).fetchone() or ("", False, False)
                self.for_the_reader.note(query, waiting=for_it)
                self.of_the_reader.note(query, waiting=of_it)
                time.sleep(0.002)


class Worker(threading.Thread):
    """A session that runs statements, one transaction each, with hardly a pause, until told to stop."""

    def __init__(self, dsn: str, statements: Iterable[str], stop: threading.Event) -> None:
        super().__init__()
        self.connection = psycopg.connect(dsn, autocommit=True, application_name="worker")
        self.statements = statements
        self.stop = stop
        self.done = 0

    def run(self) -> None:
        with closing(self.connection):
            for statement in self.statements:
                if self.stop.is_set():
                    return
                self.connection.execute(statement.encode())
                self.done += 1
                time.sleep(0.005)


def alterations(tables: int) -> Iterable[str]:
    """Statements that take ACCESS EXCLUSIVE or SHARE UPDATE EXCLUSIVE, spread over all tables."""
    for number in itertools.count():
        table = f"t{number * 7 % tables}"
        yield f"alter table {table} alter c set default 1"
        yield f"alter table {table} alter b set statistics 50"


def builds() -> Iterable[str]:
    """Statements that wait for old snapshots."""
    return itertools.cycle(("drop index concurrently if exists lone_a", "create index concurrently lone_a on lone (a)"))


def main(dsn: str, tables: int) -> None:
    watch = Watch()
    workers = [Worker(dsn, statements, watch.stop) for statements in (alterations(tables), builds())]
    threads = [*workers, threading.Thread(target=watch.run, args=(dsn,)), threading.Thread(target=watch.listen)]
    for thread in threads:
        thread.start()
    print("working", flush=True)
    for thread in threads:
        thread.join()
    found = {
        "alterations": workers[0].done,
        "builds": workers[1].done,
        "longest_wait_for_the_reader": watch.for_the_reader.seconds,
        "waited_for": watch.for_the_reader.query,
        "longest_wait_of_the_reader": watch.of_the_reader.seconds,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
