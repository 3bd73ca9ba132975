"""What a statement outside a transaction is about, and what its catalog entries say."""

from __future__ import annotations

import pytest

from dflint.guard import observe_objects as observe
from dflint.planning.statements import operations_of
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", observe.IndexBuild),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (lower(a)) WHERE b", observe.IndexBuild),
        ("CREATE INDEX CONCURRENTLY ON t (a)", observe.IndexBuild),
        ("DROP INDEX CONCURRENTLY i", observe.IndexDrop),
        ("REINDEX INDEX CONCURRENTLY i", observe.IndexRebuild),
        ("REINDEX TABLE CONCURRENTLY t", observe.IndexRebuild),
        ("REINDEX SCHEMA CONCURRENTLY s", observe.IndexRebuild),
        ("ALTER TABLE p DETACH PARTITION q CONCURRENTLY", observe.Detachment),
        ("ALTER TABLE p DETACH PARTITION q FINALIZE", observe.Detachment),
        ("CREATE DATABASE d", observe.Existence),
        ("DROP DATABASE d", observe.Existence),
        ("CREATE TABLESPACE x LOCATION '/x'", observe.Existence),
        ("VACUUM t", observe.Repeatable),
        ("REINDEX SYSTEM d", observe.Repeatable),
        ("ALTER SYSTEM SET work_mem = '1MB'", observe.Repeatable),
        ("COMMIT PREPARED 'x'", observe.Unobservable),
    ],
)
def test_what_a_statement_is_about(statement: str, kind: type[object]) -> None:
    assert type(observe.subject_of(operations_of(statement))) is kind


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_index_without_a_name_is_found_by_what_it_is(pg: TestServer) -> None:
    subject = observe.subject_of(operations_of("CREATE INDEX CONCURRENTLY ON t (lower(a), b DESC) WHERE b > 0"))
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a text, b int)")
        mark = await subject.mark(connection)
        assert (await subject.decide(connection, mark)).action == "run"
        await connection.execute("CREATE INDEX ON t (b)")
        assert (await subject.decide(connection, mark)).action == "run"
        await connection.execute("CREATE INDEX ON t (lower(a), b DESC) WHERE b > 0")
        assert (await subject.decide(connection, mark)).action == "done"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_index_that_was_dropped_and_made_anew_is_not_dropped(pg: TestServer) -> None:
    subject = observe.subject_of(operations_of("DROP INDEX CONCURRENTLY i"))
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a int)")
        await connection.execute("CREATE INDEX i ON t (a)")
        mark = await subject.mark(connection)
        assert (await subject.decide(connection, mark)).action == "run"
        await connection.execute("DROP INDEX i")
        assert (await subject.decide(connection, mark)).action == "done"
        await connection.execute("CREATE INDEX i ON t (a)")
        assert (await subject.decide(connection, mark)).action == "needs_operator"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_table_of_the_same_name_is_not_the_same_table(pg: TestServer) -> None:
    subject = observe.subject_of(operations_of("CREATE INDEX CONCURRENTLY i ON t (a)"))
    async with await connect(pg.new_database(), autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a int)")
        mark = await subject.mark(connection)
        await connection.execute("DROP TABLE t")
        await connection.execute("CREATE TABLE t (a int)")
        assert (await subject.decide(connection, mark)).action == "needs_operator"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_index_that_may_be_missing_is_dropped_when_it_is_missing(pg: TestServer) -> None:
    may, must = (
        observe.subject_of(operations_of(sql))
        for sql in ("DROP INDEX CONCURRENTLY IF EXISTS i", "DROP INDEX CONCURRENTLY i")
    )
    async with await connect(pg.new_database(), autocommit=True) as connection:
        mark = await may.mark(connection)
        assert (await may.decide(connection, None)).action == "run"
        assert (await may.decide(connection, mark)).action == "done"
        assert (await must.decide(connection, mark)).action == "run"
