"""What a statement that runs outside a transaction has done so far: seen in the catalog, never remembered.

Such a statement can be stopped half-way, and nobody may be left who knows whether it ended. Before it runs, and again
whenever a run is taken up, the catalog is asked; `Subject.decide` says what follows from the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

from msgspec import Struct
from psycopg.sql import SQL, Composed, Identifier

from dflint.guard.observe_indexes import (
    Connection,
    IndexState,
    builder_of,
    differs,
    index_by_oid,
    index_named,
    indexes_of,
    leftovers_of,
    relation_oid,
)
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Analyze, Checkpoint, Cluster, CreateIndex, Reindex, Vacuum
from dflint.model.operations.objects import AlterOther, CreateOther, DropObject
from dflint.model.operations.tables import DetachPartition

#: What was seen before a statement ran for the first time: goes into the step's intent event.
Mark = dict[str, Any]

Action = Literal["run", "done", "repair", "wait", "needs_operator"]


class Decision(Struct, frozen=True):
    """What to do next, and why.

    Attributes:
        action: ``run`` the step's statement; it is ``done``; ``repair`` with the statements given, then look again;
            ``wait`` for another session, then look again; ``needs_operator``: only a person can tell.
        why: for events and messages.
        repair: statements to be run one by one, each outside a transaction.
        leftover: the name of what a stopped attempt left, if anything.
    """

    action: Action
    why: str
    repair: tuple[Composed, ...] = ()
    leftover: str | None = None


class Subject(Protocol):
    """What a statement is about, and how to see whether it has run."""

    async def mark(self, connection: Connection) -> Mark:
        """What is there before the statement runs for the first time."""

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """What to do now.

        Args:
            connection: outside a transaction.
            mark: of the first intent of this run; None when the statement was never begun.
        """


class IndexBuild:
    """CREATE INDEX CONCURRENTLY."""

    def __init__(self, operation: CreateIndex) -> None:
        self._operation = operation

    async def mark(self, connection: Connection) -> Mark:
        """The indexes of the table, by OID: one that is not among them later is ours."""
        table = await relation_oid(connection, self._operation.target)
        existing = await indexes_of(connection, [table]) if table is not None else []
        return {"table": table, "indexes": [index.oid for index in existing]}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """By the index's name, its table, its state and its definition."""
        table = await relation_oid(connection, self._operation.target)
        if table is None:
            return Decision("run", "the table does not exist")
        if mark is not None and mark["table"] not in (None, table):
            return Decision("needs_operator", f"{self._operation.target} is another table than when the step began")
        found = await self._find(connection, table, mark)
        if found is None:
            return Decision("run", "there is no such index")
        if found.table != table:
            return Decision("needs_operator", f"{found} exists and is no index of {self._operation.target}")
        if found.whole:
            return await self._judge_whole(connection, found)
        return await self._judge_invalid(connection, found, mark)

    async def _find(self, connection: Connection, table: int, mark: Mark | None) -> IndexState | None:
        if self._operation.name is not None:
            return await index_named(connection, table, self._operation.name)
        # PostgreSQL chose the name: it is the one that was not there before.
        if mark is None:
            return None
        new = [index for index in await indexes_of(connection, [table]) if index.oid not in mark["indexes"]]
        for index in new:
            if await differs(connection, self._operation, index, index.schema) is None:
                return index
        return None

    async def _judge_whole(self, connection: Connection, found: IndexState) -> Decision:
        different = await differs(connection, self._operation, found, found.schema)
        if different is not None:
            return Decision("needs_operator", f"the index {found} exists with another definition ({different})")
        return Decision("done", f"the index {found} is valid and has the definition that the statement gives it")

    async def _judge_invalid(self, connection: Connection, found: IndexState, mark: Mark | None) -> Decision:
        builder = await builder_of(connection, found.table)
        if builder is not None:
            verb = "is" if builder.certain else "may be"
            return Decision("wait", f"session {builder.pid} {verb} building {found}", leftover=str(found))
        enforced = ", and refuses duplicates all the same" if found.unique and found.ready else ""
        if mark is None or found.oid in mark["indexes"]:
            why = f"the index {found} is invalid{enforced}, and this run did not make it"
            return Decision("needs_operator", why, leftover=str(found))
        why = f"the index {found} is what a stopped build left: it is invalid{enforced}"
        return Decision("repair", why, (found.drop(),), str(found))


class IndexDrop:
    """DROP INDEX CONCURRENTLY."""

    def __init__(self, operation: DropObject) -> None:
        assert operation.target is not None
        self._name: Name = operation.target
        self._may_be_missing = operation.if_exists

    async def mark(self, connection: Connection) -> Mark:
        """The OID of the index."""
        return {"index": await relation_oid(connection, self._name)}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """By the OID: an index of the same name that was made since is not the one to drop."""
        oid = await relation_oid(connection, self._name)
        if mark is None or mark["index"] is None:
            if mark is not None and oid is None and self._may_be_missing:
                return Decision("done", f"there is no index {self._name}")
            return Decision("run", "it was not begun" if mark is None else "there was no such index")
        if oid is None:
            if await index_by_oid(connection, mark["index"]) is not None:
                return Decision("needs_operator", f"the index {self._name} has another name or schema since")
            return Decision("done", f"the index {self._name} is gone")
        if oid != mark["index"]:
            return Decision("needs_operator", f"the index {self._name} is another one than when the step began")
        return Decision("run", f"the index {self._name} is still there")


class IndexRebuild:
    """REINDEX CONCURRENTLY of an index, a table or a schema."""

    def __init__(self, operation: Reindex) -> None:
        self._operation = operation

    async def mark(self, connection: Connection) -> Mark:
        """The indexes by OID and name, and what earlier runs of others left."""
        tables, indexes = await self._subject(connection)
        left = await leftovers_of(connection, tables)
        names = [[index.oid, index.schema, index.name] for index in indexes]
        return {"tables": tables, "indexes": names, "leftovers": [index.oid for index in left]}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """Rebuilt indexes have other OIDs; what was left behind is invalid and has a suffix."""
        if mark is None:
            return Decision("run", "it was not begun")
        tables: list[int] = mark["tables"]
        left = [index for index in await leftovers_of(connection, tables) if index.oid not in mark["leftovers"]]
        for index in left:
            builder = await builder_of(connection, index.table)
            if builder is not None:
                return Decision("wait", f"session {builder.pid} may be rebuilding at {index}", leftover=str(index))
        if left:
            names = ", ".join(map(str, left))
            why = f"a stopped rebuild left {names}; the index itself is as it was"
            return Decision("repair", why, tuple(index.drop() for index in left), names)
        now = {(index.schema, index.name): index for index in await indexes_of(connection, tables)}
        for oid, schema, name in mark["indexes"]:
            found = now.get((schema, name))
            if found is None or found.oid == oid or not found.whole:
                return Decision("run", f"the index {schema}.{name} is not rebuilt")
        return Decision("done", "every index was rebuilt and is valid")

    async def _subject(self, connection: Connection) -> tuple[list[int], list[IndexState]]:
        operation = self._operation
        if operation.scope == "index" and operation.target is not None:
            oid = await relation_oid(connection, operation.target)
            index = None if oid is None else await index_by_oid(connection, oid)
            return ([], []) if index is None else ([index.table], [index])
        if operation.scope == "table" and operation.target is not None:
            oid = await relation_oid(connection, operation.target)
            tables = [] if oid is None else [oid]
        else:
            tables = await _tables_in(connection, operation.schema)
        return tables, await indexes_of(connection, tables)


class Detachment:
    """DETACH PARTITION CONCURRENTLY, or FINALIZE."""

    def __init__(self, operation: DetachPartition) -> None:
        self._operation = operation

    async def mark(self, connection: Connection) -> Mark:
        """Whether it is attached."""
        return {"state": await self._state(connection)}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """By pg_inherits: attached, pending, or neither."""
        state = await self._state(connection)
        operation = self._operation
        if state == "pending" and not operation.finalize:
            finalize = SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE")
            assert operation.target is not None
            repair = finalize.format(_identifier(operation.target), _identifier(operation.partition))
            why = f"detaching {operation.partition} was stopped half-way"
            return Decision("repair", why, (repair,), f"{operation.partition} (half detached)")
        if state == "detached" and mark is not None and mark["state"] != "detached":
            return Decision("done", f"{operation.partition} is detached")
        return Decision("run", f"{operation.partition} is {state}")

    async def _state(self, connection: Connection) -> str:
        operation = self._operation
        assert operation.target is not None
        parent = await relation_oid(connection, operation.target)
        child = await relation_oid(connection, operation.partition)
        query = "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = %s AND inhparent = %s"
        row = await (await connection.execute(query, [child, parent])).fetchone()
        if row is None:
            return "detached"
        return "pending" if row[0] else "attached"


#: Shared objects, and where their names are.
_SHARED: Final = {
    "database": "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = %s",
    "tablespace": "SELECT oid::bigint FROM pg_catalog.pg_tablespace WHERE spcname = %s",
    "subscription": (
        "SELECT s.oid::bigint FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid "
        "WHERE s.subname = %s AND d.datname = pg_catalog.current_database()"
    ),
}


class Existence:
    """CREATE or DROP of a database, a tablespace or a subscription: PostgreSQL does these as a whole."""

    def __init__(self, kind: str, name: str, *, creates: bool) -> None:
        self._kind = kind
        self._name = name
        self._creates = creates

    async def mark(self, connection: Connection) -> Mark:
        """Its OID."""
        return {"oid": await self._oid(connection)}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:
        """By its existence, compared to the time before."""
        oid = await self._oid(connection)
        what = f"the {self._kind} {self._name}"
        if mark is None or mark["oid"] == oid:
            return Decision("run", f"{what} {'does not exist' if oid is None else 'exists'}")
        if (oid is not None) == self._creates:
            return Decision("done", f"{what} {'exists' if self._creates else 'is gone'}")
        return Decision("needs_operator", f"{what} was {'dropped' if self._creates else 'made anew'} since")

    async def _oid(self, connection: Connection) -> int | None:
        row = await (await connection.execute(_SHARED[self._kind].encode(), [self._name])).fetchone()
        return None if row is None else row[0]


class Repeatable:
    """VACUUM and other statements that may run again: they end in the same state."""

    async def mark(self, connection: Connection) -> Mark:  # noqa: ARG002
        """Nothing to remember."""
        return {}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:  # noqa: ARG002
        """Run it, if need be once more."""
        return Decision("run", "it may run again")


class Unobservable:
    """A statement whose effect the catalog does not show to this program."""

    async def mark(self, connection: Connection) -> Mark:  # noqa: ARG002
        """Nothing to remember."""
        return {}

    async def decide(self, connection: Connection, mark: Mark | None) -> Decision:  # noqa: ARG002
        """Run it once; whether it ran when that was interrupted, a person has to find out."""
        if mark is None:
            return Decision("run", "it was not begun")
        return Decision("needs_operator", "the statement was begun, and whether it ended cannot be seen")


def subject_of(operations: Sequence[Operation]) -> Subject:
    """What the operations of one statement are about."""
    if len(operations) == 1:
        operation = operations[0]
        if isinstance(operation, CreateIndex) and operation.concurrently:
            return IndexBuild(operation)
        if isinstance(operation, DropObject) and operation.object_kind == "index" and operation.target is not None:
            return IndexDrop(operation)
        if isinstance(operation, Reindex) and operation.concurrently:
            return IndexRebuild(operation)
        if isinstance(operation, DetachPartition) and (operation.concurrently or operation.finalize):
            return Detachment(operation)
        if isinstance(operation, CreateOther | DropObject) and operation.object_kind in _SHARED and operation.target:
            return Existence(operation.object_kind, operation.target.name, creates=isinstance(operation, CreateOther))
    if all(isinstance(operation, Vacuum | Analyze | Cluster | Checkpoint | Reindex) for operation in operations):
        return Repeatable()
    if all(isinstance(operation, AlterOther) and operation.object_kind == "system" for operation in operations):
        return Repeatable()
    return Unobservable()


async def _tables_in(connection: Connection, schema: str | None) -> list[int]:
    query = """
        SELECT c.oid::bigint FROM pg_catalog.pg_class c
         WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
           AND c.relnamespace = ANY(SELECT n.oid FROM pg_catalog.pg_namespace n
                                     WHERE n.nspname = %(schema)s
                                        OR %(schema)s::text IS NULL AND n.nspname !~ '^pg_'
                                           AND n.nspname <> 'information_schema')
         ORDER BY c.oid
        """
    return [row[0] for row in await (await connection.execute(query, {"schema": schema})).fetchall()]


def _identifier(name: Name) -> Identifier:
    return Identifier(*(part for part in name if part is not None))
