"""Harm by work: what is read, written and built, and what is dearer or slower from then on."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.risk.going import one_row
from dflint.analysis.risk.views import Question, StepView, counted, name_of, table_identity
from dflint.model.catalog import Index
from dflint.model.context import Context
from dflint.model.names import Identity
from dflint.model.operations.data import Delete, Merge, Update
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import CreateTrigger, DropObject
from dflint.model.operations.tables import AddForeignKey
from dflint.model.risk import Harm, RiskEvidence


def work_harms(view: StepView, question: Question) -> Iterator[Harm]:
    """What a step does to the server's speed."""
    for effects in view.effects:
        evidence = view.facts(effects)
        reads = tuple(each for each in effects.scans if each not in effects.rewrites)
        for kind, identities in (("heap_rewritten", effects.rewrites), ("table_read", reads)):
            for identity in identities:
                if question.is_old(name_of(identity)):
                    yield view.sized(kind, identity, evidence)
        old = tuple(each for each in effects.locks if question.is_old(name_of(each)))
        if effects.invalidates_prepared and old:
            yield Harm(kind="plans_invalidated", objects=old, evidence=evidence)
    for context in view.contexts:
        yield from _of_operation(context, view, question)


def _of_operation(context: Context, view: StepView, question: Question) -> Iterator[Harm]:
    operation = context.operation
    if isinstance(operation, Update | Delete | Merge):
        if question.is_old(context.resolve(operation.target)):
            identity = table_identity(context, operation.target)
            one = not isinstance(operation, Merge) and one_row(context, operation)
            yield Harm(kind="rows_rewritten", objects=(identity,), **counted(identity, view, one=one))
            if view.step.kind != "backfill":
                yield Harm(kind="rows_locked", objects=(identity,), **counted(identity, view, one=one))
    elif isinstance(operation, CreateIndex):
        table = operation.target
        if question.is_old(context.resolve(table)):
            identity = table_identity(context, table)
            yield view.sized("index_built", identity, ())
            yield _dearer(identity, question)
    elif isinstance(operation, AddForeignKey | CreateTrigger):
        assert operation.target is not None
        if question.is_old(context.resolve(operation.target)):
            yield _dearer(table_identity(context, operation.target), question)
    elif isinstance(operation, DropObject) and operation.object_kind == "index" and operation.target is not None:
        name = context.resolve(operation.target)
        index = question.catalog.relation(name)
        if index is not None and not (isinstance(index, Index) and _replaced(index, question)):
            yield _lost(str(Identity("index", (name.schema or "public", name.name))), question)


def _dearer(identity: str, question: Question) -> Harm:
    quantities = question.calls((identity,))
    return Harm(kind="writes_dearer", objects=(identity,), quantities=quantities, evidence=question.traffic(quantities))


def _replaced(index: Index, question: Question) -> bool:
    """Whether another index of the same shape is there at the end."""
    others = (question.after.relation(name) for name in question.after.indexes_of.get(index.table, ()))
    return any(
        isinstance(other, Index)
        and other.valid
        and (other.elements, other.where, other.method) == (index.elements, index.where, index.method)
        and other.unique >= index.unique
        for other in others
    )


def _lost(identity: str, question: Question) -> Harm:
    activity = question.activity
    uses = None if activity is None else activity.index_scans.get(identity)
    if activity is None or uses is None:
        return Harm(kind="index_lost", objects=(identity,), missing=("how often it is used",))
    since = "an unknown time" if activity.seconds is None else f"{activity.seconds / 86_400:.1f} days"
    words = f"{identity} was used {uses} times in {since}"
    return Harm(
        kind="index_lost",
        objects=(identity,),
        quantities={"uses": float(uses)},
        evidence=(RiskEvidence("traffic", words, float(uses)),),
    )
