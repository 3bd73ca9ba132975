"""Checks about indexes."""

from __future__ import annotations

from dflint.model.catalog import Index, Table, View
from dflint.model.context import Context, Hit
from dflint.model.operations.base import Operation


def build_blocks(operation: Operation, context: Context) -> Hit | None:
    """CREATE INDEX without CONCURRENTLY: whom it keeps waiting depends on what it is on."""
    if operation.target is None:
        return None
    found = context.relation(operation.target)
    if isinstance(found, View):
        return Hit(
            f"CREATE INDEX holds a SHARE lock on the materialized view {operation.target} until the whole index is"
            " built: REFRESH waits meanwhile, queries do not.",
            level="info",
        )
    if isinstance(found, Table) and found.partition_by is not None:
        return Hit(
            f"CREATE INDEX on the partitioned table {operation.target} builds an index on each partition and holds"
            " SHARE locks on all of them until the last one is built: nobody can write to any of them meanwhile.",
        )
    return Hit()


def drop_blocks(operation: Operation, context: Context) -> Hit | None:
    """DROP INDEX without CONCURRENTLY, where CONCURRENTLY would be possible and there is something to drop."""
    if operation.target is None:
        return None
    found = context.relation(operation.target)
    if found is None:
        return None  # IF EXISTS, and there is none
    if not isinstance(found, Index):
        return Hit()
    table = context.catalog.table(found.table)
    if found.constraint is not None or (isinstance(table, Table) and table.partition_by is not None):
        return None  # both are refused with CONCURRENTLY; the former without, too
    return Hit()


def drop_refused(operation: Operation, context: Context) -> Hit | None:
    """DROP INDEX CONCURRENTLY in a form that is refused; said once for each statement."""
    if operation.target is None or operation is not context.statement.operations[0]:
        return None
    found = context.relation(operation.target)
    table = context.catalog.table(found.table) if isinstance(found, Index) else None
    if len(context.statement.operations) > 1:
        what = "of several indexes (0A000)"
    elif getattr(operation, "cascade", False):
        what = "with CASCADE (0A000)"
    elif isinstance(found, Index) and found.constraint is not None:
        what = f"because the constraint {found.constraint} of {found.table} stands on {operation.target} (2BP01)"
    elif isinstance(table, Table) and table.partition_by is not None:
        what = f"because {table.name} is partitioned (0A000)"
    else:
        return None
    return Hit(values={"what": what})
