"""Where the values of a JSON text stand, for error messages: decoders do not tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from dflint.model.errors import InputError

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]|[^\s\][{},:"]+')


class Places:
    """The lines of a JSON text's values, by paths such as ``$.steps[0].sql``.

    Attributes:
        double: where a key stands for the second time in its object, and the key; None where none does.
        end: the last line.
    """

    def __init__(self, content: bytes, path: str) -> None:
        self._path = path
        self._lines: dict[str, int] = {"$": 1}
        self.double: tuple[str, str] | None = None
        text = content.decode("utf-8", "replace")
        self.end = text.count("\n", 0, len(text.rstrip())) + 1
        self._tokens = _tokens(text)
        self._open: list[tuple[str, bool, int]] = []
        self._read()

    def line(self, path: str) -> int:
        """The line of the value at a path, or of the nearest thing around it that is there."""
        while path not in self._lines:
            path = path[: max(path.rfind("."), path.rfind("["))] if path.strip("$") else "$"
        return self._lines[path]

    def error(self, path: str, message: str, remedy: str) -> InputError:
        """An error about the value at a path."""
        return InputError(message, file=self._path, line=self.line(path), remedy=remedy)

    def _read(self) -> None:
        """Go through the tokens. A text that is no JSON leaves off where it stops to be."""
        here, key = "$", ""
        pending_key = False
        for piece, line in self._tokens:
            if piece in "{[" and len(piece) == 1:
                self._note(here, line)
                self._open.append((here, piece == "{", 0))
                pending_key = piece == "{"
                here = f"{here}[0]" if piece == "[" else here
            elif piece in "}]" and len(piece) == 1:
                if not self._open:
                    return
                here = self._open.pop()[0]
                pending_key = False
            elif piece == ",":
                if not self._open:
                    return
                path, is_object, count = self._open[-1]
                self._open[-1] = (path, is_object, count + 1)
                pending_key = is_object
                here = path if is_object else f"{path}[{count + 1}]"
            elif piece == ":":
                pending_key = False
            elif pending_key and piece.startswith('"'):
                key = _unquoted(piece)
                here = f"{self._open[-1][0]}.{key}"
                if here in self._lines and self.double is None:
                    self.double = (here, key)
                self._lines[here] = line
            else:
                self._note(here, line)

    def _note(self, path: str, line: int) -> None:
        self._lines.setdefault(path, line)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line, position = 1, 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", position, found.start())
        position = found.start()
        yield found.group(), line


def _unquoted(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token
