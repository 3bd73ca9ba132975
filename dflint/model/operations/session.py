"""Transaction control, settings, and commands that only concern the session."""

from __future__ import annotations

from typing import Literal

from dflint.model.operations.base import Operation
from dflint.model.schema import Query


class Begin(Operation, frozen=True, kw_only=True):
    """BEGIN or START TRANSACTION."""

    isolation: str | None = None
    read_only: bool = False


class Commit(Operation, frozen=True, kw_only=True):
    """COMMIT or END."""

    chain: bool = False


class Rollback(Operation, frozen=True, kw_only=True):
    """ROLLBACK or ABORT."""

    chain: bool = False


class Savepoint(Operation, frozen=True, kw_only=True):
    """SAVEPOINT."""

    name: str


class ReleaseSavepoint(Operation, frozen=True, kw_only=True):
    """RELEASE SAVEPOINT."""

    name: str


class RollbackToSavepoint(Operation, frozen=True, kw_only=True):
    """ROLLBACK TO SAVEPOINT."""

    name: str


class PrepareTransaction(Operation, frozen=True, kw_only=True):
    """PREPARE TRANSACTION."""

    gid: str


class FinishPrepared(Operation, frozen=True, kw_only=True):
    """COMMIT PREPARED and ROLLBACK PREPARED."""

    gid: str
    commit: bool

    @property
    def kind(self) -> str:
        return "commit_prepared" if self.commit else "rollback_prepared"


class SetTransaction(Operation, frozen=True, kw_only=True):
    """SET TRANSACTION, SET SESSION CHARACTERISTICS, SET CONSTRAINTS."""

    what: Literal["transaction", "session", "constraints"]
    names: tuple[str, ...] = ()
    deferred: bool | None = None


class SetVariable(Operation, frozen=True, kw_only=True):
    """SET, SET LOCAL, and SELECT set_config(…) with constants.

    ``values`` are the values as text (search_path has several); None for SET … TO DEFAULT or FROM CURRENT.
    ``role`` and ``session_authorization`` are variables too. ``known`` is False where set_config's arguments are not
    constants.
    """

    name: str
    values: tuple[str, ...] | None
    local: bool = False
    function: bool = False
    known: bool = True


class ResetVariable(Operation, frozen=True, kw_only=True):
    """RESET name; None for RESET ALL."""

    name: str | None


class Discard(Operation, frozen=True, kw_only=True):
    """DISCARD."""

    what: str


class SessionCommand(Operation, frozen=True, kw_only=True):
    """A command that changes no schema and no rows: SHOW, LISTEN, NOTIFY, PREPARE, EXECUTE, DECLARE, FETCH, LOAD, …

    Attributes:
        query: what PREPARE or EXPLAIN looks at, without running it.
        prepared: what EXECUTE of a prepared statement would do.
    """

    command: str
    name: str | None = None
    query: Query | None = None
    prepared: tuple[Operation, ...] = ()

    @property
    def kind(self) -> str:
        return self.command


class PsqlCommand(Operation, frozen=True, kw_only=True):
    r"""A psql backslash command such as ``\i file`` or ``\connect``; only plain psql runs these."""

    command: str
    arguments: str = ""
