"""Servers of a test's own, which may be stopped, crashed, copied and promoted."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from dflint.postgres.scratch import Scratch
from tests.servers import installation

#: What was committed has to survive a crash here.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "restart_after_crash": "on"}


class Cluster(Scratch):
    """``with Cluster(18) as cluster:`` has a server that survives what is done to it.

    Args:
        major: its major version.
        copy_of: a stopped cluster whose files it starts with.
        standby_of: the conninfo of a primary that it follows; its files have to be a copy of it.
        settings: more of ``postgresql.conf``.
        cache: where templates are; in a directory of its own it is a cluster of its own, with another identifier.
        address: listen there too, and let everybody in.
    """

    def __init__(
        self,
        major: int,
        *,
        copy_of: Cluster | None = None,
        standby_of: str | None = None,
        settings: dict[str, str] | None = None,
        cache: Path | None = None,
        address: str | None = None,
    ) -> None:
        found = installation(major)
        assert found is not None
        follows = {} if standby_of is None else {"primary_conninfo": standby_of}
        super().__init__(
            major, providers=[lambda: [found]], settings={**_DURABLE, **(settings or {}), **follows}, cache=cache
        )
        self._copy_of = copy_of
        self._address = address
        self._is_standby = standby_of is not None

    def prepare(self) -> None:
        super().prepare()
        if self._copy_of is None:
            return
        shutil.rmtree(self.data)
        shutil.copytree(self._copy_of.data, self.data)
        if self._is_standby:
            (self.data / "standby.signal").touch()
        for path in [self.data, *self.data.rglob("*")]:
            owner = self._copy_of.data.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def _configure(self) -> None:
        super()._configure()
        if self._address is not None:
            with (self.data / "postgresql.conf").open("a") as stream:
                stream.write(f"listen_addresses = '{self._address}'\n")
            with (self.data / "pg_hba.conf").open("a") as stream:
                stream.write(f"host all all {self._address}/24 trust\n")

    def dsn(self, database: str = "postgres") -> str:
        return make_conninfo(**self.parameters(database))

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{self.port}"

    def stop(self, mode: str = "fast") -> None:
        """As ``pg_ctl stop -m``: ``fast`` or ``immediate``."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        process.wait(60)

    def new_database(self, name: str = "test") -> str:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return self.dsn(name)


@contextmanager
def replicated(major: int) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary, and a standby that follows it."""
    with Cluster(major) as primary:
        primary.new_database()
        primary.stop()
        address = {name: text for name, text in primary.parameters("").items() if text}
        with Cluster(major, copy_of=primary, standby_of=make_conninfo(**address)) as standby:
            primary.start()
            yield primary, standby
