"""A client in a network of its own, whose cable is cut. For a process in a network namespace of its own:

    unshare --map-root-user --net python -m tests.faults.cable MAJOR idle|sending|running

Both ends of the cable are inside; nothing of the machine's network is touched. It prints how long the server kept the
lock, in seconds.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from psycopg.conninfo import make_conninfo

from dflint.guard.lock import MigrationLockManager
from dflint.postgres import connect
from tests.faults.cluster import Cluster
from tests.faults.processes import OTHER, RUN, worker
from tests.guard.asynchronous import until

HERE, THERE = "10.99.0.1", "10.99.0.2"


def ip(*arguments: str, inside: int | None = None) -> None:
    enter = [] if inside is None else ["nsenter", "--target", str(inside), "--net"]
    subprocess.run([*enter, "ip", *arguments], check=True)


def lay_cable(client: int) -> None:
    """To the network of a process."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "name", "server0", "type", "veth", "peer", "name", "client0")
    ip("link", "set", "client0", "netns", str(client))
    ip("addr", "add", f"{HERE}/24", "dev", "server0")
    ip("link", "set", "server0", "up")
    ip("addr", "add", f"{THERE}/24", "dev", "client0", inside=client)
    ip("link", "set", "client0", "up", inside=client)


async def _runs(dsn: str) -> bool:
    async with await connect(dsn, autocommit=True) as look:
        cursor = await look.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        return await cursor.fetchone() == (1,)


async def main(major: str, when: str) -> None:
    action = ("hold",) if when == "idle" else ("alone", "SELECT pg_sleep(600)")
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; read _"], stdin=-1, stdout=-1) as client:
        assert client.stdout is not None
        client.stdout.readline()
        lay_cable(client.pid)
        with Cluster(int(major), address=HERE) as cluster:
            dsn = cluster.new_database()
            far = make_conninfo(dsn, host=HERE)
            enter = ("nsenter", "--target", str(client.pid), "--net")
            async with worker(far, RUN, *action, through=enter) as one:
                await one.until("held" if when == "idle" else "running")
                if when == "running":
                    await until(lambda: _runs(dsn))
                ip("link", "set", "client0", "down", inside=client.pid)
                cut = time.monotonic()
                async with MigrationLockManager(dsn, run_id=OTHER).acquire_migration_lock(timeout_seconds=120):
                    print(time.monotonic() - cut)
        client.kill()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
