"""Harm by locks: whom they stop, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.views import Question, StepView, name_of
from dflint.model.locks import blocks_reads, blocks_writes
from dflint.model.risk import Harm, RiskEvidence

_KINDS: Final = {"reads": "reads_blocked", "writes": "writes_blocked", "unknown": "reads_blocked"}
_MODES: Final = {"reads": blocks_reads, "writes": blocks_writes, "unknown": blocks_writes}


def locking_harms(view: StepView, question: Question) -> Iterator[Harm]:
    """What the locks of a step do to others."""
    for effects in view.effects:
        if effects.unknown:
            yield Harm(kind="not_known", missing=effects.unknown, evidence=view.facts(effects))
    step, circumstances = view.step, question.circumstances
    kind = _KINDS.get(step.lock_class)
    if kind is None:
        return
    locked = tuple(
        identity
        for identity, mode in step.locks.items()
        if _MODES[step.lock_class](mode) and question.is_old(name_of(identity))
    )
    if not locked and step.lock_class != "unknown":
        return
    quantities = question.calls(locked)
    evidence = (*(RiskEvidence("fact", fact) for fact in view.fact_ids()), *question.traffic(quantities))
    if not circumstances.guarded and not circumstances.window_minutes:
        yield Harm(kind="strong_lock", objects=locked, quantities=quantities, evidence=evidence)
    missing: tuple[str, ...] = ()
    if step.lock_class == "unknown":
        missing = ("which locks it takes",)
    if step.estimate is None:
        missing = (*missing, "how long it takes")
    else:
        quantities = {**quantities, "seconds": step.estimate.high_s}
        words = f"{step.estimate.low_s:g} to {step.estimate.high_s:g} s, estimated: {step.estimate.basis}"
        evidence = (*evidence, RiskEvidence("estimate", words, step.estimate.high_s))
        if not missing and step.estimate.high_s <= circumstances.window_minutes * 60:
            return
    yield Harm(kind=kind, objects=locked, quantities=quantities, evidence=evidence, missing=missing)
