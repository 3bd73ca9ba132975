"""Liquibase's formatted SQL: ``--changeset author:id`` cuts a file into changesets, each its own transaction."""

from __future__ import annotations

import re

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import Line, lines, lines_with, never_runs, pieces, refused, span_of, without_effect
from dflint_sources.marks import first_or_last, place
from dflint_sources.names import sql_files

_HEADER = rb"(?i)\s*--\s*liquibase\s*formatted"
_CHANGESET = rb"(?i)\s*--\s*changeset\s+(?:\"[^\"]+\"|[^:]+):\s*(?:\"[^\"]+\"|\S+)"
_EACH = "Liquibase runs each changeset in a transaction"
_CHANGELOG_ENDINGS = (".xml", ".yaml", ".yml", ".json")


class Liquibase:
    """Liquibase, as far as it runs SQL files."""

    name = "liquibase"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``--liquibase formatted sql`` at the top of the first or the last file."""
        names = sql_files(directory.files)
        marked = first_or_last(directory, names, _is_formatted)
        if marked is None:
            return None
        reason = f"{marked} begins with --liquibase formatted sql"
        if directory.has("liquibase.properties"):
            reason = f"{place(directory, 'liquibase.properties')} configures Liquibase, and {reason}"
        return Claim(Runner(self.name, reason=reason), self.files(directory))

    def files(self, directory: Directory) -> tuple[str, ...]:
        """Those that a changelog in the folder names, in its order, then the others sorted as text."""
        names = sorted(sql_files(directory.files))
        listed = [name for changelog in _changelogs(directory) for name in _named_in(changelog) if name in names]
        return tuple(dict.fromkeys([*listed, *names]))

    def sections(self, file: MigrationFile) -> Sections:
        """The changesets. A file without the header line is what a ``sqlFile`` change runs: one changeset."""
        text = file.text
        marks = [line for line in _changeset_lines(text) if re.match(_CHANGESET, line.text)]
        if not _is_formatted(text):
            section = Section("up", Span(0, len(text)), "section", "statement", reason=_EACH)
            message = "without the first line --liquibase formatted sql Liquibase takes no changeset lines: add it"
            return Sections((section,), tuple(without_effect(message, span_of(line)) for line in marks[:1]))
        notices = _odd_lines(text, {line.start for line in marks})
        sections: list[Section] = []
        for index, line in enumerate(marks):
            end = marks[index + 1].start if index + 1 < len(marks) else len(text)
            reason = _skipped(line.text)
            if reason:
                notices.append(never_runs(reason, span_of(line)))
            else:
                sections.extend(_changeset(text, line, end))
        return Sections(tuple(sections), tuple(notices))


def _is_formatted(content: bytes) -> bool:
    first = next((line.text for line in lines(content) if line.text.strip()), b"")
    return re.match(_HEADER, first) is not None


def _changeset_lines(text: bytes) -> list[Line]:
    lowered = text.lower()  # the same offsets: only ASCII letters change
    return [
        Line(line.start, line.end, line.next, text[line.start : line.end]) for line in lines_with(lowered, b"changeset")
    ]


def _odd_lines(text: bytes, taken: set[int]) -> list[Notice]:
    notices = []
    for line in _changeset_lines(text):
        if line.start not in taken and re.match(rb"(?i)\s*--?\s*changeset\b", line.text):
            message = "Liquibase refuses this line: it wants --changeset author:id"
            notices.append(refused(message, span_of(line)))
    for found in re.finditer(rb"(?mi)^[^\S\n]*--[^\n]*?\brunInTransaction[^\S\n]*[:=][^\S\n]*\"?false", text):
        start = text.rfind(b"\n", 0, found.end()) + 1
        if start not in taken:
            message = "Liquibase reads runInTransaction:false only on the --changeset line itself: move it there"
        elif re.search(rb"(?i)runInTransaction:\w", text[start : found.end()]) is None:
            message = "Liquibase reads only runInTransaction:false, without blanks and quotes"
        else:
            continue
        notices.append(without_effect(message, Span(start, found.end())))
    return notices


def _attribute(line: bytes, name: bytes, value: bytes = rb"\w+") -> tuple[bytes, Span] | None:
    """The value of ``name:value`` on a changeset line, and where the two stand in it. The last one counts."""
    found = list(re.finditer(rb"(?i)(?<![A-Za-z])" + name + b":(" + value + b")", line))
    return (found[-1][1], Span(found[-1].start(), found[-1].end())) if found else None


def _skipped(line: bytes) -> str | None:
    """Why a changeset does not run on PostgreSQL, or None."""
    ignore = _attribute(line, b"ignore")
    if ignore is not None and ignore[0].lower() == b"true":
        return "ignore:true: Liquibase leaves this changeset out"
    dbms = _attribute(line, b"dbms", rb"\S+")
    if dbms is None:
        return None
    names = {name.strip().lower() for name in dbms[0].strip(b'"').split(b",") if name.strip()}
    wanted = {name for name in names if not name.startswith(b"!")}
    refuses = b"!postgresql" in names or b"none" in names
    if refuses or (wanted and not wanted & {b"postgresql", b"all"}):
        shown = dbms[0].decode("utf-8", "replace")
        return f"dbms:{shown}: Liquibase does not run this changeset on PostgreSQL"
    return None


def _changeset(text: bytes, line: Line, end: int) -> list[Section]:
    body_end, down = _rollback(text, line.next, end)
    span = Span(line.next, body_end)
    opt_out = _attribute(line.text, b"runInTransaction")
    plain = opt_out is not None and opt_out[0].lower() != b"true"
    split = _attribute(line.text, b"splitStatements")
    whole = split is not None and split[0].lower() == b"false"
    delimiter = _attribute(line.text, b"endDelimiter", rb"\S*")
    chunks: tuple[Span, ...] = ()
    if not whole and delimiter is not None and delimiter[0] not in (b"", b";", b"\\;"):
        chunks = pieces(text, span, delimiter[0].replace(rb"\n", b"\n").removesuffix(b"$"))
    section = Section(
        "up",
        span,
        "none" if plain else "section",
        "string" if whole or chunks else "statement",
        reason="runInTransaction:false on the changeset" if plain else _EACH,
        chunks=chunks,
        marker=Span(line.start + opt_out[1].start, line.start + opt_out[1].end) if plain and opt_out else None,
    )
    return [section] if down is None else [section, Section("down", down, "section", "statement", reason=_EACH)]


def _rollback(text: bytes, start: int, end: int) -> tuple[int, Span | None]:
    """Where the changeset's own SQL ends, and the rollback after it when it is one piece of SQL.

    Rollback lines are comments to PostgreSQL; of several, none is a section, for each would begin with ``--rollback``.
    """
    found: list[Line] = []
    tail = end
    for line in lines(text, start, end):
        if re.match(rb"(?i)\s*--\s*rollback\s", line.text):
            found.append(line)
            tail = min(tail, line.start)
        elif line.text.strip() and found:
            return end, None  # SQL after a rollback line still belongs to the changeset
    if len(found) != 1:
        return tail, None
    line = found[0]
    mark = re.match(rb"(?i)\s*--\s*rollback\s+", line.text)
    begin = line.start + (mark.end() if mark else 0)
    sql = text[begin : line.end].strip().lower()
    if not sql or sql.startswith((b"not required", b"empty")) or b"changesetid" in sql:
        return tail, None
    return tail, Span(begin, line.end)


def _changelogs(directory: Directory) -> list[bytes]:
    names = [name for name in directory.files if name.endswith(_CHANGELOG_ENDINGS) and "change" in name.lower()]
    return [content for name in names if (content := directory.read(name)) is not None]


def _named_in(changelog: bytes) -> list[str]:
    found = re.findall(rb"[\w.\-/ ]+\.sql\b", changelog)
    return [path.decode("utf-8", "replace").strip().rpartition("/")[2] for path in found]


SOURCE: Source = Liquibase()
