"""Where the keys of a TOML file are written, which tomllib does not say."""

from __future__ import annotations

import re

#: Keys that lead from the settings' table to a value.
Steps = tuple[str, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\s*({_PATH})\s*\]")
_KEY = re.compile(rf"\s*({_PATH})\s*=")
_PARTS = re.compile(_PART)


class KeyLines:
    """The lines of a file's keys. What is written in an inline table is said to be on its table's line."""

    def __init__(self, content: bytes, root: Steps) -> None:
        """Read a file that is valid TOML.

        Args:
            content: of the file.
            root: keys that lead to the settings' table.
        """
        self._root = root
        self._lines: dict[Steps, int] = {}
        table: Steps = ()
        for number, line in enumerate(content.decode("utf-8-sig").split("\n"), start=1):
            header = _HEADER.match(line)
            if header is not None:
                table = _steps(header[1])
                self._note(table, number)
            elif (key := _KEY.match(line)) is not None:
                self._note((*table, *_steps(key[1])), number)

    def line(self, steps: Steps) -> int:
        """The 1-based line of a key, or of the nearest table around it."""
        path = (*self._root, *steps)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _note(self, path: Steps, number: int) -> None:
        for length in range(len(path), 0, -1):
            self._lines.setdefault(path[:length], number)


def _steps(written: str) -> Steps:
    return tuple(part.strip("\"'") for part in _PARTS.findall(written))
