"""What writing rows locks beside the table written: sequences of defaults, and the other side of foreign keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dflint.facts import subjects
from dflint.facts.role_steps import indexes, planned, referencing, sequences, tree
from dflint.model.catalog import Sequence, Table
from dflint.model.context import Context
from dflint.model.dependencies import sequences_named
from dflint.model.names import Name
from dflint.model.schema import Query


def default_sequences(context: Context) -> Iterable[Name]:
    """Sequences that defaults of the columns an INSERT leaves out take a value from"""
    operation, name, table = context.operation, subjects.table_name(context), subjects.table(context)
    if not isinstance(name, Name) or not isinstance(table, Table) or operation.kind != "insert":
        return ()
    written = set(_given(context, table))
    left_out = [column for column in table.columns if column.name not in written]
    found = {each for column in left_out if column.default is not None for each in sequences_named(column.default)}
    identities = {column.name for column in left_out if column.identity}
    for each in sequences((name,), context.catalog):
        owned = context.catalog.relations.get(each)
        if isinstance(owned, Sequence) and owned.owner_column in identities:
            found.add(each)
    return found


def _given(context: Context, table: Table) -> Iterable[str]:
    """The columns that an INSERT gives values for; where neither it nor the catalog tells, all of them."""
    operation = context.operation
    columns: Iterable[str] = getattr(operation, "columns", ())
    if columns or getattr(operation, "source", "") == "default":
        return columns
    query = getattr(operation, "query", None)
    width = getattr(operation, "width", 0) or (query_width(query, context) if isinstance(query, Query) else None)
    return [column.name for column in table.columns[:width]]


def query_width(query: Query, context: Context) -> int | None:
    """How many columns a query gives; None where that cannot be told."""
    count = 0
    for name, source in query.columns:
        if name != "*":
            count += 1
            continue
        whole = source if source is not None else query.reads[0] if len(query.reads) == 1 else None
        found = None if whole is None else context.relation(whole)
        columns = getattr(found, "columns", None)
        if columns is None or (isinstance(found, Table) and not found.complete):
            return None
        count += len(columns)
    return count or None


def queried(context: Context) -> Iterable[Name]:
    """All that planning the statement's own reading locks: what it reads, what is behind that, and the indexes"""
    return _planned(context, _reads(context))


def row_locked(context: Context) -> Iterable[Name]:
    """The same, for the relations whose rows FOR UPDATE and its kin lock"""
    query = getattr(context.operation, "query", None)
    if not isinstance(query, Query) or not query.locks_rows:
        return ()
    return _planned(context, query.locked or query.reads)


def written(context: Context) -> Iterable[Name]:
    """The table that UPDATE or DELETE writes, with what is behind it and the indexes"""
    target = context.target
    if target is None:
        return ()
    if getattr(context.operation, "only", False):
        return (target, *indexes((target,), context.catalog))
    return planned((target,), context.catalog, context.version)


def _reads(context: Context) -> Iterable[Name]:
    query = getattr(context.operation, "query", None)
    return (*getattr(context.operation, "reads", ()), *(query.reads if isinstance(query, Query) else ()))


def _planned(context: Context, names: Iterable[Name]) -> Iterable[Name]:
    query = getattr(context.operation, "query", None)
    only = query.only if isinstance(query, Query) else ()
    every = [context.resolve(name) for name in names if name not in only]
    alone = [context.resolve(name) for name in names if name in only]
    catalog, version = context.catalog, context.version
    return dict.fromkeys((*planned(every, catalog, version), *alone, *indexes(alone, catalog)))


def looking_back(context: Context) -> Iterable[Name]:
    """Tables in which rows that refer to the changed or deleted ones are looked for"""
    return _referring(context, {"no_action", "restrict"})


def following(context: Context) -> Iterable[Name]:
    """Tables whose rows change with those they refer to: ON DELETE or ON UPDATE CASCADE, SET NULL, SET DEFAULT"""
    return _referring(context, {"cascade", "set_null", "set_default"})


def _referring(context: Context, actions: Collection[str]) -> Iterable[Name]:
    operation, target = context.operation, context.target
    if target is None or operation.kind not in ("update", "delete"):
        return ()
    assigned = set(getattr(operation, "assigned", ()))
    found = []
    for name in referencing(tree((target,), context.catalog), context.catalog):
        table = context.catalog.relations.get(name)
        for key in table.constraints if isinstance(table, Table) else ():
            if key.references is None or not key.enforced:
                continue
            action = key.on_delete if operation.kind == "delete" else key.on_update
            columns = key.referenced_columns or _primary_key(context, key.references)
            if action in actions and (operation.kind == "delete" or assigned.intersection(columns)):
                found.append(name)
    return dict.fromkeys(found)


def _primary_key(context: Context, name: Name) -> Iterable[str]:
    table = context.catalog.relations.get(name)
    constraints = table.constraints if isinstance(table, Table) else ()
    return next((each.columns for each in constraints if each.kind == "primary_key"), ())


def checked_keys(context: Context) -> Iterable[Name]:
    """Tables in which foreign keys on the columns that INSERT or UPDATE writes are looked up"""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return ()
    if operation.kind == "update":
        written = set(getattr(operation, "assigned", ()))
    else:
        given = {column.name for column in table.columns if column.default is not None or column.identity}
        written = given | set(_given(context, table))
    keys = (constraint for constraint in table.constraints if constraint.references is not None and constraint.enforced)
    wanted = any if operation.kind == "update" else all
    return dict.fromkeys(
        key.references
        for key in keys
        if key.references is not None and wanted(column in written for column in key.columns)
    )
