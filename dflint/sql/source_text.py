"""The text of a file: decoding checks, and where a byte offset lies in lines and columns."""

from __future__ import annotations

from bisect import bisect_right

from dflint.model.errors import SourceError

_BOM = b"\xef\xbb\xbf"
#: Bytes of text below which counting lines anew is quicker than remembering where they begin.
_SMALL = 20_000


class SourceText:
    """A file's text, checked. Offsets are byte offsets into ``text``, which has no byte order mark.

    Attributes:
        path: as it is printed.
        text: UTF-8 bytes.
        had_bom: whether a byte order mark was removed.
    """

    __slots__ = ("_lines", "had_bom", "path", "text")

    def __init__(self, path: str, content: bytes) -> None:
        """Check and keep the content of a file.

        Raises:
            SourceError: it holds a NUL byte, which would silently end the text for PostgreSQL's parser, or is not
                UTF-8.
        """
        self.path = path
        self.had_bom = content.startswith(_BOM)
        self.text = content[3:] if self.had_bom else content
        self._lines: list[int] | None = None
        nul = self.text.find(b"\0")
        if nul >= 0:
            self._refuse("a NUL byte; PostgreSQL refuses such a file", nul, "remove the byte (is this a binary file?)")
        if not self.text.isascii():
            try:
                self.text.decode()
            except UnicodeDecodeError as error:
                self._refuse(
                    f"not UTF-8: byte 0x{self.text[error.start]:02x}", error.start, "convert the file to UTF-8"
                )

    def _refuse(self, message: str, offset: int, remedy: str) -> None:
        line = self.text.count(b"\n", 0, offset) + 1
        start = self.text.rfind(b"\n", 0, offset) + 1
        column = len(self.text[start:offset].decode("utf-8", "replace")) + 1
        raise SourceError(message, file=self.path, line=line, column=column, remedy=remedy)

    @property
    def original(self) -> bytes:
        """What the places that are told are places in: the text itself."""
        return self.text

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte offset: 1-based, the column in code points."""
        text = self.text
        if len(text) < _SMALL:
            start = text.rfind(b"\n", 0, offset) + 1
            return text.count(b"\n", 0, start) + 1, _characters(text[start:offset]) + 1
        if self._lines is None:
            starts = [0]
            find = text.find
            at = find(b"\n")
            while at >= 0:
                starts.append(at + 1)
                at = find(b"\n", at + 1)
            self._lines = starts
        line = bisect_right(self._lines, offset)
        return line, _characters(text[self._lines[line - 1] : offset]) + 1


def _characters(text: bytes) -> int:
    return len(text) if text.isascii() else len(text.decode("utf-8", "replace"))
