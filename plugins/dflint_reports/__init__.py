"""dflint's own output formats, offered through the same door as a stranger's."""

from __future__ import annotations

from dflint.plugin import hookimpl


@hookimpl
def dflint_reporters() -> dict[str, str]:
    """The formats that come with dflint."""
    return {
        "full": "dflint_reports.full:render",
        "concise": "dflint_reports.concise:render",
        "json": "dflint_reports.lint_document:render",
        "github": "dflint_reports.github:render",
        "sarif": "dflint_reports.sarif:render",
    }
