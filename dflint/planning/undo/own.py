"""What a plan does to the relations that it creates itself: taking their creation back takes that back too."""

from __future__ import annotations

from typing import Final

from dflint.model.context import Context
from dflint.model.operations import data, objects, tables
from dflint.model.schema import Query

#: What these do to a relation is gone when the relation is; others may reach further.
_WITHIN: Final = (
    data.Insert,
    data.Update,
    data.Delete,
    data.Truncate,
    data.Merge,
    data.Copy,
    tables.ColumnOperation,
    tables.AddConstraintOperation,
    tables.AlterConstraint,
    tables.ValidateConstraint,
    tables.DropConstraint,
    tables.SetTableOptions,
    tables.SetTablespace,
    tables.SetTriggerState,
    tables.SetRuleState,
    objects.ChangeOwner,
    objects.Comment,
    objects.GrantPrivileges,
)


def is_own(context: Context) -> bool:
    """Whether it is about something that the plan itself creates alone, and that goes when that is taken back."""
    operation = context.operation
    if not isinstance(operation, _WITHIN) or operation.target is None or operation.conditional:
        return False
    query = getattr(operation, "query", None)
    if getattr(operation, "cascade", False) or (isinstance(query, Query) and (query.writes or query.functions)):
        return False
    return context.resolve(operation.target) in context.created
