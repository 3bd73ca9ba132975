"""sql-migrate: ``-- +migrate Up`` and ``-- +migrate Down``, one transaction for each file and direction."""

from __future__ import annotations

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.chunks import at_line_ends
from dflint_sources.lines import Line, lines_with, refused, span_of, without_effect
from dflint_sources.marks import first_or_last
from dflint_sources.names import natural, sql_files

_PREFIX = b"-- +migrate "


class SqlMigrate:
    """rubenv's sql-migrate."""

    name = "sql-migrate"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by a ``-- +migrate`` comment in the first or the last file."""
        files = self.files(directory)
        marked = first_or_last(directory, files, lambda content: any(_commands(content)))
        if marked is None:
            return None
        return Claim(Runner(self.name, reason=f"{marked} has -- +migrate annotations"), files)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``*.sql``, numbers in names taken as numbers."""
        return natural(sql_files(directory.files))

    def sections(self, file: MigrationFile) -> Sections:
        """Each Up and each Down; ``notransaction`` on such a line holds for that direction."""
        text = file.text
        notices: list[Notice] = []
        starts: list[tuple[Line, list[bytes]]] = []
        fences: list[Line] = []
        for line in lines_with(text, b"+migrate"):
            words = line.text.split()[2:]
            if not line.text.startswith(_PREFIX):
                if line.text.lstrip().startswith(_PREFIX.strip()) and words[:1] in ([b"Up"], [b"Down"]):
                    message = "sql-migrate takes a marker only at the start of a line: remove the white space"
                    notices.append(without_effect(message, span_of(line)))
                continue
            if words[:1] in ([b"Up"], [b"Down"]):
                starts.append((line, words))
            elif words[:1] in ([b"StatementBegin"], [b"StatementEnd"]):
                fences.append(line)
        if not starts:
            message = "sql-migrate refuses a file without -- +migrate Up or Down: put one first"
            notices.append(refused(message, Span(0, 0)))
        sections = []
        for index, (line, words) in enumerate(starts):
            end = starts[index + 1][0].start if index + 1 < len(starts) else len(text)
            sections.append(_section(text, line, words, end, fences))
        return Sections(tuple(sections), tuple(notices))


def _section(text: bytes, line: Line, words: list[bytes], end: int, fences: list[Line]) -> Section:
    span = Span(line.next, end)
    chunks = at_line_ends(text, span, [fence for fence in fences if span.start <= fence.start < span.end])
    plain = b"notransaction" in words[1:]
    return Section(
        "up" if words[0] == b"Up" else "down",
        span,
        "none" if plain else "section",
        "statement",
        reason="notransaction on the marker line" if plain else "sql-migrate runs each migration in a transaction",
        chunks=chunks,
        marker=_option(line) if plain else None,
    )


def _option(line: Line) -> Span:
    at = line.start + line.text.find(b"notransaction")
    return Span(at, at + len(b"notransaction"))


def _commands(content: bytes) -> list[Line]:
    return [line for line in lines_with(content, _PREFIX) if line.text.startswith(_PREFIX)]


SOURCE: Source = SqlMigrate()
