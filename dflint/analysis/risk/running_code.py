"""Harm to what uses the schema: the running application, and objects of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.going import going
from dflint.analysis.risk.views import Question, column_identity, identity_of, table_identity
from dflint.model.catalog import Catalog, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.tables import (
    AddColumn,
    AddConstraintOperation,
    AlterColumnType,
    DropColumnDefault,
    SetNotNull,
)
from dflint.model.risk import Harm, RiskEvidence
from dflint.model.schema import Column

_EFFECTS: Final = {
    "breaks_later": "dependents_break",
    "changes": "dependents_change",
    "unknown": "dependents_unknown",
}


#: Objects other than relations whose names, or values, statements of the application use.
_NAMELESS: Final = frozenset(
    {
        f"{verb}_{kind}"
        for verb in ("drop", "rename")
        for kind in ("function", "procedure", "routine", "aggregate", "sequence", "type", "domain", "extension")
    }
    | {"rename_enum_value", "drop_owned", "drop_database", "rename_database"}
)


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
        identity = identity_of(name, question.catalog)
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
            for name in _meant(context, catalog):
                found = catalog.relation(name)
                if name not in seen and isinstance(found, Table | View):
                    yield name, _columns(found)
                seen.add(name)


def _meant(context: Context, catalog: Catalog) -> Iterator[Name]:
    """The relations whose names an operation may take away."""
    target = context.operation.target
    if target is None:
        return
    if context.operation.kind == "rename_schema":
        yield from (name for name in sorted(catalog.relations) if name.schema == target.name)
    else:
        yield context.resolve(target)
        found = going(context)
        yield from (*found.relations, *(name for name, _ in found.columns))


def _columns(relation: object) -> frozenset[str] | None:
    if isinstance(relation, Table):
        return frozenset(column.name for column in relation.columns) if relation.complete else None
    if isinstance(relation, View):
        return None if relation.columns is None else frozenset(column.name for column in relation.columns)
    return None


def _stricter(context: Context, question: Question) -> Iterator[Harm]:
    operation = context.operation
    if operation.kind == "revoke":
        yield Harm(kind="access_refused", objects=() if operation.target is None else (str(operation.target),))
    elif operation.kind in _NAMELESS:
        yield Harm(kind="object_name_gone", objects=() if operation.target is None else (str(operation.target),))
    if operation.target is None or not question.is_old(context.resolve(operation.target)):
        return
    if isinstance(operation, AlterColumnType):
        yield Harm(kind="type_changed", objects=(column_identity(context, operation.target, operation.column),))
    elif isinstance(operation, SetNotNull) or _needs_value(context):
        assert isinstance(operation, SetNotNull | DropColumnDefault)
        yield Harm(kind="writes_refused", objects=(column_identity(context, operation.target, operation.column),))
    elif isinstance(operation, AddConstraintOperation):
        yield Harm(kind="writes_refused", objects=(table_identity(context, operation.target),))
    elif isinstance(operation, AddColumn) and _required(operation):
        yield Harm(kind="writes_refused", objects=(column_identity(context, operation.target, operation.column.name),))


def _needs_value(context: Context) -> bool:
    """Whether a default goes that stands in for a value that a column must have."""
    operation = context.operation
    if not isinstance(operation, DropColumnDefault):
        return False
    table = context.table(operation.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    return not isinstance(column, Column) or column.not_null


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
