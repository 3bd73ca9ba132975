"""From places in a parse tree to places in the text that somebody can edit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from dflint.sql.libpg_query import COMMENT_TOKENS, LibPgQuery, Token


class Text:
    """A text with its tokens; comments are none.

    Attributes:
        words: the tokens' texts, names folded and without quotes as `spelled` says.
    """

    def __init__(self, text: str, library: LibPgQuery) -> None:
        """Scan the text.

        Raises:
            GrammarError: the scanner rejects it.
        """
        self.text = text
        self.raw = text.encode()
        self.tokens = [token for token in library.scan(self.raw) if token.code not in COMMENT_TOKENS]
        self.words = [spelled(self.raw[token.start : token.end].decode()) for token in self.tokens]
        self._ascii = text.isascii()
        self._lines = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]

    def code_point(self, offset: int) -> int:
        """A byte offset as one in code points."""
        return offset if self._ascii else len(self.raw[:offset].decode(errors="replace"))

    def line(self, at: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in code points."""
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def line_start(self, line: int) -> int:
        """The byte offset where a line begins."""
        line = min(max(line, 1), len(self._lines))
        return len(self.text[: self._lines[line - 1]].encode())


class Fragment:
    """A piece of a text that was parsed for itself.

    Attributes:
        places: for each of its tokens the index of the token of the text.
    """

    def __init__(self, text: Text, starts: Sequence[int], places: Sequence[int]) -> None:
        self.text = text
        self.places = places
        self._starts = starts

    @classmethod
    def whole(cls, text: Text) -> Fragment:
        """All of the text."""
        return cls(text, [token.start for token in text.tokens], range(len(text.tokens)))

    def index(self, location: int) -> int:
        """The index, in `places`, of the token that begins at or before a byte offset of the fragment."""
        return max(bisect_right(self._starts, location) - 1, 0)

    def name(self, location: int, name: str, parts_before: int = 0) -> Token | None:
        """The token of a name that is written after ``parts_before`` others and their dots; None if it is not there."""
        at = self.index(location) + 2 * parts_before
        if at >= len(self.places):
            return None
        place = self.places[at]
        return self.text.tokens[place] if self.text.words[place] == name[:63] else None

    def word(self, index: int) -> str:
        """The word of one of the fragment's tokens; "" behind the last."""
        return self.text.words[self.places[index]] if index < len(self.places) else ""

    def token(self, index: int) -> Token:
        """The text's token for one of the fragment's."""
        return self.text.tokens[self.places[index]]


def spelled(written: str) -> str:
    """A token as PostgreSQL reads a name: without quotes, or folded (only ASCII letters are, in UTF-8)."""
    if written.startswith('"'):
        return written[1:-1].replace('""', '"')
    return "".join([chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in written])


def located(text: Text, piece: str, library: LibPgQuery, first: int) -> Fragment | None:
    """Where a piece of PL/pgSQL stands in its body, from the token ``first`` on; None if it is nowhere.

    libpg_query gives the text of each expression, but not its place, with INTO and its targets left out and
    PERFORM replaced.
    """
    own = Text(piece, library)
    starts, words = [token.start for token in own.tokens], own.words
    if words and words[0].startswith("__Case__Variable_"):
        # WHEN a, b becomes "variable" IN (a, b).
        starts, words = starts[3:-1], words[3:-1]
    if not words:
        return None
    for place in range(first, len(text.words) - len(words) + 1):
        places = _matched(text.words, place, words)
        if places is not None:
            return Fragment(text, starts, places)
    return None


def _matched(words: Sequence[str], place: int, wanted: Sequence[str]) -> list[int] | None:
    """The places of the wanted words from ``place`` on, with one gap that begins with INTO."""
    places: list[int] = []
    gap = False
    for at, word in enumerate(wanted):
        if place >= len(words):
            return None
        if words[place] != word and not (at == 0 and word == "select" and words[place] == "perform"):
            if gap or at == 0 or words[place] != "into":
                return None
            gap = True
            rest = list(wanted[at : at + 4])
            while place < len(words) and words[place : place + len(rest)] != rest:
                if words[place] == ";":
                    return None
                place += 1
            if place >= len(words):
                return None
        places.append(place)
        place += 1
    return places


def locations(tree: Any) -> Iterator[int]:
    """Every place of a parse tree that is known."""
    if isinstance(tree, list):
        for item in tree:
            yield from locations(item)
    elif isinstance(tree, dict):
        place = tree.get("location")
        if isinstance(place, int) and place >= 0:
            yield place
        for value in tree.values():
            yield from locations(value)
