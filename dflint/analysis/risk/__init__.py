"""Risk: the harm that the steps of a plan do, and how bad that is by the risk rules."""

from __future__ import annotations

from dflint.analysis.risk.scoring import assess, level_of
from dflint.analysis.risk.views import Question, StepView

__all__ = ["Question", "StepView", "assess", "level_of"]
