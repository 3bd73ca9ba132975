"""One line per finding, for editors, grep and logs."""

from __future__ import annotations

from dflint.model.finding import Report
from dflint.plugin import Output
from dflint_reports.visible import visible
from dflint_reports.wording import coverage_line, summary


def render(report: Report, output: Output) -> str:
    """``path:line:column: level rule message`` lines, then the summary unless quiet."""
    lines = [
        f"{visible(finding.file)}:{finding.line}:{finding.column}: "
        f"{finding.level} {finding.rule} {visible(finding.message)}"
        for finding in report.findings
    ]
    if not output.quiet:
        lines += [summary(report), coverage_line(report)]
    return "".join(f"{line}\n" for line in lines)
