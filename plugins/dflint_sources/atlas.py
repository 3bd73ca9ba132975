"""Atlas: ``<version>_name.sql`` and ``atlas.sum``, one transaction for each file."""

from __future__ import annotations

import re

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import Line, lines, lines_with, never_runs, pieces, refused, span_of, without_effect
from dflint_sources.names import direction, sql_files

_Directive = tuple[Line, bytes, bytes]  # the line, the name, the value


class Atlas:
    """``atlas migrate apply`` with its default ``--tx-mode file``."""

    name = "atlas"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``atlas.sum``."""
        if not directory.has("atlas.sum"):
            return None
        return Claim(Runner(self.name, reason="atlas.sum lies in the folder"), self.files(directory))

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``*.sql``, sorted as text."""
        names = sql_files(directory.files)
        return tuple(sorted(names, key=lambda name: (name.replace(".down.sql", ".up.sql"), "down.sql" in name)))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file. Directives count in a header that a blank line ends."""
        text = file.text
        header, effective, end = _header(text)
        notices: list[Notice] = []
        modes = [one for one in header if one[1] == b"txmode"]
        if not effective:
            notices.extend(without_effect(_NO_BLANK_LINE, span_of(line)) for line, _, _ in modes)
            modes = []
        notices.extend(_strays(text, end))
        if effective and any(name == b"checkpoint" for _, name, _ in header):
            message = "a checkpoint runs only on an empty database, in place of the files before it"
            notices.append(never_runs(message, Span(0, end)))
            return Sections((), tuple(notices))
        notices.extend(_bad_modes(modes))
        span = Span(0, len(text))
        chunks = _chunks(text)
        turn = direction(file.path)
        if len(modes) == 1 and modes[0][2] == b"none":
            reason = "-- atlas:txmode none in the header"
            marker = span_of(modes[0][0])
            return Sections(
                (Section(turn, span, "none", "statement", reason=reason, chunks=chunks, marker=marker),), tuple(notices)
            )
        reason = "Atlas runs each file in a transaction"
        return Sections((Section(turn, span, "section", "statement", reason=reason, chunks=chunks),), tuple(notices))


_NO_BLANK_LINE = (
    "Atlas reads this directive only in a header with an empty line after it: "
    "put an empty line between the header and the first statement"
)


def _header(text: bytes) -> tuple[list[_Directive], bool, int]:
    """The directives of the leading comment lines, whether Atlas takes them, and where those lines end."""
    found: list[_Directive] = []
    end = 0
    for line in lines(text):
        if not line.text.startswith((b"--", b"#")):
            # A carriage return is no blank for Atlas: a blank line must end in a bare line feed.
            rest = text[line.start : line.next].lstrip(b" \t")
            return found, rest[:1] == b"\n", end
        end = line.next
        directive = _directive(line)
        if directive is not None:
            found.append(directive)
    return found, True, end


def _directive(line: Line) -> _Directive | None:
    found = re.match(rb"[ -~]*atlas:(\w+)(?: +(.+))?", line.text.strip())
    return (line, found[1], (found[2] or b"").strip()) if found else None


def _strays(text: bytes, header_end: int) -> list[Notice]:
    message = "Atlas reads atlas:txmode only in the comment lines at the very start of the file: move it there"
    return [
        without_effect(message, span_of(line))
        for line in lines_with(text, b"atlas:txmode")
        if line.start >= header_end and line.text.lstrip().startswith((b"--", b"#"))
    ]


def _bad_modes(modes: list[_Directive]) -> list[Notice]:
    if len(modes) > 1:
        return [refused("Atlas refuses two atlas:txmode directives: keep one", span_of(modes[1][0]))]
    return [
        refused("Atlas takes atlas:txmode none or file in a file and refuses anything else", span_of(line))
        for line, _, value in modes
        if value not in (b"none", b"file")
    ]


def _chunks(text: bytes) -> tuple[Span, ...]:
    """The pieces between the delimiters that a first line ``-- atlas:delimiter X`` sets; else Atlas knows SQL."""
    if not text.startswith(b"-- atlas:delimiter "):
        return ()
    first = next(lines(text))
    value = first.text[len(b"-- atlas:delimiter ") :].strip(b" ")
    delimiter = value.replace(rb"\n", b"\n").replace(rb"\r", b"\r").replace(rb"\t", b"\t")
    return pieces(text, Span(first.next, len(text)), delimiter) if delimiter else ()


SOURCE: Source = Atlas()
