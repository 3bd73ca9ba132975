"""The use case of ``dflint trace``: run a command, or migration files, on a server and see what happens."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from dflint.app.discovery import History, discover
from dflint.app.effects import predict
from dflint.app.request import NEWEST_VERSION
from dflint.app.traced_files import Planned, plan
from dflint.catalog.reader import read_catalog
from dflint.model.catalog import Catalog
from dflint.model.effect import StatementEffects
from dflint.model.errors import InputError, SourceError
from dflint.model.session import Session
from dflint.model.trace import Trace, TracedTransaction
from dflint.plugin.manager import Plugins, load
from dflint.plugin.sources import Source
from dflint.postgres import Server, start_server
from dflint.postgres.providers import with_plugins
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.trace.fill import fill
from dflint.trace.given_database import refuse_unless_empty
from dflint.trace.record import record
from dflint.trace.rerun import Rerun
from dflint.trace.schema_load import load_schema
from dflint.trace.server_log import logging_settings

#: Databases on the server: what there is beforehand, where the command works, and where statements are observed.
_BASE = "dflint_base"
_WORK = "dflint_trace"
_OBSERVED = "dflint_observed"

#: Told what is being done, in one line each.
Progress = Callable[[str], None]


class TraceRequest(Struct, frozen=True, kw_only=True):
    """A trace run, settled.

    Attributes:
        command: program and arguments to run; empty: run ``paths``.
        paths: migration files and directories.
        database: connection string of a server's database to use instead of starting a server; files only.
        expendable: what is in ``database`` may be changed.
        schema: an SQL script that makes what exists beforehand, such as a dump.
        history: a directory of migrations to be run beforehand.
        rows: how many rows every table that is empty gets beforehand.
        environment: more variables for the command; see `dflint.trace.record.environment`.
        observe: run a command's statements again, and observe each.
        runner, runner_version, assume_in_transaction: as in `dflint.app.request.LintRequest`.
        pg_version: major version of the server to start; None: the first that is found.
        plugins: import names of plugin modules.
        stdout: file descriptor for the command's output; None: stdout.
    """

    command: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    database: str | None = None
    expendable: bool = False
    schema: str | None = None
    history: str | None = None
    rows: int = 0
    environment: dict[str, str] = {}
    observe: bool = True
    runner: str | None = None
    runner_version: str | None = None
    assume_in_transaction: bool = False
    pg_version: int | None = None
    plugins: tuple[str, ...] = ()
    stdout: int | None = None


async def trace(request: TraceRequest, plugins: Plugins, progress: Progress) -> Trace:
    """Run what the request names and see what happens.

    Args:
        request: complete; relative paths are relative to the working directory.
        plugins: as `Plugins` registered them.
        progress: told what is being done.

    Raises:
        InputError: a path does not exist, options contradict each other, or a given database is not to be changed.
        ServerError: there is no server, or it fails.
    """
    _check(request)
    run = _Run(request, plugins, progress)
    return await (run.command() if request.command else run.files())


def _check(request: TraceRequest) -> None:
    if bool(request.command) == bool(request.paths):
        raise InputError("give either migration files or, after --, a command", remedy="see dflint trace --help")
    given = [name for name in ("database", "schema", "history") if getattr(request, name) is not None]
    if len(given) > 1:
        options = {"database": "--db", "schema": "--schema", "history": "--history"}
        raise InputError(f"{' and '.join(options[name] for name in given)} contradict each other")
    if request.command and request.database is not None:
        raise InputError(
            "--db is for files: what a command does is read from the log of a server that dflint starts",
            remedy="leave --db out; to begin with a certain schema give --schema or --history",
        )


class _Run:
    """One run."""

    def __init__(self, request: TraceRequest, plugins: Plugins, progress: Progress) -> None:
        self._request = request
        self._plugins = plugins
        self._say = progress
        self._parser = Parser(load_library())
        self._remarks: list[str] = []

    async def command(self) -> Trace:
        """Record a command, then observe what it did."""
        request = self._request
        async with self._server(recording=True) as server:
            base = await self._base(server)
            await server.create_database(_WORK, base)
            self._say(f"running {' '.join(request.command)}")
            recording = await record(
                server, _WORK, request.command, self._parser, extra=request.environment, stdout=request.stdout
            )
            transactions = list(recording.transactions)
            if recording.left_open:
                self._remarks.append(f"{recording.left_open} sessions were still open when the command had ended")
            if request.observe and transactions:
                self._say(f"observing {_count(transactions)} statements in {len(transactions)} transactions")
                dsn = await server.create_database(_OBSERVED, base)
                transactions = await self._rerun(server, dsn, transactions, stop=False)
            return Trace(
                pg_version=server.version,
                command=request.command,
                exit_status=recording.exit_status,
                rows=request.rows,
                remarks=tuple(self._remarks),
                transactions=tuple(transactions),
            )

    async def files(self) -> Trace:
        """Run files and observe their statements."""
        request = self._request
        histories = self._chosen(self._histories(request.paths))
        if not histories:
            raise InputError(f"no migrations in {', '.join(request.paths)}")
        transactions: list[TracedTransaction] = []
        async with self._server(recording=False) as server:
            if request.database is not None:
                if not request.expendable:
                    await refuse_unless_empty(server.dsn())
                await self._fill(server.dsn())
            base = await self._base(server)
            for number, history in enumerate(histories):
                # Several histories are several projects.
                dsn = server.dsn()
                if request.database is None:
                    dsn = await server.create_database(f"{_WORK}_{number}", base)
                    if base is None:
                        await self._run_earlier(dsn, history)
                planned = self._planned(history, len(transactions))
                self._say(f"running {_count(planned)} statements of {history.directory.path}")
                transactions += await self._rerun(server, dsn, planned, stop=True)
            return Trace(
                pg_version=server.version,
                files=tuple(h.path(file) for h in histories for file in h.files if file in h.selected),
                rows=request.rows,
                remarks=tuple(self._remarks),
                transactions=tuple(transactions),
            )

    # --- what exists beforehand -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _server(self, *, recording: bool) -> AsyncIterator[Server]:
        request = self._request
        extra = [load(reference) for reference in self._plugins.servers().values()]
        if request.database is None:
            self._say("starting a scratch server")
            _forget_other_servers()
        async with start_server(
            request.pg_version,
            dsn=request.database,
            settings=logging_settings() if recording else None,
            tcp=recording,
            providers=with_plugins(extra),
        ) as server:
            if request.database is None:
                self._say(f"PostgreSQL {server.version} is ready; it and its data are gone afterwards")
            yield server

    async def _base(self, server: Server) -> str | None:
        """The database with what exists beforehand; None when that is nothing."""
        request = self._request
        if request.schema is None and request.history is None:
            return None
        dsn = await server.create_database(_BASE)
        if request.schema is not None:
            self._say(f"loading {request.schema}")
            self._remarks += await load_schema(dsn, request.schema, _read(request.schema), self._parser)
        else:
            assert request.history is not None
            for history in self._chosen(self._histories((request.history,))):
                await self._run_plainly(dsn, history, history.files)
        await self._fill(dsn)
        return _BASE

    async def _fill(self, dsn: str) -> None:
        if self._request.rows:
            self._say(f"filling tables with {self._request.rows:,} rows each")
            self._remarks += await fill(dsn, self._request.rows)

    async def _run_earlier(self, dsn: str, history: History) -> None:
        """Run the files that come before the first one selected."""
        first = next(index for index, file in enumerate(history.files) if file in history.selected)
        await self._run_plainly(dsn, history, history.files[:first])
        await self._fill(dsn)

    async def _run_plainly(self, dsn: str, history: History, files: Sequence[str]) -> None:
        if not files:
            return
        self._say(f"running {len(files)} migrations of {history.directory.path} beforehand")
        planned = self._plan(history, files)
        async with Rerun.on(dsn, observing=False) as rerun:
            for transaction in planned.transactions:
                done = await rerun.run(transaction)
                if done.outcome == "failed":
                    failed = next(statement for statement in done.statements if statement.error is not None)
                    assert failed.error is not None
                    raise InputError(
                        f"a migration that has to run beforehand fails: {failed.error.message}",
                        file=failed.file,
                        line=failed.line,
                        remedy="give what exists with --schema",
                    )

    # --- running --------------------------------------------------------------------------------------------------

    def _histories(self, paths: Sequence[str]) -> list[History]:
        request = self._request
        sources: list[Source] = [load(reference) for reference in self._plugins.sources().values()]
        override = None if request.runner is None else (request.runner, request.runner_version)
        return discover(paths, sources, override)

    def _chosen(self, histories: Sequence[History]) -> list[History]:
        """The histories to run: beside migrations of a runner, loose scripts only when they are named themselves."""
        histories = [history for history in histories if history.selected]
        if all(history.runner.assumed for history in histories):
            return histories
        named = {os.path.abspath(path) for path in self._request.paths}
        chosen = []
        for history in histories:
            paths = {os.path.abspath(history.path(file)) for file in history.selected}
            if not history.runner.assumed or paths <= named:
                chosen.append(history)
            else:
                self._remarks += [f"{os.path.relpath(path)}: not run: no runner's migration" for path in sorted(paths)]
        return chosen

    def _planned(self, history: History, already: int) -> list[TracedTransaction]:
        """The transactions of a history's selected files, numbered from ``already`` + 1."""
        planned = self._plan(history, [file for file in history.files if file in history.selected]).transactions
        return [replace(transaction, id=already + index + 1) for index, transaction in enumerate(planned)]

    def _plan(self, history: History, files: Sequence[str]) -> Planned:
        planned = plan(history, files, self._parser, assume_in_transaction=self._request.assume_in_transaction)
        self._remarks += planned.remarks
        return planned

    async def _rerun(
        self, server: Server, dsn: str, transactions: Sequence[TracedTransaction], *, stop: bool
    ) -> list[TracedTransaction]:
        """Run transactions and observe them.

        Args:
            stop: after the first one that fails; later ones are as they were, and say so.
        """
        predicting = partial(_predict, version=min(server.major, NEWEST_VERSION))
        done: list[TracedTransaction] = []
        async with Rerun.on(dsn, predict=predicting, read_catalog=read_catalog) as rerun:
            for transaction in transactions:
                if stop and done and done[-1].outcome == "failed":
                    left = len(transactions) - len(done)
                    self._remarks.append(f"transactions after the one that failed, which were not run: {left}")
                    break
                done.append(await rerun.run(transaction))
        return done


def _predict(text: str, catalog: Catalog, session: Session, *, version: int) -> Sequence[StatementEffects]:
    return predict(text, catalog, version=version, session=session)


def _count(transactions: Sequence[TracedTransaction]) -> int:
    return sum(len(transaction.statements) for transaction in transactions)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise SourceError(f"the file cannot be read: {error.strerror}", file=path) from error


def _forget_other_servers() -> None:
    """Take libpq's variables out of this process: a service, say, would lead to another server than the scratch one."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
