"""Harm to data: what is gone, what is converted, and what nobody checks any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.going import UNTOLD, going, one_row, truncated
from dflint.analysis.risk.views import Question, StepView, column_identity, counted, identity_of, table_identity
from dflint.model.catalog import Index, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Delete, Truncate
from dflint.model.operations.objects import DropObject
from dflint.model.operations.tables import (
    AlterColumnType,
    DropColumn,
    DropConstraint,
    SetRowSecurity,
    SetTriggerState,
    SetUnlogged,
)
from dflint.model.risk import Harm

#: What goes with them is what they are about.
_LOOSENING: Final = frozenset({"drop-default", "drop-not-null"})


def row_harms(view: StepView, question: Question) -> Iterator[Harm]:
    """What a step does to data."""
    for context in view.contexts:
        operation = context.operation
        if not question.circumstances.kept:
            yield from _gone(context, view, question)
        yield from _guards_lost(context, question)
        if operation.target is None or not question.is_old(context.resolve(operation.target)):
            continue
        identity = table_identity(context, operation.target)
        if isinstance(operation, Delete):
            yield Harm(
                kind="rows_lost", objects=(identity,), **counted(identity, view, one=one_row(context, operation))
            )
        elif isinstance(operation, Truncate):
            for each in truncated(context, operation, tuple(one for found in view.effects for one in found.rewrites)):
                yield Harm(kind="rows_lost", objects=(each,), **counted(each, view))
        elif isinstance(operation, SetUnlogged):
            yield Harm(kind="not_crash_safe", objects=(identity,), **counted(identity, view))
        elif isinstance(operation, DropColumn):
            if not question.circumstances.kept and _stored(context, operation, question):
                column = column_identity(context, operation.target, operation.column)
                yield Harm(kind="values_lost", objects=(column,), **counted(identity, view))
        elif isinstance(operation, AlterColumnType):
            if any(identity in each.rewrites for each in view.effects):
                column = column_identity(context, operation.target, operation.column)
                yield Harm(kind="values_changed", objects=(column,), **counted(identity, view))
        elif isinstance(operation, DropConstraint):
            yield from _unchecked(context, operation, question)
    count = _dropped_along(view, question)
    if count:
        yield Harm(kind="dropped_along", objects=count, quantities={"count": float(len(count))})


def _gone(context: Context, view: StepView, question: Question) -> Iterator[Harm]:
    """Rows and values that go with what is dropped, whether it is named or not."""
    operation = context.operation
    if operation.kind in UNTOLD or (operation.kind == "drop_extension" and getattr(operation, "cascade", False)):
        yield Harm(kind="rows_lost", missing=(f"what goes with {operation.kind.replace('_', ' ')}",))
    named = operation.target if isinstance(operation, DropObject) and operation.object_kind == "table" else None
    if named is not None and question.is_old(context.resolve(named)):
        identity = table_identity(context, named)
        yield Harm(kind="rows_lost", objects=(identity,), **counted(identity, view))
    found = going(context)
    for name in found.relations:
        if isinstance(context.catalog.relations.get(name), Table) and question.is_old(name):
            identity = identity_of(name, context.catalog)
            yield Harm(kind="rows_lost", objects=(identity,), **counted(identity, view))
    for name, column in found.columns:
        if question.is_old(name):
            lost = str(Identity("column", (name.schema or "public", name.name, column)))
            yield Harm(kind="values_lost", objects=(lost,), **counted(identity_of(name, context.catalog), view))


def _guards_lost(context: Context, question: Question) -> Iterator[Harm]:
    """Triggers and row security that no longer look at rows."""
    operation = context.operation
    off = (
        (isinstance(operation, SetRowSecurity) and operation.action in ("disable", "no_force"))
        or (isinstance(operation, SetTriggerState) and operation.state in ("disable", "replica"))
        or (isinstance(operation, DropObject) and operation.object_kind in ("trigger", "policy", "rule"))
    )
    table = getattr(operation, "on", None) or operation.target
    if off and table is not None and _guarded(operation, context.resolve(table), question):
        yield Harm(kind="guard_lost", objects=(table_identity(context, table),))


def _guarded(operation: Operation, table: Name, question: Question) -> bool:
    """Whether what goes was, or may have been, there before the plan: its own triggers guard nothing of others."""
    before = question.catalog.relation(table)
    if isinstance(operation, DropObject) and operation.target is not None and isinstance(before, Table | View):
        parts = {
            "trigger": [each.name for each in before.triggers],
            "policy": [each.name for each in getattr(before, "policies", ())],
            "rule": [*before.rules],
        }
        return operation.target.name in parts[operation.object_kind] or not getattr(before, "complete", True)
    return before is not None


def _dropped_along(view: StepView, question: Question) -> tuple[str, ...]:
    """Objects beyond what is named and its own parts; with CASCADE also what would have stood in the way."""
    cascades = any(getattr(context.operation, "cascade", False) for context in view.contexts)
    effects = ("auto_dropped", "blocks") if cascades else ("auto_dropped",)
    return tuple(
        sorted(
            {
                each.identity
                for impact in view.impacts
                for each in impact.dependents
                if each.effect in effects
                and impact.operation not in _LOOSENING
                and not _is_part(each.identity, impact.target, question)
            }
        )
    )


def _is_part(identity: str, target: str, question: Question) -> bool:
    """Whether an object is a part of the table that is dropped: nobody is surprised that it goes."""
    whole, part = Identity.parse(target), Identity.parse(identity)
    if whole.kind not in ("table", "materialized_view", "view", "foreign_table"):
        return False
    if part.kind in ("index", "sequence"):
        found = question.catalog.relation(Name(part.parts[0], part.parts[1]))
        owner = found.table if isinstance(found, Index) else getattr(found, "owner_table", None)
        return owner == Name(whole.parts[0], whole.parts[1])
    return len(part.parts) > 2 and part.parts[:2] == whole.parts[:2]


def _stored(context: Context, operation: DropColumn, question: Question) -> bool:
    """Whether the column was there, with values of its own; one that is not known may have been."""
    table = question.catalog.relation(context.resolve(operation.target))
    if not isinstance(table, Table):
        return True
    column = table.column(operation.column)
    return column is not None and getattr(column, "generation", "") == ""


def _unchecked(context: Context, operation: DropConstraint, question: Question) -> Iterator[Harm]:
    name = context.resolve(operation.target)
    table, after = question.catalog.relation(name), question.after.relation(name)
    constraint = table.constraint(operation.name) if isinstance(table, Table) else None
    if isinstance(table, Table) and constraint is None:
        return  # The plan itself had added it.
    if isinstance(after, Table) and after.constraint(operation.name) is not None:
        return  # And it is back at the end.
    kind = "fk" if getattr(constraint, "kind", None) == "foreign_key" else "constraint"
    yield Harm(kind="unchecked", objects=(str(Identity(kind, (name.schema or "public", name.name, operation.name))),))
