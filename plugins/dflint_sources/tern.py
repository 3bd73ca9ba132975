"""tern: up and down in one file, divided by ``---- create above / drop below ----``."""

from __future__ import annotations

import re
from typing import Literal

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import line_at, span_of, without_effect
from dflint_sources.marks import find_above, first_or_last, place
from dflint_sources.names import numbered

_DIVIDER = b"---- create above / drop below ----"
_OPT_OUT = b"---- tern: disable-tx ----"


class Tern:
    """tern v2. One transaction for each file, sent as one string; by the statement when it is opted out of."""

    name = "tern"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by tern's comments in the first or the last file, or by ``tern.conf`` here or above."""
        files = self.files(directory)
        if not files:
            return None
        marked = first_or_last(directory, files, lambda content: _DIVIDER in content or _OPT_OUT in content)
        if marked is not None:
            reason = f"{marked} has tern's marker comments"
        else:
            found = find_above(directory, "tern.conf")
            if found is None or (found[0].path != directory.path and "migration" not in directory.name.lower()):
                return None
            reason = f"{place(*found)} configures tern"
        return Claim(Runner(self.name, reason=reason), files, directory.folders)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``NNN_name.sql`` by number. Files in sub-directories are templates that these include."""
        return tuple(name for _, _, name in numbered(directory.files))

    def sections(self, file: MigrationFile) -> Sections:
        """Above the divider up, below it down."""
        text = file.text
        notices: list[Notice] = []
        divider = text.find(_DIVIDER)
        if divider < 0:
            sections = [_section("up", text, Span(0, len(text)), notices)]
            odd = re.search(rb"(?im)^[^\S\n]*-{2,}[^\n]*create above[^\n]*drop below[^\n]*$", text)
            if odd is not None:
                wanted = _DIVIDER.decode()
                message = f"tern takes only the exact line {wanted}; all of the file is the up part now"
                notices.append(without_effect(message, Span(odd.start(), odd.end())))
        else:
            below = divider + len(_DIVIDER)
            sections = [
                _section("up", text, Span(0, divider), notices),
                _section("down", text, Span(below, len(text)), notices),
            ]
        return Sections(tuple(sections), tuple(notices))


def _section(direction: Literal["up", "down"], text: bytes, span: Span, notices: list[Notice]) -> Section:
    piece = text[span.start : span.end]
    lead = len(piece) - len(piece.lstrip())
    # tern trims the part and then wants the marker alone on its line; a carriage return or a blank spoils it.
    exact = re.search(rb"(?m)^---- tern: disable-tx ----$", piece.strip())
    if exact is not None:
        marker = Span(span.start + lead + exact.start(), span.start + lead + exact.end())
        reason = "tern: disable-tx on a line of its own"
        return Section(direction, span, "none", "statement", reason=reason, marker=marker)
    for found in re.finditer(rb"(?i)-{2,}\s*tern\s*:\s*disable-tx", piece):
        line = line_at(text, span.start + found.start())
        message = (
            f"tern takes only the exact line {_OPT_OUT.decode()}, with nothing before or after it, "
            "not even a blank or a carriage return"
        )
        notices.append(without_effect(message, span_of(line)))
    return Section(direction, span, "section", "string", reason="tern runs each file in a transaction")


SOURCE: Source = Tern()
