"""Text from migrations made fit to be shown: no control character reaches a terminal, a log or a browser."""

from __future__ import annotations


def visible(text: str) -> str:
    """``text`` with everything that is not printable written as an escape: line feeds, ESC, bidirectional controls."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def visible_lines(text: str) -> list[str]:
    """The lines of ``text``, each made visible."""
    return [visible(line.replace("\t", "    ")) for line in text.rstrip().split("\n")]


def well_formed(text: str) -> str:
    """``text`` without lone surrogates, which stand for bytes of a file name that are not UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
