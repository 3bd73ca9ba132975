"""Running transactions on a server, one statement after another, and observing each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from dflint.model.catalog import Catalog
from dflint.model.effect import StatementEffects
from dflint.model.observation import Observation, SqlError
from dflint.model.session import Session, Setting
from dflint.model.trace import TracedStatement, TracedTransaction
from dflint.postgres import connect
from dflint.trace.compare import Circumstances, differences, prediction_of
from dflint.trace.observe import observe, observe_within, plan_sequentially
from dflint.trace.observe_relations import named_locks, read_locks, read_relations

#: Gives predictions for the statements of a text, one for each, from what exists and the settings in force.
Predict = Callable[[str, Catalog, Session], Sequence[StatementEffects]]

#: Reads what exists.
ReadCatalog = Callable[[AsyncConnection[Any]], Any]

_MOVES_ROWS = frozenset({"select", "insert", "update", "delete", "merge", "copy", "call", "do_block", "dynamic_sql"})

_FAILED_BEFORE = "not run: an earlier statement failed"


class Rerun:
    """Runs transactions in one database.

    A statement that failed when it was recorded is left out; so is what drivers do by themselves.
    """

    def __init__(self, dsn: str, *, observing: bool, predict: Predict | None, read_catalog: ReadCatalog | None) -> None:
        """Say where.

        Args:
            dsn: of the database.
            observing: False only runs the statements.
            predict: None makes no predictions.
            read_catalog: needed with ``predict``.
        """
        self._dsn = dsn
        self._observing = observing
        self._predict = predict
        self._read_catalog = read_catalog
        self._workers: dict[int, AsyncConnection[Any]] = {}
        self._stack = AsyncExitStack()
        self._filled: frozenset[str] = frozenset()
        self._observer: AsyncConnection[Any]

    @classmethod
    @asynccontextmanager
    async def on(
        cls,
        dsn: str,
        *,
        observing: bool = True,
        predict: Predict | None = None,
        read_catalog: ReadCatalog | None = None,
    ) -> AsyncIterator[Rerun]:
        """Sessions for as long as the context lasts; arguments as for the class."""
        rerun = cls(dsn, observing=observing, predict=predict, read_catalog=read_catalog)
        async with rerun._stack:
            rerun._observer = await rerun._stack.enter_async_context(await connect(dsn, autocommit=True))
            yield rerun

    async def run(self, transaction: TracedTransaction) -> TracedTransaction:
        """Run one transaction; the same with what was observed.

        When a statement fails that had not failed before, the transaction is rolled back, its outcome is ``failed``,
        and the rest of it is not run.
        """
        worker = await self._worker(transaction.session)
        predicted = await self._predictions(worker, transaction)
        block = transaction.kind != "autocommit"
        if transaction.kind == "implicit":
            await worker.execute(b"begin")
        statements: list[TracedStatement] = []
        failed = False
        for index, statement in enumerate(transaction.statements):
            if failed:
                statements.append(replace(statement, not_observed=_FAILED_BEFORE))
                continue
            done = await self._one(worker, statement, predicted.get(index), block=block)
            failed = done.error is not None and statement.error is None
            statements.append(done)
        await _end(worker, commit=transaction.outcome == "committed" and not failed)
        return replace(transaction, statements=tuple(statements), outcome="failed" if failed else transaction.outcome)

    # --- one statement --------------------------------------------------------------------------------------------

    async def _one(
        self, worker: AsyncConnection[Any], statement: TracedStatement, effects: StatementEffects | None, *, block: bool
    ) -> TracedStatement:
        if statement.error is not None or not _is_run(statement):
            return statement
        sql = with_parameters(statement)
        if not self._observing or statement.role != "migration" or _steers_session(statement):
            return await _unobserved(worker, statement, sql)
        held: dict[str, str] = {}
        if block:
            locks = await read_locks(self._observer, worker.info.backend_pid)
            held = named_locks(locks, await read_relations(worker))
            observed = await observe_within(worker, self._observer, sql)
        else:
            observed = await observe(worker, self._observer, sql)
        done = _seen(statement, observed, effects)
        if done.predicted is None:
            return done
        circumstances = Circumstances(
            held=held, filled=self._filled, alone=not block, data=_MOVES_ROWS.issuperset(statement.operations)
        )
        return replace(done, differs=differences(done.predicted, observed, circumstances))

    async def _worker(self, session: int) -> AsyncConnection[Any]:
        if session not in self._workers:
            worker = await self._stack.enter_async_context(await connect(self._dsn, autocommit=True))
            await plan_sequentially(worker)
            self._workers[session] = worker
        return self._workers[session]

    # --- predictions ----------------------------------------------------------------------------------------------

    async def _predictions(
        self, worker: AsyncConnection[Any], transaction: TracedTransaction
    ) -> dict[int, StatementEffects]:
        """Predictions by the statement's index, for what exists when the transaction begins."""
        if self._predict is None or self._read_catalog is None:
            return {}
        run = [
            index
            for index, statement in enumerate(transaction.statements)
            if statement.error is None and _is_run(statement)
        ]
        if not any(transaction.statements[index].role == "migration" for index in run):
            return {}
        catalog = await self._read_catalog(self._observer)
        self._filled = await _filled_tables(self._observer)
        text = "\n;\n".join(with_parameters(transaction.statements[index]) for index in run)
        effects = self._predict(text, catalog, await _session(worker))
        return dict(zip(run, effects, strict=True)) if len(effects) == len(run) else {}


async def _session(worker: AsyncConnection[Any]) -> Session:
    """The settings in force that predictions rest on."""
    cursor = await worker.execute(b"select current_setting('timezone'), current_schemas(false)::text[]")
    row = await cursor.fetchone()
    assert row is not None
    return Session(settings=(("timezone", Setting(row[0])),), search_path=tuple(row[1]) or ())


async def _unobserved(worker: AsyncConnection[Any], statement: TracedStatement, sql: str) -> TracedStatement:
    try:
        await worker.execute(sql.encode())
    except psycopg.Error as error:
        if worker.closed:
            raise
        return replace(statement, error=SqlError(error.sqlstate or "", error.diag.message_primary or str(error)))
    return statement


async def _filled_tables(observer: AsyncConnection[Any]) -> frozenset[str]:
    """The tables and materialized views that have at least a page, by identity."""
    relations = await read_relations(observer)
    cursor = await observer.execute(
        b"select oid from pg_class where relkind in ('r', 'm') and pg_relation_size(oid) > 0"
    )
    filled = {row[0] for row in await cursor.fetchall()}
    return frozenset(relation.identity for oid, relation in relations.by_oid.items() if oid in filled)


def _seen(statement: TracedStatement, observed: Observation, effects: StatementEffects | None) -> TracedStatement:
    waits, leftover = observed.waits_for, observed.leftover
    if effects is not None:
        waits = effects.waits_for if waits is None else waits
        leftover = effects.leftover_on_timeout if leftover is None else leftover
    done = replace(
        statement,
        error=observed.error,
        duration_ms=round(observed.duration_ms, 3) if statement.duration_ms is None else statement.duration_ms,
        wal_bytes=observed.wal_bytes,
        predicted=None if effects is None else prediction_of(effects),
    )
    if observed.error is not None:
        return done
    return replace(
        done,
        locks=observed.locks,
        rewrites=observed.rewrites,
        scans=observed.scans,
        index_rebuilds=observed.index_rebuilds,
        transaction=observed.transaction,
        waits_for=waits,
        leftover_on_timeout=leftover or None,
    )


async def _end(worker: AsyncConnection[Any], *, commit: bool) -> None:
    """End what is still open: an implicit transaction, an aborted one, one whose session ended."""
    status = worker.info.transaction_status
    if status == TransactionStatus.INTRANS and commit:
        await worker.execute(b"commit")
    elif status != TransactionStatus.IDLE:
        await worker.execute(b"rollback")


def _is_run(statement: TracedStatement) -> bool:
    """Whether a statement is run again: what drivers ask has no effect, and COPY data is not in a log."""
    return statement.role != "noise" and not statement.sql.startswith("\\")


def _steers_session(statement: TracedStatement) -> bool:
    return all(kind in ("set_variable", "reset_variable") for kind in statement.operations)


def with_parameters(statement: TracedStatement) -> str:
    """The statement's text, its parameters as literals."""
    if not statement.parameters:
        return statement.sql
    from dflint.trace.parameters import inline

    return inline(statement.sql, statement.parameters)
