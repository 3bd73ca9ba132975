"""Statements that the server will refuse."""

from __future__ import annotations

from typing import Final

from dflint.model.context import Context, Hit
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AlterTableOperation

#: When the server looks at what a refusal is about, first to last.
_PHASES: Final = ("text", "lookup", "preparation", "execution", "constraints", "end")


def refused_by_server(operation: Operation, context: Context) -> Hit | None:
    """What replay cannot carry out, if a fact says why the server refuses it.

    Without a catalog only what the change itself shows counts: of a history, parts may lie elsewhere.
    """
    if context.refused is None or operation.inside or _in_passes(context):
        return None
    sure = context.refused(context)
    if sure is None or (sure.target is not None and sure.target.schema == "pg_temp"):
        # A temporary table may have gone with its session, or at the end of its transaction.
        return None
    for phase in _PHASES:
        refusal = context.knowledge.refusal(sure, phase)
        if refusal is not None:
            return Hit(values={"sqlstate": refusal.refused, "reason": refusal.note})
    return None


def _in_passes(context: Context) -> bool:
    """Whether the server works the statement off in another order than that of its text."""
    operations = context.statement.operations
    return isinstance(context.operation, AlterTableOperation) and len({each.kind for each in operations}) > 1
