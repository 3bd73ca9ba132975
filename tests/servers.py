"""Servers of several majors for tests: started when first asked for, once in each test process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from dflint.plugin.servers import Installation
from dflint.postgres.providers import embedded_wheel, named_directory
from dflint.postgres.scratch import Scratch
from dflint.trace.observe_meanwhile import COMMITS_WAIT
from tests import fetch_servers
from tests.fetch_servers import MAJORS

#: What `@pytest.mark.majors(...)` may say.
CHOICES = {"newest": MAJORS[-1:], "oldest": MAJORS[:1], "ends": (MAJORS[0], MAJORS[-1]), "all": MAJORS}


def installation(major: int) -> Installation | None:
    """Where the tests' PostgreSQL of a major is; None when it is not here, or not wanted.

    The newest comes with the test dependencies, the others were fetched. ``DFLINT_TEST_MAJORS=13,18`` leaves out the
    rest.
    """
    wanted = os.environ.get("DFLINT_TEST_MAJORS")
    if wanted and str(major) not in wanted.split(","):
        return None
    if major == MAJORS[-1]:
        for provider in (named_directory, embedded_wheel):
            for found in provider():
                return found
    try:
        binaries = fetch_servers.installed(major)
    except fetch_servers.Unavailable:
        return None
    if binaries is None:
        return None
    # The other package's programs know where their libraries are.
    library = None if binaries.parent.name == "native" else str(binaries.parent / "lib")
    return Installation("tests", str(binaries), library)


class TestServer:
    """A server of one major, and the databases that one test makes on it.

    Attributes:
        major: its major version.
    """

    __test__ = False
    _numbers = itertools.count()

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.major = scratch.usable.major
        self._databases: list[str] = []

    def dsn(self, database: str = "postgres") -> str:
        """A connection string."""
        return make_conninfo(**self.scratch.parameters(database))

    def new_database(self, template: str = "template0") -> str:
        """The connection string of a fresh database, which goes with the test."""
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self._command(statement + sql.SQL(" STRATEGY file_copy" if self.major >= 15 else ""))
        self._databases.append(name)
        return self.dsn(name)

    def drop_databases(self) -> None:
        """Drop what was made."""
        for name in self._databases:
            self._command(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._databases.clear()

    def _command(self, statement: sql.Composed) -> None:
        with closing(psycopg.connect(self.dsn(), autocommit=True)) as connection:
            connection.execute(statement)


class Servers:
    """The running servers of this test process."""

    def __init__(self) -> None:
        self._running: dict[int, Scratch] = {}

    def start(self, major: int) -> Scratch:
        """The server of a major, started if need be."""
        if major not in self._running:
            found = installation(major)
            assert found is not None, f"PostgreSQL {major} is not here"
            scratch = Scratch(major, providers=[lambda: [found]], settings={"max_connections": "200", **COMMITS_WAIT})
            self._running[major] = scratch.__enter__()
        return self._running[major]

    def stop(self) -> None:
        """Stop them all."""
        while self._running:
            self._running.popitem()[1].close()


def running() -> Iterator[Servers]:
    """Servers for a while."""
    servers = Servers()
    try:
        yield servers
    finally:
        servers.stop()
