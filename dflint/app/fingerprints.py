"""Fingerprints of findings: the same after lines were added above, different for every finding of a file."""

from __future__ import annotations

import re

#: Comments outside quotes, and quoted text, which is passed over.
_COMMENT = rb"""(?sx) '[^']*' | "[^"]*" | \$(\w*)\$.*?\$\1\$ | (?P<comment> --[^\n]* | /\*.*?\*/)"""


class Fingerprints:
    """Makes the fingerprints of one migration's findings, asked for in the order of the text."""

    def __init__(self, migration: str) -> None:
        """Start with a migration.

        Args:
            migration: what identifies it wherever the project lies: its path inside its history.
        """
        self._migration = migration.encode("utf-8", "surrogateescape")
        self._seen: dict[tuple[str, bytes], int] = {}

    def of(self, rule: str, statement: bytes) -> str:
        """The fingerprint of the next finding of ``rule`` about a statement of this text: 16 hexadecimal digits.

        It rests on rule, migration, the statement's text without comments and spacing, and how often the three came
        before; not on lines.
        """
        # hashlib would load OpenSSL, which takes longer than linting a file.
        try:
            from _blake2 import blake2b
        except ImportError:
            from hashlib import blake2b

        text = normalised(statement)
        count = self._seen.get((rule, text), 0)
        self._seen[rule, text] = count + 1
        parts = (rule.encode(), self._migration, text, b"%d" % count)
        return blake2b(b"\0".join(parts), digest_size=8).hexdigest()


def normalised(statement: bytes) -> bytes:
    """The statement's text without comments and a final semicolon, each run of white space one blank."""
    return b" ".join(without_comments(statement).split()).rstrip(b"; ")


def without_comments(statement: bytes) -> bytes:
    """The statement's text with a blank for each comment. What is in quotes stays."""
    if b"--" in statement or b"/*" in statement:
        return re.sub(_COMMENT, _blank, statement)  # compiled when first used
    return statement


def _blank(found: re.Match[bytes]) -> bytes:
    return b" " if found["comment"] else found[0]
