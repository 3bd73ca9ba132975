"""SARIF 2.1.0, for code scanning. By hand: the format is a tree of plain values."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from dflint import __version__
from dflint.model.finding import Finding, Level, ReadError, Report, RuleCard
from dflint.plugin import Output
from dflint_reports.visible import well_formed

_LEVELS: dict[Level, str] = {"error": "error", "warning": "warning", "info": "note"}

#: GitHub keeps 25,000 results of a run.
_MOST_RESULTS = 25_000


def render(report: Report, _output: Output) -> str:
    """The log, with one run."""
    cards = {card.id: card for card in report.rules}
    rules = sorted({finding.rule for finding in report.findings})
    position = {rule: index for index, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "dflint",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule, cards.get(rule)) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [_notification(error) for error in report.errors],
            }
        ],
        "results": [_result(finding, position[finding.rule]) for finding in _worst_first(report)],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return msgspec.json.encode(log).decode() + "\n"


def _worst_first(report: Report) -> list[Finding]:
    """All findings; the worst of them where there are more than are kept."""
    if len(report.findings) <= _MOST_RESULTS:
        return list(report.findings)
    order = list(_LEVELS)
    return sorted(report.findings, key=lambda finding: order.index(finding.level))[:_MOST_RESULTS]


def _rule(rule: str, card: RuleCard | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": rule}
    if card is None:
        return entry
    entry["shortDescription"] = {"text": card.title}
    if card.why:
        entry["fullDescription"] = {"text": card.why}
        entry["help"] = {"text": f"{card.why}\n\nMore: dflint rule {rule}"}
    entry["defaultConfiguration"] = {"level": _LEVELS[card.level]}
    entry["properties"] = {"tags": sorted({*card.tags, *card.hazards})}
    return entry


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.level],
        "message": {"text": well_formed(finding.message)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(finding.file)},
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "endLine": finding.end_line,
                        "endColumn": finding.end_column,
                    },
                }
            }
        ],
        "partialFingerprints": {"dflint/v1": finding.fingerprint},
        "properties": {"basis": finding.basis, "confidence": finding.confidence, "hazards": list(finding.hazards)},
    }


def _notification(error: ReadError) -> dict[str, Any]:
    text = f"{error.message} ({error.remedy})" if error.remedy else error.message
    entry: dict[str, Any] = {"level": "error", "message": {"text": well_formed(text)}}
    if error.file is not None:
        location: dict[str, Any] = {"artifactLocation": {"uri": uri(error.file)}}
        if error.line is not None:
            location["region"] = {"startLine": error.line}
            if error.column is not None:
                location["region"]["startColumn"] = error.column
        entry["locations"] = [{"physicalLocation": location}]
    return entry


def uri(path: str) -> str:
    """A path as a URI reference: relative ones stay relative, and nothing in them is taken for a scheme."""
    encoded = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{encoded}" if path.startswith("/") else encoded
