"""Places in the source of a Python program."""

from __future__ import annotations

import ast
import re


class Positions:
    """Turns nodes and offsets in string constants to lines and columns, from 1, columns in code points."""

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines(keepends=True)

    def of(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Where a node begins."""
        return node.lineno, self._column(node.lineno, node.col_offset)

    def inside(self, node: ast.Constant, offset: int, word: str) -> tuple[int, int]:
        """Where an offset of a string's value stands; at least near it, where escapes hide the way.

        Args:
            word: what stands there.
        """
        source = self._source(node)
        value = str(node.value)
        at = source.find(value) if len(value) > 0 else -1
        # The same text on both sides: no escapes, no second literal.
        place = at + offset if at >= 0 else _nth(source, word, value[:offset].lower().count(word.lower()))
        before = source[: max(place, 0)]
        line = node.lineno + before.count("\n")
        if "\n" in before:
            return line, len(before) - before.rindex("\n")
        return line, self._column(node.lineno, node.col_offset) + len(before)

    def _source(self, node: ast.Constant) -> str:
        last = node.end_lineno or node.lineno
        lines = self._lines[node.lineno - 1 : last]
        if not lines:
            return ""
        end = self._column(last, node.end_col_offset or 0) - 1
        lines[-1] = lines[-1][:end]
        return "".join(lines)[self._column(node.lineno, node.col_offset) - 1 :]

    def _column(self, line: int, offset: int) -> int:
        """A byte offset in a line as a column."""
        if line > len(self._lines):
            return offset + 1
        return len(self._lines[line - 1].encode()[:offset].decode(errors="replace")) + 1


def _nth(source: str, word: str, number: int) -> int:
    found = [match.start() for match in re.finditer(re.escape(word), source, re.IGNORECASE)]
    return found[min(number, len(found) - 1)] if found else 0
