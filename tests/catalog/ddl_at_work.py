"""A process that changes a schema without pause, and measures how long the reader makes it wait."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import closing

import psycopg

#: Who waits for the session called "reader": PostgreSQL itself says so, however busy the machine is.
_WAITING = """
SELECT count(*) FROM pg_stat_activity AS worker, pg_stat_activity AS reader
WHERE worker.application_name = 'worker' AND reader.application_name = 'reader'
  AND reader.pid = ANY (pg_blocking_pids(worker.pid))
"""


class Watch:
    """The longest time that some statement waited for the reader, in seconds."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.longest = 0.0

    def listen(self) -> None:
        """Stop at the first line of input."""
        sys.stdin.readline()
        self.stop.set()

    def run(self, dsn: str) -> None:
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            since: float | None = None
            while not self.stop.is_set():
                row = connection.execute(_WAITING).fetchone()
                now = time.monotonic()
                if row is None or not row[0]:
                    since = None
                elif since is None:
                    since = now
                else:
                    self.longest = max(self.longest, now - since)
                time.sleep(0.002)


def main(dsn: str, tables: int) -> None:
    watch = Watch()
    watcher = threading.Thread(target=watch.run, args=(dsn,))
    listener = threading.Thread(target=watch.listen)
    watcher.start()
    listener.start()
    statements = 0
    with closing(psycopg.connect(dsn, autocommit=True, application_name="worker")) as worker:
        print("working", flush=True)
        while not watch.stop.is_set():
            for statement in (
                f"alter table t{statements % tables} alter c set default 1",
                "create index concurrently lone_a on lone (a)",
                "drop index concurrently lone_a",
                f"alter table t{statements % tables} alter b set statistics 50",
            ):
                worker.execute(statement.encode())
                statements += 1
    watcher.join()
    print(json.dumps({"statements": statements, "longest_wait_for_the_reader": watch.longest}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
