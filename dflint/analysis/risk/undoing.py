"""Harm to the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.views import Question, StepView, counted, made_here, name_of
from dflint.model.names import Identity
from dflint.model.risk import Harm, RiskEvidence

#: What cannot be taken back by a statement that dflint knows, although nothing is lost.
_ADDING: Final = frozenset({"insert", "add_enum_value", "set_trigger_state"})


def undo_harms(view: StepView, question: Question) -> Iterator[Harm]:
    """What makes it hard to take a step back."""
    step = view.step
    lossy = [context for context in view.contexts if not made_here(context, question)]
    if step.undo.irreversible is not None and not question.circumstances.kept and (lossy or not view.contexts):
        kind = "not_undone" if all(context.operation.kind in _ADDING for context in lossy) else "irreversible"
        yield Harm(kind=kind, evidence=(RiskEvidence("undo", step.undo.irreversible),))
    for effects in view.effects:
        if effects.leftover_on_timeout:
            yield Harm(kind="leftover", evidence=(RiskEvidence("fact", effects.leftover_on_timeout),))
        if step.undo.sql:
            for identity in effects.rewrites:
                if question.is_old(name_of(identity)):
                    yield view.sized("undo_rewrites", identity, ())
    for context in view.contexts:
        operation = context.operation
        if operation.kind != "drop_constraint" or operation.target is None or step.undo.irreversible is not None:
            continue
        name = context.resolve(operation.target)
        if question.is_old(name) and question.lacks_constraint(name, getattr(operation, "name", "")):
            identity = str(Identity("table", (name.schema or "public", name.name)))
            yield Harm(kind="undo_checks", objects=(identity,), **counted(identity, view))
