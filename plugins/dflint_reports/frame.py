"""The code frame: the lines of a finding, numbered, with the place underlined."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from dflint.model.finding import Finding
from dflint_reports.visible import visible

#: How a piece of text is to look: a rich style such as ``bold red``.
Paint = Callable[[str, str], str]

#: Of a finding that covers more lines, the first ones are shown.
_LINES = 4
_TAB = "    "


def code_frame(finding: Finding, text: str, width: int, paint: Paint, style: str) -> list[str]:
    """The lines of the frame.

    Args:
        finding: whose place is shown.
        text: of the finding's file.
        width: columns the frame may use.
        paint: colours a piece of text.
        style: of the underline.
    """
    lines = text.split("\n")
    last = min(finding.end_line, len(lines))
    if not 1 <= finding.line <= last:
        return []
    shown = range(finding.line, min(last, finding.line + _LINES - 1) + 1)
    gutter = len(str(shown[-1]))
    room = max(20, width - gutter - 4)
    bar = paint(f" {'':{gutter}} |", "blue")
    frame = [bar]
    for number in shown:
        line = lines[number - 1].rstrip("\r")
        first = finding.column - 1 if number == finding.line else len(line) - len(line.lstrip())
        end = finding.end_column - 1 if number == finding.end_line else len(line.rstrip())
        code, before, under = _excerpt(line, first, end, room)
        frame.append(f"{paint(f' {number:{gutter}} |', 'blue')} {code}".rstrip())
        if number == finding.line or under:
            frame.append(f"{bar} {' ' * before}{paint('^' * max(1, under), style)}")
    if last > shown[-1]:
        frame.append(f"{bar} …")
    frame.append(bar)
    return frame


def _excerpt(line: str, first: int, end: int, room: int) -> tuple[str, int, int]:
    """What to show of a line, the columns before the underline, and the columns of the underline."""
    first = max(0, min(first, len(line)))
    end = max(first, min(end, len(line)))
    left = right = ""
    if len(line) > room:
        start = max(0, min(first - room // 3, len(line) - room))
        stop = start + room
        left = "…" if start else ""
        right = "…" if stop < len(line) else ""
        line, first, end = line[start:stop], first - start, min(end, stop) - start
    cells = [_cell(char) for char in line]
    before = len(left) + sum(_columns(cell) for cell in cells[:first])
    under = sum(_columns(cell) for cell in cells[first:end])
    return f"{left}{''.join(cells)}{right}", before, under


def _cell(char: str) -> str:
    return _TAB if char == "\t" else visible(char)


def _columns(cell: str) -> int:
    """Columns of a terminal that one shown character takes."""
    if len(cell) > 1 or cell.isascii():
        return len(cell)
    if unicodedata.combining(cell):
        return 0
    return 2 if unicodedata.east_asian_width(cell) in "WF" else 1
