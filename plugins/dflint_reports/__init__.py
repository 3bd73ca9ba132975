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


@hookimpl
def dflint_plan_reporters() -> dict[str, str]:
    """The formats of ``dflint plan`` that are reports; text and the plan itself are dflint's own."""
    return {"html": "dflint_reports.plan.page:render"}


@hookimpl
def dflint_impact_reporters() -> dict[str, str]:
    """The formats of ``dflint impact`` that come with dflint."""
    formats = ("text", "dot", "mermaid", "svg", "html")
    return {name: f"dflint_reports.impact.{name}:render" for name in formats} | {
        "json": "dflint_reports.impact.document:render"
    }
