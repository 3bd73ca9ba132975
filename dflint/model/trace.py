"""What statements really did: transactions as a server saw them, and what was observed of each statement."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dflint.model.effect import TransactionUse
from dflint.model.observation import SqlError

#: What the first key of a trace file says.
FORMAT = "dflint-trace"

#: ``explicit``: BEGIN … COMMIT; ``implicit``: several statements that the server ran in one transaction without being
#: told to, such as those of one string; ``autocommit``: a statement by itself.
TransactionKind = Literal["explicit", "implicit", "autocommit"]

#: ``open``: the session ended, or the recording did, before the transaction did: PostgreSQL rolls it back.
Outcome = Literal["committed", "rolled_back", "failed", "prepared", "open"]

#: ``migration``: what the migration is about; ``bookkeeping``: the runner's own table of what ran; ``control``: BEGIN,
#: COMMIT, SAVEPOINT and the like; ``noise``: what drivers ask and set by themselves, without effect on the schema.
Role = Literal["migration", "bookkeeping", "control", "noise"]

#: Quantities in which a prediction can differ from what was observed.
Quantity = Literal["locks", "rewrites", "scans", "index_rebuilds", "transaction", "refusal"]


class Prediction(Struct, frozen=True, kw_only=True):
    """What dflint said beforehand; fields as in `dflint.model.effect.StatementEffects`.

    Attributes:
        refused: SQLSTATE of a predicted refusal, None for none.
        facts: ids of the facts it rests on.
    """

    locks: dict[str, str] = {}
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    index_rebuilds: tuple[str, ...] = ()
    transaction: TransactionUse = "allowed"
    refused: str | None = None
    unknown: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


class Difference(Struct, frozen=True, kw_only=True):
    """A point in which the prediction was wrong.

    Attributes:
        what: which quantity.
        identity: of the relation; None where the point is about the statement as a whole.
        predicted, observed: lock modes, ``yes`` and ``no``, ``allowed`` and ``refused``, or SQLSTATEs; None for no
            lock and for no refusal.
    """

    what: Quantity
    identity: str | None
    predicted: str | None
    observed: str | None


class TracedStatement(Struct, frozen=True, kw_only=True):
    """One statement that ran.

    What was observed is None where nobody observed the statement.

    Attributes:
        sql: its text, without leading comments and without a terminator.
        role: see above.
        operations: kinds of what it does, in the text's order.
        parameters: values for ``$1`` and so on, as text; None is NULL.
        file, line: where a migration file has it.
        error: how it failed when it ran.
        duration_ms: wall time; None where it was sent together with others.
        locks: strongest mode it took on each relation that existed before it and that its transaction did not hold
            already, by identity.
        rewrites, scans, index_rebuilds: identities, sorted.
        transaction: whether it may run in a transaction block.
        wal_bytes: write-ahead log written meanwhile.
        waits_for: whom it waits for although no lock conflicts: by observation where somebody tried, else by facts.
        leftover_on_timeout: what a cancelled run leaves behind; the same.
        predicted: what dflint said beforehand.
        differs: where that was wrong.
        not_observed: why not, None where it was.
    """

    sql: str
    role: Role = "migration"
    operations: tuple[str, ...] = ()
    parameters: tuple[str | None, ...] = ()
    file: str | None = None
    line: int | None = None
    error: SqlError | None = None
    duration_ms: float | None = None
    locks: dict[str, str] | None = None
    rewrites: tuple[str, ...] | None = None
    scans: tuple[str, ...] | None = None
    index_rebuilds: tuple[str, ...] | None = None
    transaction: TransactionUse | None = None
    wal_bytes: int | None = None
    waits_for: tuple[str, ...] | None = None
    leftover_on_timeout: str | None = None
    predicted: Prediction | None = None
    differs: tuple[Difference, ...] = ()
    not_observed: str | None = None


class TracedTransaction(Struct, frozen=True, kw_only=True):
    """What PostgreSQL ran as one transaction.

    Attributes:
        id: counted from 1 in the order in which they began.
        kind: see above.
        session: number of the session, from 1.
        outcome: see above.
        label: the migration, by what the runner wrote into its own table, or by file; None where nothing tells.
    """

    id: int
    kind: TransactionKind
    statements: tuple[TracedStatement, ...]
    session: int = 1
    outcome: Outcome = "committed"
    label: str | None = None


class Trace(Struct, frozen=True, kw_only=True):
    """A recorded run.

    Attributes:
        pg_version: of the server, such as ``18.6``.
        command: what was run; empty where files were.
        exit_status: the command's; None where files were run.
        files: the migration files that were run; empty where a command was.
        rows: how many rows each table was filled with beforehand.
        transactions: in the order in which they began.
        remarks: what a reader must know: tables that could not be filled, statements that could not be loaded, …
    """

    pg_version: str
    transactions: tuple[TracedTransaction, ...]
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    files: tuple[str, ...] = ()
    rows: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def pg_major(self) -> int:
        """The server's major version."""
        return int(self.pg_version.partition(".")[0].rstrip("betarcdvl") or 0)
