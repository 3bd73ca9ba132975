"""Whether changes of rows can be published: the server refuses UPDATE and DELETE that subscribers could not follow.

A table has a replica identity where it has a primary key that is not deferrable, was given an index for it, or all of
its columns are. Each table whose rows the plan may change is looked at, so a partition for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from dflint.facts import role_steps
from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, Catalog, Index, Publication, Table, Unknown
from dflint.model.context import Context
from dflint.model.names import Name

Answer = bool | Unknown


class _Written(NamedTuple):
    """A table that is written, and what publishes it: the publication, and the name by which it is listed there."""

    table: Table
    published: tuple[tuple[Publication, Name], ...]


def identity_missing(context: Context) -> Answer:
    """A table that is written has no replica identity, and a publication publishes such changes of it."""

    def refuses(written: _Written) -> bool:
        return bool(written.published) and _identity(written.table, context.catalog) is None

    return _of_written(context, refuses)


def identity_hidden(context: Context) -> Answer:
    """A publication's column list lacks columns of the replica identity, or its row filter uses others."""

    def refuses(written: _Written) -> bool:
        columns, whole = _identity(written.table, context.catalog), written.table.replica_identity == "full"
        for publication, name in written.published:
            listed = next((names for table, names in publication.columns if table == name), None)
            used = next((expr.columns() for table, expr in publication.filters if table == name), ())
            # Not even a list of all columns will do where the whole row is the identity.
            if listed is not None and (whole or not (columns or frozenset()).issubset(listed)):
                return True
            if not whole and not (columns or frozenset()).issuperset(used):
                return True
        return False

    return _of_written(context, refuses)


def _of_written(context: Context, refuses: Callable[[_Written], bool]) -> Answer:
    catalog, target, changes = context.catalog, context.target, _changes(context)
    if target is None or not changes:
        return False
    table = catalog.relation(target)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    answers = [refuses(written) for written in _written(context, target, changes)]
    if not any(answers):
        return False if catalog.closed else UNKNOWN
    # The condition may leave partitions out.
    pruned = table.partition_by is not None and getattr(context.operation, "where", None) is not None
    return UNKNOWN if pruned and not all(answers) else True


def _written(context: Context, target: Name, changes: AbstractSet[str]) -> Iterator[_Written]:
    catalog = context.catalog
    names = (target,) if getattr(context.operation, "only", False) else role_steps.tree((target,), catalog)
    for name in dict.fromkeys(names):
        table = catalog.relations.get(name)
        if isinstance(table, Table) and role_steps.has_file(table, catalog) and table.persistence == "permanent":
            found = (
                (publication, listed)
                for publication, listed in _publishing(name, table, catalog)
                if publication.operations is None or not changes.isdisjoint(publication.operations)
            )
            yield _Written(table, tuple(found))


def _changes(context: Context) -> AbstractSet[str]:
    operation = context.operation
    if operation.kind == "insert":
        return {"update"} if getattr(operation, "on_conflict", "") == "update" else set()
    if operation.kind == "merge":
        return {"update", "delete"}.intersection(getattr(operation, "actions", ()))
    return {operation.kind}


def _identity(table: Table, catalog: Catalog) -> frozenset[str] | None:
    """The columns of a table's replica identity; None when it has none."""
    if table.replica_identity == "full":
        return frozenset(column.name for column in table.columns)
    if table.replica_identity == "nothing":
        return None
    if table.replica_identity == "index":
        name = None if table.replica_index is None else Name(table.name.schema, table.replica_index)
        index = None if name is None else catalog.relations.get(name)
        elements = index.elements if isinstance(index, Index) else ()
        return frozenset(each.column for each in elements if each.column is not None) or None
    key = next((each for each in table.constraints if each.kind == "primary_key" and not each.deferrable), None)
    return None if key is None else frozenset(key.columns)


def in_replica_index(table: Table, column: str, catalog: Catalog) -> bool:
    """Whether a column is part of the index that was made the table's replica identity."""
    if table.replica_index is None:
        return False
    index = catalog.relations.get(Name(table.name.schema, table.replica_index))
    return isinstance(index, Index) and any(each.column == column for each in index.elements)


def _publishing(name: Name, table: Table, catalog: Catalog) -> Iterator[tuple[Publication, Name]]:
    """The publications of a table, with the name under which each lists it: its own, or that of an ancestor."""
    own = [name] if table.bound is None else [name, *role_steps.partition_ancestors((name,), catalog)]
    for publication in catalog.publications.values():
        if publication is None:
            continue
        if publication.all_tables:
            yield publication, name
            continue
        for each in own:
            if each in publication.tables or each.schema in publication.schemas:
                yield publication, each


_NEEDED = "the publications and replica identity of {target}"

CONDITIONS: tuple[Condition, ...] = (
    Condition("replica_identity.missing", BOOL, identity_missing, _NEEDED),
    Condition("replica_identity.hidden", BOOL, identity_hidden, _NEEDED),
)
