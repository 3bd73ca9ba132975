"""Tables: what ALTER TABLE changes of them as a whole, their constraints and their place in a hierarchy excepted."""

from __future__ import annotations

from dflint.model.catalog import Index, Table
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Cluster
from dflint.model.operations.tables import (
    AlterTableOperation,
    ClusterOn,
    CreateTable,
    CreateTableAs,
    SetAccessMethod,
    SetLogged,
    SetOfType,
    SetReplicaIdentity,
    SetRowSecurity,
    SetTableOptions,
    SetTablespace,
    SetTriggerState,
    SetUnlogged,
    SetWithoutCluster,
)
from dflint.model.quoting import quote_identifier
from dflint.planning.undo.before import Before, Irreversible, Nothing
from dflint.planning.undo.columns import alter, restored_options
from dflint.planning.undo.spelling import quoted


def create_table(before: Before, operation: CreateTable | CreateTableAs) -> list[str]:
    """CREATE TABLE in all its forms."""
    if operation.persistence == "temporary":
        return [f"DROP TABLE IF EXISTS {quoted(Name('pg_temp', operation.target.name))}"]
    name = before.created(operation.target)
    refuse_existing(before, name, operation.if_not_exists)
    word = "FOREIGN TABLE" if getattr(operation, "server", None) is not None else "TABLE"
    # A later step of the same plan may have dropped it again.
    return [f"DROP {word} IF EXISTS {quoted(name)}"]


def refuse_existing(before: Before, name: Name, missing_only: bool) -> None:
    """Leave alone what was there before.

    Raises:
        Nothing: it was there.
        Irreversible: with IF NOT EXISTS, and the catalog does not say.
    """
    there = before.exists(name)
    if there:
        raise Nothing
    if there is None and missing_only:
        raise Irreversible(f"the catalog does not say whether {name} existed before")


def set_options(before: Before, operation: SetTableOptions) -> list[str]:
    """SET (…), RESET (…)."""
    if operation.foreign:
        raise Irreversible("the catalog does not say which options of a foreign table were set")
    found = before.relation(operation.target)
    if isinstance(found, Table) and not found.complete:
        raise Irreversible(f"the catalog does not say which storage parameters {found.name} had")
    return restored_options(alter(before, operation), getattr(found, "options", ()), operation.options)


def _complete(before: Before, operation: AlterTableOperation) -> Table:
    table = before.table(operation.target)
    if not table.complete:
        raise Irreversible(f"the catalog does not say how {table.name} was")
    return table


def clustered(before: Before, operation: AlterTableOperation) -> list[str]:
    """CLUSTER ON, SET WITHOUT CLUSTER."""
    assert isinstance(operation, (ClusterOn, SetWithoutCluster))
    return [f"ALTER TABLE {quoted(before.resolve(operation.target))} {_cluster(_complete(before, operation))}"]


def _cluster(table: Table) -> str:
    return "SET WITHOUT CLUSTER" if table.clustered_on is None else f"CLUSTER ON {quote_identifier(table.clustered_on)}"


def cluster(before: Before, operation: Cluster) -> list[str]:
    """CLUSTER: the order of rows says nothing, but the table remembers the index."""
    if operation.target is None or operation.index is None:
        raise Nothing
    table = before.table(operation.target)
    if table.clustered_on == operation.index:
        raise Nothing
    if not table.complete:
        raise Irreversible(f"the catalog does not say on which index {table.name} was clustered")
    return [f"ALTER TABLE {quoted(table.name)} {_cluster(table)}"]


def logged(before: Before, operation: AlterTableOperation) -> list[str]:
    """SET LOGGED, SET UNLOGGED."""
    assert isinstance(operation, (SetLogged, SetUnlogged))
    found = before.relation(operation.target)
    if isinstance(found, Table) and not found.complete:
        raise Irreversible(f"the catalog does not say whether {found.name} was unlogged")
    was = getattr(found, "persistence", "permanent")
    wanted = "unlogged" if isinstance(operation, SetUnlogged) else "permanent"
    return [] if was == wanted else [f"{alter(before, operation)} SET {'LOGGED' if was == 'permanent' else 'UNLOGGED'}"]


def tablespace(before: Before, operation: SetTablespace) -> list[str]:
    """SET TABLESPACE."""
    found = before.relation(operation.target)
    space = found.tablespace if isinstance(found, (Table, Index)) else None
    if space is None:
        raise Irreversible("the catalog does not say which tablespace is the database's own")
    return [f"{alter(before, operation)} SET TABLESPACE {quote_identifier(space)}"]


def access_method(before: Before, operation: SetAccessMethod) -> list[str]:
    """SET ACCESS METHOD."""
    table = _complete(before, operation)
    return [f"{alter(before, operation)} SET ACCESS METHOD {quote_identifier(table.method or 'heap')}"]


def replica_identity(before: Before, operation: SetReplicaIdentity) -> list[str]:
    """REPLICA IDENTITY."""
    table = _complete(before, operation)
    return [f"ALTER TABLE {quoted(table.name)} REPLICA IDENTITY {replica(table)}"]


def replica(table: Table) -> str:
    """The replica identity as SQL."""
    if table.replica_identity == "index":
        return f"USING INDEX {quote_identifier(table.replica_index or '')}"
    return table.replica_identity.upper()


def row_security(before: Before, operation: SetRowSecurity) -> list[str]:
    """ENABLE, DISABLE, FORCE and NO FORCE ROW LEVEL SECURITY."""
    table = _complete(before, operation)
    if operation.action in ("enable", "disable"):
        word = "ENABLE" if table.row_security else "DISABLE"
    else:
        word = "FORCE" if table.force_row_security else "NO FORCE"
    return [f"ALTER TABLE {quoted(table.name)} {word} ROW LEVEL SECURITY"]


_STATES = {"enable": "ENABLE", "disable": "DISABLE", "replica": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}


def trigger_state(before: Before, operation: SetTriggerState) -> list[str]:
    """ENABLE and DISABLE TRIGGER."""
    found = before.relation(operation.target)
    if operation.scope == "all":
        raise Irreversible("the catalog does not say which of the server's own triggers were disabled")
    if isinstance(found, Table) and not found.complete:
        raise Irreversible(f"the catalog does not say which triggers of {found.name} were disabled")
    where = alter(before, operation)
    return [
        f"{where} {_STATES[trigger.state]} TRIGGER {quote_identifier(trigger.name)}"
        for trigger in getattr(found, "triggers", ())
        if operation.trigger in (None, trigger.name)
    ]


def of_type(before: Before, operation: SetOfType) -> list[str]:
    """OF and NOT OF."""
    table = _complete(before, operation)
    word = "NOT OF" if table.of_type is None else f"OF {quoted(table.of_type)}"
    return [f"{alter(before, operation)} {word}"]


def nothing(_before: Before, _operation: Operation) -> list[str]:
    """What leaves nothing behind that has to be taken back."""
    raise Nothing
