"""The report for people: each finding with its code, the lock, why, and what to do instead."""

from __future__ import annotations

import textwrap

from dflint.model.finding import Finding, Report, RuleCard
from dflint.model.names import Identity
from dflint.plugin import Output
from dflint_reports.frame import Paint, code_frame
from dflint_reports.visible import visible, visible_lines
from dflint_reports.wording import coverage_line, summary

_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}

#: Pieces that were not understood are listed up to this number.
_LISTED = 10


def render(report: Report, output: Output) -> str:
    """The findings with code frames, then what was not understood and the summary unless quiet."""
    paint = _coloured() if output.color else _plain
    cards = {card.id: card for card in report.rules}
    texts = _Lines(output)
    blocks: list[str] = []
    for finding in report.findings:
        # A rule explains itself once.
        card = cards.pop(finding.rule, None)
        blocks.append("\n".join(_finding(finding, card, texts.text(finding.file), output.width, paint)))
    if not output.quiet:
        blocks.append("\n".join([*_not_understood(report), paint(summary(report), "bold"), coverage_line(report)]))
    return "\n\n".join(blocks) + "\n" if blocks else ""


class _Lines:
    """Asks for the text of one file after the other; findings are sorted by file."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._file: str | None = None
        self._text: str | None = None

    def text(self, file: str) -> str | None:
        if file != self._file:
            self._file, self._text = file, self._output.source(file)
        return self._text


def _plain(text: str, _style: str) -> str:
    return text


def _coloured() -> Paint:
    from rich.color import ColorSystem
    from rich.style import Style

    def paint(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)

    return paint


def _finding(finding: Finding, card: RuleCard | None, text: str | None, width: int, paint: Paint) -> list[str]:
    style = _STYLES[finding.level]
    hazards = f" [{', '.join(finding.hazards)}]" if finding.hazards else ""
    sure = "" if finding.confidence == "high" else f" ({finding.confidence} confidence)"
    lines = [
        paint(f"{visible(finding.file)}:{finding.line}:{finding.column}", "bold"),
        f"{paint(finding.level, style)} {paint(finding.rule, 'bold')}{hazards}{sure}",
        *_paragraph(finding.message, "  ", width),
    ]
    if text is not None:
        lines += code_frame(finding, text, width, paint, style)
    if finding.lock is not None:
        target = "" if finding.target is None else f" on {_locked(finding.target)}"
        lines.append(f"  lock  {finding.lock}{target}")
    if card is not None and card.why:
        lines += _labelled("why", _paragraph(card.why, "", width - 8))
    if finding.fix:
        lines += _labelled("fix", visible_lines(finding.fix))
    return lines


def _paragraph(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        visible(" ".join(text.split())),
        max(40, width),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _labelled(label: str, lines: list[str]) -> list[str]:
    return [f"  {label if index == 0 else '':5} {line}".rstrip() for index, line in enumerate(lines)]


def _not_understood(report: Report) -> list[str]:
    pieces = report.coverage.not_analysed
    if not pieces:
        return []
    lines = ["not analysed:"]
    lines += [f"  {visible(piece.file)}:{piece.line}: {visible(piece.reason)}" for piece in pieces[:_LISTED]]
    if len(pieces) > _LISTED:
        lines.append(f"  … and {len(pieces) - _LISTED:,} more; --format json lists them all")
    return [*lines, ""]


def _locked(target: str) -> str:
    """The relation that is locked for an operation on ``target``: a column's table."""
    identity = Identity.parse(target)
    if identity.kind == "column":
        identity = Identity("table", identity.parts[:-1])
    return visible(str(identity))
