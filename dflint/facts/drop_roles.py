"""Roles in what goes and what stays: relations that a statement drops, and those that lose a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dflint.facts import subjects
from dflint.facts.base_roles import dependents
from dflint.facts.dependents import Removed, identities_of, looked_at_below, removed_with, subject_identities
from dflint.model.catalog import Relation, Table, View
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.schema import Column


def view(context: Context) -> Iterable[Name]:
    """Views on the target that CASCADE drops"""
    target = subjects.relation_name(context)
    if target is None or not getattr(context.operation, "cascade", False):
        return ()
    views = tuple(name for name, relation in dependents(context, target) if isinstance(relation, View))
    if context.foresee is None:
        return views
    gone = frozenset(dropped(context))
    return tuple(name for name in views if name in gone)


def dropped(context: Context) -> Iterable[Name]:
    """Relations that exist no more when the operation is done: with CASCADE whatever depends on the target"""
    gone = _foreseen(context, lambda _old, new: new is None)
    if context.foresee is None or not context.catalog.details.dependencies:
        return gone
    return dict.fromkeys((*gone, *sorted(_removed(context).dropped)))


def loses(context: Context) -> Iterable[Name]:
    """Tables and views that stay, but lose a part with what is dropped: a column, constraint, default, trigger, rule
    or policy
    """
    losing = _foreseen(context, _has_lost)
    if context.foresee is not None and context.catalog.details.dependencies:
        losing = (*losing, *sorted(_removed(context).losing))
    return dict.fromkeys(losing)


def _removed(context: Context) -> Removed:
    gone = _foreseen(context, lambda _old, new: new is None)
    start = [*subject_identities(context), *(text for name in gone for text in identities_of(context.catalog, name))]
    return removed_with(context, start)


def _foreseen(context: Context, wanted: Callable[[Relation, Relation | None], bool]) -> Iterable[Name]:
    if context.foresee is None:
        return ()
    change, before = context.foresee(), context.catalog.relations
    after = change.after.relations
    return tuple(
        name
        for name in sorted(change.touched)
        if (old := before.get(name)) is not None and wanted(old, after.get(name))
    )


def _has_lost(old: Relation, new: Relation | None) -> bool:
    if isinstance(old, Table) and isinstance(new, Table):
        lost = any(len(getattr(new, field)) < len(getattr(old, field)) for field in _PARTS)
        return lost or any(_has_default(old, column.name) and column.default is None for column in new.columns)
    if isinstance(old, View) and isinstance(new, View):
        return len(new.triggers) < len(old.triggers) or len(new.rules) < len(old.rules)
    return False


_PARTS = ("columns", "constraints", "triggers", "rules", "policies")


def _has_default(table: Table, name: str) -> bool:
    column = table.column(name)
    return isinstance(column, Column) and column.default is not None


BASES: Mapping[str, Callable[[Context], Iterable[Name]]] = {
    "view": view,
    "dropped": dropped,
    "loses": loses,
    "looked_at_below": looked_at_below,
}
