"""What an output format of ``dflint plan`` is: a pure function from a plan to text."""

from __future__ import annotations

from collections.abc import Callable

from dflint.model.plan_report import PlanReport
from dflint.plugin.reporters import Output

#: A reporter of plans: pure, and the text it returns is the whole document, with its final line feed.
PlanReporter = Callable[[PlanReport, Output], str]
