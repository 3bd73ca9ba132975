"""A PostgreSQL server for a while: started on a new data directory, gone with everything it wrote.

All of this is synchronous; `dflint.postgres.server` is the asynchronous door.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache as cache_result
from pathlib import Path
from types import TracebackType
from typing import Self

from dflint.model.errors import ServerError
from dflint.plugin.servers import Provider
from dflint.postgres import registry
from dflint.postgres.directories import cache_directory, scratch_root, socket_root
from dflint.postgres.identity import Identity, identities
from dflint.postgres.programs import Programs, Trial, environment
from dflint.postgres.providers import PROVIDERS, Usable, find
from dflint.postgres.template import SUPERUSER, instantiate

#: Nothing here has to survive a crash; what statements do and lock is as ever. WAL level and the like stay as they
#: are by default, because they change what is rewritten and how much is logged.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "2GB",
    "max_connections": "50",
    "max_locks_per_transaction": "256",
    "password_encryption": "scram-sha-256",
    # In the data directory, so that nothing stays in /dev/shm after a kill.
    "dynamic_shared_memory_type": "mmap",
}

#: How long a server may take to come up or go down, seconds.
_PATIENCE = 60.0
_TRIES_FOR_A_PORT = 5


class Scratch:
    """One server. ``with Scratch() as scratch:`` starts it and takes it away.

    Attributes:
        usable: which PostgreSQL it is, after `prepare`.
        folder: everything the server writes is below it: ``data``, ``log``.
        port: TCP port on 127.0.0.1, or the number in the socket's name.
        password: the superuser's, asked for over TCP only.
    """

    usable: Usable
    _programs: Programs
    folder: Path
    data: Path
    sockets: Path
    password: str
    port: int = 5432

    def __init__(
        self,
        major: int | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        tcp: bool = False,
        in_memory: bool | None = None,
        providers: Iterable[Provider] | None = None,
        candidates: Sequence[Identity] | None = None,
        cache: Path | None = None,
    ) -> None:
        """Say what is wanted; nothing happens before `prepare`.

        Args:
            major: the major version; None: the first that is found.
            settings: more of ``postgresql.conf``; they win over dflint's own.
            tcp: listen on 127.0.0.1 too, with a password.
            in_memory: keep the data in memory; None: if there is a file system in memory with room.
            providers: where PostgreSQL is looked for; None: where dflint knows.
            candidates: as whom to run it; None: as `dflint.postgres.identity.identities` says.
            cache: what outlives the run; None: the user's cache directory.
        """
        self._major = major
        self._settings = {**SETTINGS, **(settings or {})}
        self._tcp = tcp
        self._in_memory = in_memory
        self._providers = PROVIDERS if providers is None else tuple(providers)
        self._candidates = candidates
        self._cache = cache
        self._claim: registry.Claim | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Find PostgreSQL and make a data directory; clear up what killed runs left.

        Raises:
            NoServer: there is no usable PostgreSQL.
            ServerError: initdb failed, or there is no place for files.
        """
        try:
            self._prepare()
        except OSError as error:
            raise ServerError(
                f"the files of a server cannot be written: {error}",
                remedy="make room, or set TMPDIR and XDG_CACHE_HOME to other places",
            ) from error

    def _prepare(self) -> None:
        cache = self._cache or cache_directory()
        registry.sweep(cache / "servers")
        found = self.usable = find(self._major, self._providers)
        with Trial(found.installation, self._candidates or identities()) as trial:
            claim = self._claim = registry.Claim(cache / "servers")
            root = scratch_root(in_memory=self._in_memory, reachable_by_others=os.geteuid() == 0)
            self.folder = claim.folder(root)
            self.data = self.folder / "data"
            claim.note_data(self.data)
            short = socket_root(self.folder)
            self.sockets = self.folder if short == self.folder else claim.folder(short)

            # While the trial runs, the template is copied.
            programs = cache_result(lambda: trial.outcome(lambda: claim.folder(root)))
            self.password = instantiate(found, programs, cache, self.data, lambda: claim.folder(root))
            self._programs = programs()
        for folder in {self.folder, self.sockets}:
            self._programs.give(folder)

    def start(self) -> None:
        """Start the postmaster and wait until it lets sessions in.

        Call it in a thread that lives as long as the server: the kernel ends the postmaster with it.

        Raises:
            ServerError: it does not come up.
        """
        for attempt in range(_TRIES_FOR_A_PORT if self._tcp else 1):
            if self._tcp:
                self.port = _free_port()
            self._configure()
            self._spawn()
            if self._wait_ready():
                return
            # Somebody else may have taken the port in between.
            if not self._tcp or "Address already in use" not in self.log_tail() or attempt == _TRIES_FOR_A_PORT - 1:
                break
        raise ServerError(f"{self.usable.full_version} did not start: {self.log_tail()}")

    def close(self) -> None:
        """Stop the server and remove everything; to be called once, also when the start failed."""
        process, self._process = self._process, None
        if process is not None:
            # Immediate shutdown: the data is thrown away.
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def parameters(self, database: str) -> dict[str, str]:
        """Connection parameters of libpq for a session over the socket.

        Those that a user's environment could turn elsewhere are set too.
        """
        return {
            "host": str(self.sockets),
            "port": str(self.port),
            "user": SUPERUSER,
            "dbname": database,
            "options": "",
            "client_encoding": "UTF8",
        }

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "log"

    def log_tail(self) -> str:
        """The end of the log, for messages."""
        try:
            return self.log.read_text("utf-8", "replace")[-2000:].strip()
        except OSError:
            return "there is no log"

    def _configure(self) -> None:
        own = {
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": str(self.port),
            # A list: the quotes keep a path with a comma together.
            "unix_socket_directories": f'"{self.sockets}"',
        }
        lines = [f"{name} = '{_escape(value)}'\n" for name, value in {**self._settings, **own}.items()]
        # The defaults that initdb found stay in the file above these lines.
        path = self.data / "postgresql.conf"
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(["\n", *lines])

    def _spawn(self) -> None:
        assert self._claim is not None
        command = self._programs.command("postgres", "-D", str(self.data))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                cwd="/",
                # Control-C in a terminal is for dflint, which then stops the server.
                start_new_session=True,
            )
        self._claim.note_postmaster(self._process.pid)

    def _wait_ready(self) -> bool:
        """Whether the postmaster says in its file that sessions are let in; False when it ended instead."""
        assert self._process is not None
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._process = None
                return False
            try:
                lines = (self.data / "postmaster.pid").read_bytes().split(b"\n")
            except OSError:
                lines = []
            # The eighth line is the status, as pg_ctl reads it.
            if len(lines) > 7 and lines[7].strip() == b"ready":
                return True
            time.sleep(0.003)
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
