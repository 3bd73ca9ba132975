"""Harm to the way back."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.risk.views import Question, StepView, counted, name_of
from dflint.model.names import Identity
from dflint.model.risk import Harm, RiskEvidence


def undo_harms(view: StepView, question: Question) -> Iterator[Harm]:
    """What makes it hard to take a step back."""
    step = view.step
    if step.undo.irreversible is not None and not question.circumstances.kept:
        yield Harm(kind="irreversible", evidence=(RiskEvidence("fact", step.undo.irreversible),))
    for effects in view.effects:
        if effects.leftover_on_timeout:
            yield Harm(kind="leftover", evidence=(RiskEvidence("fact", effects.leftover_on_timeout),))
        if step.undo.sql:
            for identity in effects.rewrites:
                if question.is_old(name_of(identity)):
                    yield view.sized("undo_rewrites", identity, ())
    for context in view.contexts:
        operation = context.operation
        if operation.kind != "drop_constraint" or operation.target is None:
            continue
        name = context.resolve(operation.target)
        if question.is_old(name) and question.lacks_constraint(name, getattr(operation, "name", "")):
            identity = str(Identity("table", (name.schema or "public", name.name)))
            yield Harm(kind="undo_checks", objects=(identity,), **counted(identity, view))
