"""CREATE TABLE in all its forms, and the properties of a whole table."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.columns import changed_options, stored_column
from dflint.history.constraint_lists import replaced, with_constraint
from dflint.history.constraints import add_constraint, inline_constraints, key_elements, named_check
from dflint.history.draft import Draft, Refused
from dflint.history.inheritance import (
    become_partition,
    inherited_checks,
    inherited_columns,
    merged_columns,
    require_no_cycle,
)
from dflint.history.likes import copy_like, like_columns, like_not_nulls
from dflint.history.naming import clip
from dflint.history.not_nulls import CONSTRAINTS_SINCE, not_null_column, not_null_of, own_not_null, with_not_nulls
from dflint.history.views import stored_query
from dflint.model.catalog import UNKNOWN, CompositeType, Index, Sequence, Table, View
from dflint.model.names import Name
from dflint.model.operations.tables import (
    ClusterOn,
    CreateTable,
    CreateTableAs,
    MoveAllInTablespace,
    SetAccessMethod,
    SetLogged,
    SetOfType,
    SetReplicaIdentity,
    SetRowSecurity,
    SetTableOptions,
    SetTablespace,
    SetUnlogged,
    SetWithoutCluster,
)
from dflint.model.schema import Column, Constraint


def create_table(draft: Draft, operation: CreateTable) -> None:
    """CREATE TABLE.

    IF NOT EXISTS on a name of which nothing is known states the table as given, but not as completely known: it may
    have existed before, with more or other columns.
    """
    name = draft.creation_name(operation.target, operation.persistence == "temporary")
    name = Name(name.schema, clip(name.name))
    existing = draft.get(name)
    if not (existing is None or existing is UNKNOWN) or draft.types.get(name) is not None:
        raise Refused
    parents = tuple([draft.resolve(parent) for parent in operation.inherits]) if operation.inherits else ()
    if operation.partition_of is not None:
        parents = (draft.resolve(operation.partition_of),)
    if parents:
        require_no_cycle(draft, name, parents)
    table = Table(
        name,
        complete=not operation.if_not_exists or draft.absent(name),
        persistence=operation.persistence,
        partition_by=operation.partition_by,
        bound=operation.bound,
        parents=parents,
        of_type=draft.resolve_type_name(operation.of_type) if operation.of_type is not None else None,
        foreign_server=operation.server,
        options=operation.options,
        tablespace=operation.tablespace,
        method=operation.method,
    )
    draft.announce(table)
    _create_with_constraints(draft, *_with_columns(draft, table, operation), operation)


def _with_columns(draft: Draft, table: Table, operation: CreateTable) -> tuple[Table, set[str]]:
    """The table with its columns, and those for which it says itself that they are NOT NULL."""
    complete = table.complete
    columns: tuple[Column, ...] = ()
    if table.parents:
        found, known = inherited_columns(draft, table.parents, partition=operation.partition_of is not None)
        columns, complete = found, complete and known
    if table.of_type is not None:
        row = draft.known(table.of_type)
        columns = row.attributes if isinstance(row, CompositeType) else ()
        complete = complete and isinstance(row, CompositeType)
    own = [stored_column(draft, table, column) for column in operation.columns]
    required = {column.name for column in own if column.not_null}
    for like in reversed(operation.likes):
        copied = like_columns(draft, table, like)
        complete = complete and copied is not None
        own[like.position : like.position] = copied or ()
    typed = operation.partition_of is not None or table.of_type is not None
    return replace(table, columns=merged_columns(columns, own, typed=typed), complete=complete), required


def _create_with_constraints(draft: Draft, table: Table, required: set[str], operation: CreateTable) -> None:
    """Write the table: checks, the parent's indexes, LIKE's, keys (the primary key first), foreign keys, in order."""
    given = [c for column in operation.columns if column.constraints for c in inline_constraints(column)]
    given.extend(operation.constraints)
    # A new table has no rows that could violate what is written NOT VALID.
    given = [replace(c, validated=True) if not c.validated and c.enforced else c for c in given]
    if table.parents:
        table = inherited_checks(draft, table)
    keys: list[Constraint] = []
    foreign_keys: list[Constraint] = []
    for constraint in given:
        if constraint.kind == "check":
            table = _add_own_check(draft, table, constraint)
        elif constraint.kind == "not_null":
            table = _add_own_not_null(draft, table, constraint)
        else:
            required.update(constraint.columns if constraint.kind == "primary_key" else ())
            (foreign_keys if constraint.kind == "foreign_key" else keys).append(constraint)
    if draft.version >= 18:
        for like in operation.likes:
            table = like_not_nulls(draft, table, like)
        table = with_not_nulls(draft, table, required)
    if operation.partition_of is not None:
        draft.put(table)
        become_partition(draft, table.name, draft.resolve(operation.partition_of))
        table = draft.known_table(table.name) or table
    for like in operation.likes:
        table = copy_like(draft, table, like)
    for constraint in (*distinct_keys(keys), *foreign_keys):
        table = add_constraint(draft, table, constraint)
    draft.put(table)


def _add_own_not_null(draft: Draft, table: Table, constraint: Constraint) -> Table:
    """NOT NULL of the new table itself; one inherited is merged with it."""
    if draft.version < CONSTRAINTS_SINCE or not any(not_null_of(table, column) for column in constraint.columns):
        return add_constraint(draft, table, constraint)
    for column in constraint.columns:
        table = not_null_column(own_not_null(draft, table, column, constraint), column)
    return table


def _add_own_check(draft: Draft, table: Table, constraint: Constraint) -> Table:
    """A check of the new table itself; one inherited under the same name is merged with it."""
    for old in table.constraints:
        if constraint.name is not None and old.name == constraint.name:
            if not old.inherited:
                raise Refused
            return replaced(table, old, replace(old, local=True))
    return with_constraint(table, named_check(draft, table, constraint))


def distinct_keys(constraints: list[Constraint]) -> list[Constraint]:
    """Keys of one CREATE TABLE in the order they are made: the primary key first, one that repeats another left out."""
    if len(constraints) < 2:
        return constraints
    ordered = sorted(constraints, key=lambda constraint: constraint.kind != "primary_key")
    kept: list[Constraint] = []
    for constraint in ordered:
        for place, prior in enumerate(kept):
            if _same_key(constraint, prior):
                kept[place] = replace(prior, name=prior.name or constraint.name)
                break
        else:
            kept.append(constraint)
    return kept


def _same_key(one: Constraint, other: Constraint) -> bool:
    return (
        key_elements(one) == key_elements(other)
        and one.include == other.include
        and one.where == other.where
        and (one.method or "btree") == (other.method or "btree")
        and one.nulls_not_distinct == other.nulls_not_distinct
        and one.deferrable == other.deferrable
        and one.initially_deferred == other.initially_deferred
    )


def create_table_as(draft: Draft, operation: CreateTableAs) -> None:
    """CREATE TABLE AS: the columns the query gives, without constraints or defaults."""
    name = draft.creation_name(operation.target, operation.persistence == "temporary")
    unsure = operation.if_not_exists and not draft.absent(name)
    _query, columns = stored_query(draft, operation.query, operation.column_names)
    draft.create(
        Table(
            name,
            columns=columns or (),
            complete=columns is not None and not unsure,
            persistence=operation.persistence,
            options=operation.options,
            tablespace=operation.tablespace,
            method=operation.method,
        )
    )


# --- properties of the whole table ------------------------------------------------------------------------------------


def set_table_options(draft: Draft, operation: SetTableOptions) -> None:
    """SET (…), RESET (…) and OPTIONS (…) of a table, view or index."""
    name = draft.resolve(operation.target)
    relation = draft.known(name)
    if not isinstance(relation, View | Index):
        relation = draft.altered_table(operation.target, operation.if_exists)
    draft.put(replace(relation, options=changed_options(relation.options, operation.options, operation.reset)))


def cluster_on(draft: Draft, operation: ClusterOn) -> None:
    """CLUSTER ON."""
    if isinstance(draft.known(draft.resolve(operation.target)), View):
        return
    table = draft.altered_table(operation.target, operation.if_exists)
    if draft.get(Name(table.name.schema, operation.index)) is None:
        raise Refused
    draft.put(replace(table, clustered_on=operation.index))


def set_without_cluster(draft: Draft, operation: SetWithoutCluster) -> None:
    """SET WITHOUT CLUSTER."""
    if not isinstance(draft.known(draft.resolve(operation.target)), View):
        draft.put(replace(draft.altered_table(operation.target, operation.if_exists), clustered_on=None))


def set_persistence(draft: Draft, operation: SetLogged | SetUnlogged) -> None:
    """SET LOGGED and SET UNLOGGED, of a table with its owned sequences (PostgreSQL 15), or of a sequence."""
    logged = isinstance(operation, SetLogged)
    relation = draft.known(draft.resolve(operation.target))
    if isinstance(relation, Sequence):
        draft.put(replace(relation, persistence="permanent" if logged else "unlogged"))
        return
    table = draft.altered_table(operation.target, operation.if_exists)
    if table.persistence == "temporary":
        raise Refused
    draft.put(replace(table, persistence="permanent" if logged else "unlogged"))
    if draft.version >= 15:
        for name in draft.dependents_of.get(table.name, ()):
            sequence = draft.known(name)
            if isinstance(sequence, Sequence) and sequence.owner_table == table.name:
                draft.put(replace(sequence, persistence="permanent" if logged else "unlogged"))


def set_tablespace(draft: Draft, operation: SetTablespace) -> None:
    """SET TABLESPACE of a table or index; the database's default is not told apart from a named one."""
    relation = draft.known(draft.resolve(operation.target))
    if isinstance(relation, View):
        return
    if not isinstance(relation, Index):
        relation = draft.altered_table(operation.target, operation.if_exists)
    draft.put(replace(relation, tablespace=operation.tablespace))


def move_all_in_tablespace(draft: Draft, operation: MoveAllInTablespace) -> None:
    """ALTER … ALL IN TABLESPACE: it names no relation, so every one is looked at."""
    kind: type[Table | Index] = Index if operation.object_kind == "index" else Table
    for relation in list(draft.relations.values()):
        if isinstance(relation, kind) and relation.tablespace == operation.source:
            draft.put(replace(relation, tablespace=operation.destination))


def set_access_method(draft: Draft, operation: SetAccessMethod) -> None:
    """SET ACCESS METHOD."""
    if not isinstance(draft.known(draft.resolve(operation.target)), View):
        draft.put(replace(draft.altered_table(operation.target, operation.if_exists), method=operation.method))


def set_replica_identity(draft: Draft, operation: SetReplicaIdentity) -> None:
    """REPLICA IDENTITY."""
    if isinstance(draft.known(draft.resolve(operation.target)), View):
        return
    table = draft.altered_table(operation.target, operation.if_exists)
    if operation.index is not None and draft.get(Name(table.name.schema, operation.index)) is None:
        raise Refused
    draft.put(replace(table, replica_identity=operation.identity, replica_index=operation.index))


def set_row_security(draft: Draft, operation: SetRowSecurity) -> None:
    """ENABLE, DISABLE, FORCE and NO FORCE ROW LEVEL SECURITY."""
    table = draft.altered_table(operation.target, operation.if_exists)
    if operation.action in ("enable", "disable"):
        draft.put(replace(table, row_security=operation.action == "enable"))
    else:
        draft.put(replace(table, force_row_security=operation.action == "force"))


def set_of_type(draft: Draft, operation: SetOfType) -> None:
    """OF and NOT OF."""
    table = draft.altered_table(operation.target, operation.if_exists)
    kind = draft.resolve_type_name(operation.type) if operation.type is not None else None
    draft.put(replace(table, of_type=kind))
