"""Harm to what uses the schema: the running application, and objects of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.views import Question, column_identity, table_identity
from dflint.model.catalog import Catalog, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.tables import AddColumn, AddConstraintOperation, AlterColumnType, SetNotNull
from dflint.model.risk import Harm, RiskEvidence

_EFFECTS: Final = {
    "breaks_later": "dependents_break",
    "changes": "dependents_change",
    "unknown": "dependents_unknown",
}


def code_harms(question: Question) -> Iterator[Harm]:
    """What a plan as a whole does to running code."""
    if not question.circumstances.code_ready and not question.circumstances.window_minutes:
        yield from _names_gone(question)
        for view in question.steps:
            for context in view.contexts:
                yield from _stricter(context, question)
    for effect, kind in _EFFECTS.items():
        found = {
            each.identity: each
            for view in question.steps
            for impact in view.impacts
            for each in impact.dependents
            if each.effect == effect and not _mended(each.identity, question)
        }
        if found:
            words = [f"{one}: {each.evidence[0].detail}" for one, each in sorted(found.items()) if each.evidence]
            yield Harm(
                kind=kind,
                objects=tuple(sorted(found)),
                quantities={"count": float(len(found))},
                evidence=tuple(RiskEvidence("dependents", each) for each in words[:10]),
            )


def _names_gone(question: Question) -> Iterator[Harm]:
    """Names that mean something before the plan, and nothing after it."""
    for name, columns in _named(question.catalog, question):
        identity = str(Identity("table", (name.schema or "public", name.name)))
        quantities = question.calls((identity,))
        evidence = question.traffic(quantities)
        after = question.after.relation(name)
        if after is None:
            yield Harm(kind="table_name_gone", objects=(identity,), quantities=quantities, evidence=evidence)
            continue
        there = _columns(after)
        if columns is None or there is None:
            continue
        for column in columns - there:
            gone = str(Identity("column", (name.schema or "public", name.name, column)))
            yield Harm(kind="column_name_gone", objects=(gone,), quantities=quantities, evidence=evidence)


def _named(catalog: Catalog, question: Question) -> Iterator[tuple[Name, frozenset[str] | None]]:
    """The tables and views that operations are about and that are there, or may be, with their columns."""
    seen: set[Name] = set()
    for view in question.steps:
        for context in view.contexts:
            target = context.operation.target
            name = None if target is None else context.resolve(target)
            if name is None or name in seen:
                continue
            seen.add(name)
            found = catalog.relation(name)
            if isinstance(found, Table | View):
                yield name, _columns(found)


def _columns(relation: object) -> frozenset[str] | None:
    if isinstance(relation, Table):
        return frozenset(column.name for column in relation.columns) if relation.complete else None
    if isinstance(relation, View):
        return None if relation.columns is None else frozenset(column.name for column in relation.columns)
    return None


def _stricter(context: Context, question: Question) -> Iterator[Harm]:
    operation = context.operation
    if operation.target is None or not question.is_old(context.resolve(operation.target)):
        return
    if isinstance(operation, AlterColumnType):
        yield Harm(kind="type_changed", objects=(column_identity(context, operation.target, operation.column),))
    elif isinstance(operation, SetNotNull):
        yield Harm(kind="writes_refused", objects=(column_identity(context, operation.target, operation.column),))
    elif isinstance(operation, AddConstraintOperation):
        yield Harm(kind="writes_refused", objects=(table_identity(context, operation.target),))
    elif isinstance(operation, AddColumn) and _required(operation):
        yield Harm(kind="writes_refused", objects=(column_identity(context, operation.target, operation.column.name),))


def _required(operation: AddColumn) -> bool:
    """Whether the column may not be null: code that does not know it writes the default, or fails without one."""
    column = operation.column
    return column.not_null or any(each.kind in ("not_null", "primary_key") for each in column.constraints)


def _mended(identity: str, question: Question) -> bool:
    """Whether the plan changes the dependent itself: it was seen to."""
    parts = Identity.parse(identity)
    if parts.kind not in ("function", "procedure", "view", "materialized_view"):
        return False
    name = parts.parts[1].partition("(")[0] if len(parts.parts) > 1 else parts.parts[0]
    return any(
        context.operation.kind in ("create_function", "create_procedure", "create_view")
        and context.operation.target is not None
        and context.operation.target.name == name
        for view in question.steps
        for context in view.contexts
    )
