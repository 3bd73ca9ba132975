r"""Same-length masking of what is not SQL: template placeholders, psql commands and variables, COPY data.

Masking keeps every byte offset, so that findings point into the original text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: A piece of text that nothing is looked for in: strings, quoted identifiers, dollar quotes, comments.
_QUOTED = (
    rb"--[^\n]*"
    rb"|/\*(?:[^*]|\*(?!/))*\*/"
    rb"|\b[eE]'(?:[^'\\]|\\.|'')*'"
    rb"|'(?:[^']|'')*'"
    rb'|"(?:[^"]|"")*"'
    rb"|\$(?P<tag>[A-Za-z_\x80-\xff][\w\x80-\xff]*|)\$.*?\$(?P=tag)\$"
)
_BACKSLASH = re.compile(_QUOTED + rb"|(?P<command>\\[^\n]*)", re.DOTALL)
_COPY_DATA = re.compile(
    rb"^[ \t]*copy\b[^;]*\bfrom\s+stdin\b[^;]*;[^\n]*\n(?P<data>.*?^\\\.[ \t\r]*$)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_PSQL_VARIABLE = re.compile(
    _QUOTED + rb"""|(?<![:\w\]\)])(?P<variable>:(?:[A-Za-z_]\w*|'[A-Za-z_]\w*'|"[A-Za-z_]\w*"|\{\?\w+\}))""", re.DOTALL
)
_CONTROL = rb"\{%.*?%\}|\{#.*?#\}|\{\{-?\s*(?:(?:if|else|end|range|with|define|block|template)\b|/\*).*?\}\}"
_TEMPLATE = re.compile(
    rb"(?P<control>" + _CONTROL + rb")"
    rb"|(?P<value>\{\{.*?\}\}|\$\{[^}\n]*\}|@[A-Za-z_][\w.]*@|<%=?.*?%>)",
    re.DOTALL,
)
_DIRECTIVE = re.compile(_QUOTED + rb"|(?P<control>" + _CONTROL + rb")", re.DOTALL)
#: psql commands that send the statement before them, as a semicolon does.
_SENDS = frozenset(b"g gx gset gexec gdesc crosstabview watch".split())
#: Includes and branches: what runs there is not in this file, or may not run.
_UNKNOWN = frozenset(b"i include ir include_relative gexec if elif else endif ! watch".split())


class PsqlLine(NamedTuple):
    """A psql command found in the text."""

    start: int
    end: int
    command: str
    arguments: str

    @property
    def unknown(self) -> bool:
        """Whether it makes unknown what runs."""
        return self.command.encode() in _UNKNOWN


def mask_psql(text: bytes) -> tuple[bytes, list[PsqlLine]]:
    """Blank out psql backslash commands and COPY data blocks."""
    lines: list[PsqlLine] = []
    if b"\\" not in text:
        return text, lines
    masked = bytearray(text)
    for block in _COPY_DATA.finditer(text):
        _blank(masked, block.start("data"), block.end("data"))
    for found in _BACKSLASH.finditer(bytes(masked)):
        start, end = found.span("command")
        if start < 0:
            continue
        words = found["command"][1:].split(None, 1)
        name = words[0] if words else b""
        _blank(masked, start, end)
        if name in _SENDS:
            masked[start] = ord(";")
        rest = words[1].decode("utf-8", "replace").strip() if len(words) > 1 else ""
        lines.append(PsqlLine(start, end, name.decode("utf-8", "replace"), rest))
    return bytes(masked), lines


def mask_copy_data(text: bytes) -> bytes:
    """Blank out COPY data blocks only."""
    if b"\\." not in text:
        return text
    masked = bytearray(text)
    for block in _COPY_DATA.finditer(text):
        _blank(masked, block.start("data"), block.end("data"))
    return bytes(masked)


def mask_templates(text: bytes, *, psql_variables: bool) -> bytes:
    """Replace template placeholders by identifiers of the same length; equal placeholders become equal identifiers."""
    if b"{" in text or b"@" in text or b"<%" in text:
        text = _TEMPLATE.sub(_template, text)
    if psql_variables and b":" in text:
        text = _PSQL_VARIABLE.sub(_variable, text)
    return text


def placeholders(text: bytes) -> dict[str, str]:
    """What the identifiers that stand for template placeholders were: masked identifier -> placeholder as written."""
    return {
        _template(found).decode(): found[0].decode("utf-8", "replace")
        for found in _TEMPLATE.finditer(text)
        if found["control"] is None
    }


def first_directive(text: bytes, start: int, end: int) -> int | None:
    """Where the first template directive (``{% if … %}``, ``{{ template … }}``) outside quotes and comments begins."""
    if b"{" not in text:
        return None
    return next((found.start() for found in _DIRECTIVE.finditer(text, start, end) if found["control"]), None)


def _template(found: re.Match[bytes]) -> bytes:
    content = found[0]
    if found["control"] is not None:
        return re.sub(rb"[^\n]", b" ", content)
    return re.sub(rb"[^a-z0-9]", b"_", content.lower())


def _variable(found: re.Match[bytes]) -> bytes:
    content = found["variable"]
    if content is None:
        return found[0]
    if content[1:2] == b"'":
        return b"'" + content[2:-1].ljust(len(content) - 2, b"_") + b"'"
    if content[1:2] == b'"':
        return b'"' + content[2:-1].ljust(len(content) - 2, b"_") + b'"'
    return re.sub(rb"[^a-z0-9]", b"_", content.lower())


def _blank(masked: bytearray, start: int, end: int) -> None:
    for i in range(start, end):
        if masked[i] != 10:
            masked[i] = 32
