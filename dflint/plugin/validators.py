"""What a checkpoint validator is: an async function that looks at a database and says whether all is well.

A validator sees the database through `Situation`; it imports no database driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

#: When a validator is asked: before the migration, again and again while it runs, and after it.
Stage = Literal["pre_migration", "during_migration", "post_migration"]

#: Schema and name of a table, as the catalogs write them.
TableName = tuple[str, str]

#: A condition on pg_namespace ``n``: the schemas that are neither PostgreSQL's own nor dflint's.
APPLICATION_SCHEMAS: Final = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'dflint', 'dflint_trash')"


class QueryError(Exception):
    """A query failed, was cancelled for taking too long, or the session is gone.

    Attributes:
        sqlstate: PostgreSQL's error code, "" when the session is gone.
    """

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class Queries(Protocol):
    """A read-only session in the database, in which every query is a transaction of its own."""

    async def rows(self, query: str, timeout_s: float = 30.0) -> list[tuple[Any, ...]]:
        """The rows of one query.

        Raises:
            QueryError: it failed.
        """


class Measure(Struct, frozen=True):
    """How a workload fared: latencies in milliseconds, queries per second, and how many queries were run."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    rate: float
    count: int
    longest_ms: float


class Workload(Protocol):
    """Queries that stand for what the application does.

    Attributes:
        origin: where they come from, in words for users.
    """

    origin: str

    async def measure(self, seconds: float) -> Measure | None:
        """Run the queries for so long; None when there is nothing to run.

        Raises:
            QueryError: a query failed.
        """


class Situation(Struct, frozen=True):
    """What a validator may know.

    Attributes:
        stage: when it is asked.
        queries: a session to look at the database with; migrations run in others.
        tables: the tables that the caller named; empty for all.
        memory: what validators want to know again at a later call; shared by all stages of one migration.
        options: as the checkpoint gives them for this validator.
        workload: queries that stand for the application.
    """

    stage: Stage
    queries: Queries
    tables: tuple[TableName, ...]
    memory: dict[str, Any]
    options: Mapping[str, Any]
    workload: Workload


class Verdict(Struct, frozen=True):
    """What a validator found.

    Attributes:
        ok: False when something is wrong; None when it could not be found out, which does not pass either.
        message: one line: what is wrong, or what was looked at.
        details: figures and objects for reports; values are JSON.
    """

    ok: bool | None
    message: str
    details: Mapping[str, Any] = {}


Check = Callable[[Situation], Awaitable[Verdict]]


class Validator(Struct, frozen=True):
    """A named check.

    Attributes:
        name: canonical; checkpoints may use other names for it.
        check: is asked once before or after the migration, or again and again while it runs; there, one verdict that
            is not good decides.
        before: is asked once before the migration at whatever stage the check itself is, to note what it will compare
            with; None when it compares with nothing.
    """

    name: str
    check: Check
    before: Check | None = None
