"""What an output format of ``dflint impact`` is: a pure function from what a change does to text."""

from __future__ import annotations

from collections.abc import Callable

from dflint.model.uses import ImpactReport
from dflint.plugin.reporters import Output

#: A reporter of impacts: pure, and the text it returns is the whole document, with its final line feed.
ImpactReporter = Callable[[ImpactReport, Output], str]
