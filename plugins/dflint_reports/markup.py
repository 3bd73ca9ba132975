"""Text in documents of XML and HTML."""

from __future__ import annotations

from html import escape

from dflint_reports.visible import visible


def xml_text(text: str) -> str:
    """Text as XML may hold it; control characters are made visible, but for line feeds."""
    return escape("\n".join(visible(line) for line in text.split("\n")))
