"""GitHub Actions workflow commands, which become annotations of the changed lines."""

from __future__ import annotations

from dflint.model.finding import Finding, Level, ReadError, Report
from dflint.plugin import Output
from dflint_reports.visible import visible, well_formed
from dflint_reports.wording import coverage_line, summary

#: GitHub shows this many annotations of each kind for a step and drops the rest.
_SHOWN = 10

_KINDS: dict[Level, str] = {"error": "error", "warning": "warning", "info": "notice"}
_CONFIDENCE = {"high": 0, "medium": 1, "low": 2}


def render(report: Report, _output: Output) -> str:
    """The annotations, worst first, and a notice that sums up."""
    commands = [_error(error) for error in report.errors]
    kept = dict.fromkeys(_KINDS.values(), _SHOWN)
    kept["error"] -= min(_SHOWN, len(commands))
    kept["notice"] -= 1  # for the summary
    left_out = max(0, len(commands) - _SHOWN)
    commands = commands[:_SHOWN]
    for level, kind in _KINDS.items():
        found = sorted((f for f in report.findings if f.level == level), key=lambda f: _CONFIDENCE[f.confidence])
        commands += [_annotation(finding, kind) for finding in found[: kept[kind]]]
        left_out += max(0, len(found) - kept[kind])
    text = f"{summary(report)}. {coverage_line(report)}"
    if left_out:
        text += f". {left_out:,} more than GitHub shows are not annotated"
    commands.append(_command("notice", {"title": "dflint"}, text))
    return "".join(f"{command}\n" for command in commands)


def _annotation(finding: Finding, kind: str) -> str:
    properties: dict[str, str | int] = {"file": finding.file, "line": finding.line}
    # GitHub takes columns only of an annotation on a single line.
    if finding.line == finding.end_line:
        properties |= {"col": finding.column, "endLine": finding.end_line, "endColumn": finding.end_column}
    else:
        properties["endLine"] = finding.end_line
    properties["title"] = f"dflint {finding.rule}"
    return _command(kind, properties, finding.message)


def _error(error: ReadError) -> str:
    properties: dict[str, str | int] = {}
    if error.file is not None:
        properties["file"] = error.file
        if error.line is not None:
            properties["line"] = error.line
            if error.column is not None:
                properties["col"] = error.column
    properties["title"] = "dflint cannot read this"
    return _command("error", properties, f"{error.message} ({error.remedy})" if error.remedy else error.message)


def _command(kind: str, properties: dict[str, str | int], message: str) -> str:
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    shown = "\n".join(visible(line) for line in message.splitlines())
    return f"::{kind} {listed}::{_data(shown)}"


def _data(text: str) -> str:
    return well_formed(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
