from __future__ import annotations

import pytest

from dflint.model.operations.base import Operation
from dflint.model.operations.session import (
    Begin,
    Commit,
    Discard,
    FinishPrepared,
    PrepareTransaction,
    ReleaseSavepoint,
    ResetVariable,
    Rollback,
    RollbackToSavepoint,
    Savepoint,
    SessionCommand,
    SetTransaction,
    SetVariable,
)
from dflint.sql.build.nodes import Node, Unread
from dflint.sql.build.session import discard, set_variable, transaction
from tests.sql.building import build_one, library, tree


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BEGIN", Begin()),
        ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY", Begin(isolation="serializable", read_only=True)),
        ("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE", Begin(isolation="read committed")),
        ("COMMIT", Commit()),
        ("END AND CHAIN", Commit(chain=True)),
        ("ABORT", Rollback()),
        ("ROLLBACK AND CHAIN", Rollback(chain=True)),
        ("SAVEPOINT a", Savepoint(name="a")),
        ("RELEASE SAVEPOINT a", ReleaseSavepoint(name="a")),
        ("ROLLBACK TO a", RollbackToSavepoint(name="a")),
        ("PREPARE TRANSACTION 'x'", PrepareTransaction(gid="x")),
        ("COMMIT PREPARED 'x'", FinishPrepared(gid="x", commit=True)),
        ("ROLLBACK PREPARED 'x'", FinishPrepared(gid="x", commit=False)),
    ],
)
def test_transaction_control(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET lock_timeout = '5s'", SetVariable(name="lock_timeout", values=("5s",))),
        ("SET LOCAL statement_timeout TO 0", SetVariable(name="statement_timeout", values=("0",), local=True)),
        ('SET "Lock_Timeout" = 1', SetVariable(name="lock_timeout", values=("1",))),
        ("SET a.b = 1, 'x', y, on, 1.5, -3", SetVariable(name="a.b", values=("1", "x", "y", "on", "1.5", "-3"))),
        ('SET search_path TO "$user", public', SetVariable(name="search_path", values=("$user", "public"))),
        ("SET search_path = ''", SetVariable(name="search_path", values=("",))),
        ("SET SCHEMA 'x'", SetVariable(name="search_path", values=("x",))),
        ("SET LOCAL x TO DEFAULT", SetVariable(name="x", values=None, local=True)),
        ("SET x FROM CURRENT", SetVariable(name="x", values=None)),
        ("SET TIME ZONE 'UTC'", SetVariable(name="timezone", values=("UTC",))),
        ("SET TIME ZONE -7", SetVariable(name="timezone", values=("-7",))),
        ("SET TIME ZONE LOCAL", SetVariable(name="timezone", values=None)),
        ("SET TIME ZONE INTERVAL '-8'", SetVariable(name="timezone", values=("interval '-8'",))),
        ("SET TIME ZONE INTERVAL(3) '1'", SetVariable(name="timezone", values=("interval '1'",))),
        (
            "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
            SetVariable(name="timezone", values=("interval '-08:00' hour to minute",)),
        ),
        ("SET NAMES 'UTF8'", SetVariable(name="client_encoding", values=("UTF8",))),
        ("SET ROLE r", SetVariable(name="role", values=("r",))),
        ("SET LOCAL ROLE NONE", SetVariable(name="role", values=("none",), local=True)),
        ("SET SESSION AUTHORIZATION r", SetVariable(name="session_authorization", values=("r",))),
        ("SET SESSION AUTHORIZATION DEFAULT", SetVariable(name="session_authorization", values=None)),
        ("RESET x", ResetVariable(name="x")),
        ("RESET TIME ZONE", ResetVariable(name="timezone")),
        ("RESET ROLE", ResetVariable(name="role")),
        ("RESET ALL", ResetVariable(name=None)),
        (
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            SetTransaction(what="transaction", names=("transaction_isolation", "transaction_read_only")),
        ),
        ("SET TRANSACTION SNAPSHOT 'x'", SetTransaction(what="transaction", names=("snapshot",))),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            SetTransaction(what="session", names=("transaction_read_only",)),
        ),
        ("SET CONSTRAINTS ALL DEFERRED", SetTransaction(what="constraints", deferred=True)),
        ("SET CONSTRAINTS s.a, b IMMEDIATE", SetTransaction(what="constraints", names=("s.a", "b"), deferred=False)),
    ],
)
def test_settings(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DISCARD ALL", Discard(what="all")),
        ("DISCARD PLANS", Discard(what="plans")),
        ("DISCARD SEQUENCES", Discard(what="sequences")),
        ("DISCARD TEMPORARY", Discard(what="temp")),
        ("SHOW TIME ZONE", SessionCommand(command="show", name="timezone")),
        ("SHOW ALL", SessionCommand(command="show", name="all")),
        ("DEALLOCATE p", SessionCommand(command="deallocate", name="p")),
        ("DEALLOCATE ALL", SessionCommand(command="deallocate")),
        ("FETCH 5 FROM c", SessionCommand(command="fetch", name="c")),
        ("MOVE BACKWARD ALL IN c", SessionCommand(command="move", name="c")),
        ("CLOSE c", SessionCommand(command="close", name="c")),
        ("CLOSE ALL", SessionCommand(command="close")),
        ("LISTEN a", SessionCommand(command="listen", name="a")),
        ("UNLISTEN a", SessionCommand(command="unlisten", name="a")),
        ("UNLISTEN *", SessionCommand(command="unlisten")),
        ("NOTIFY a, 'x'", SessionCommand(command="notify", name="a")),
        ("LOAD 'x'", SessionCommand(command="load", name="x")),
    ],
)
def test_commands(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected
    assert expected.kind == (expected.command if isinstance(expected, SessionCommand) else "discard")


@pytest.mark.parametrize(
    ("sql", "change", "build"),
    [
        ("BEGIN", {"kind": "TRANS_STMT_PAUSE"}, transaction),
        ("SET x = 1", {"kind": "VAR_SET_OTHERWISE"}, set_variable),
        ("SET x = 1", {"name": "y", "args": [{"ParamRef": {}}]}, set_variable),
        ("SET TRANSACTION READ ONLY", {"name": "SYSTEM"}, set_variable),
        ("DISCARD ALL", {"target": "DISCARD_NOTHING"}, discard),
    ],
)
def test_what_is_not_known_is_not_read(sql: str, change: Node, build: object) -> None:
    ((_, node),) = tree(sql).items()
    assert callable(build)
    with pytest.raises(Unread):
        build({**node, **change}, library())


def test_a_key_that_is_not_known_is_not_read() -> None:
    with pytest.raises(Unread, match="immediately"):
        transaction({**tree("COMMIT")["TransactionStmt"], "immediately": True}, library())
