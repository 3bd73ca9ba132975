"""dbmate: pairs of ``-- migrate:up`` and ``-- migrate:down`` in one file, each up section one string."""

from __future__ import annotations

import re
from typing import Literal

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import Line, is_comment, lines_with, refused, span_of, without_effect
from dflint_sources.marks import first_or_last
from dflint_sources.names import sql_files

_NEEDLE = b"migrate:"
_Marker = tuple[Line, Literal["up", "down"]]


class Dbmate:
    """dbmate. A transaction round each up section, unless its marker line says ``transaction:false``."""

    name = "dbmate"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by a ``-- migrate:up`` comment in the first or the last file."""
        files = self.files(directory)
        marked = first_or_last(directory, files, lambda content: any(_markers(content)))
        if marked is None:
            return None
        return Claim(Runner(self.name, reason=f"{marked} has -- migrate:up and -- migrate:down sections"), files)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """Names that begin with a digit, sorted as text: dbmate compares them so."""
        return tuple(sorted(name for name in sql_files(directory.files) if name[:1].isdigit() and name[0].isascii()))

    def sections(self, file: MigrationFile) -> Sections:
        """Every pair. What stands before the first marker may only be comments."""
        text = file.text
        markers = _markers(text)
        notices = _odd_markers(text, markers)
        ups = [line for line, turn in markers if turn == "up"]
        if not ups:
            notices.append(refused("dbmate refuses a file without -- migrate:up: put it first", Span(0, 0)))
            return Sections((Section("up", Span(0, len(text)), "section", "string", reason=_WRAPPED),), tuple(notices))
        first = markers[0][0]
        if any(part.strip() and not is_comment(part) for part in text[: first.start].split(b"\n")):
            notices.append(refused("dbmate refuses SQL before -- migrate:up: move it below", Span(0, first.start)))
        notices.extend(_unpaired(markers))
        sections = []
        for index, (line, turn) in enumerate(markers):
            end = markers[index + 1][0].start if index + 1 < len(markers) else len(text)
            sections.append(_section(line, turn, end))
        return Sections(tuple(sections), tuple(notices))


_WRAPPED = "dbmate runs each up section in a transaction"


def _turn(line: bytes) -> Literal["up", "down"] | None:
    """What a line marks; dbmate wants it at column 0 with nothing else or options after white space."""
    found = re.match(rb"--\s*migrate:(up|down)(?:\s|$)", line)
    return None if found is None else ("up" if found[1] == b"up" else "down")


def _markers(text: bytes) -> list[_Marker]:
    found: list[_Marker] = []
    for line in lines_with(text, _NEEDLE):
        turn = _turn(line.text)
        if turn is not None:
            found.append((line, turn))
    return found


def _odd_markers(text: bytes, markers: list[_Marker]) -> list[Notice]:
    taken = {line.start for line, _ in markers}
    notices = []
    for line in lines_with(text, _NEEDLE):
        if line.start not in taken and is_comment(line.text) and _turn(line.text.lstrip()) is not None:
            message = "dbmate takes a marker only at the start of a line: remove the white space before it"
            notices.append(without_effect(message, span_of(line)))
    for found in re.finditer(rb"(?mi)^[^\S\n]*--[^\n]*?\btransaction\s*:\s*false\b", text):
        line_start = text.rfind(b"\n", 0, found.end()) + 1
        end = text.find(b"\n", found.end())
        line_text = text[line_start : end if end >= 0 else len(text)]
        if line_start in taken and _options(line_text).get(b"transaction") == b"false":
            continue
        if line_start in taken:
            message = "dbmate reads only the exact option transaction:false, in small letters and without blanks"
        else:
            message = "dbmate reads transaction:false only on the -- migrate:up line itself: move it there"
        notices.append(without_effect(message, Span(line_start, found.end())))
    return notices


def _unpaired(markers: list[_Marker]) -> list[Notice]:
    notices = []
    if markers[0][1] == "down":
        notices.append(refused("dbmate refuses -- migrate:down before -- migrate:up", span_of(markers[0][0])))
    for index, (line, turn) in enumerate(markers):
        following = markers[index + 1][1] if index + 1 < len(markers) else "up"
        if turn == "up" and following == "up":
            notices.append(refused("dbmate refuses an up section without -- migrate:down after it", span_of(line)))
        elif turn == "down" and following == "down":
            notices.append(refused("dbmate refuses two -- migrate:down after one -- migrate:up", span_of(line)))
    return notices


def _options(line: bytes) -> dict[bytes, bytes]:
    pairs = [word.split(b":") for word in line.partition(_NEEDLE)[2].split()[1:]]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _section(line: Line, turn: Literal["up", "down"], end: int) -> Section:
    span = Span(line.next, end)
    if _options(line.text).get(b"transaction") != b"false":
        return Section(turn, span, "section", "string", reason=_WRAPPED)
    at = line.start + line.text.rfind(b"transaction:false")
    marker = Span(at, at + len(b"transaction:false"))
    return Section(turn, span, "none", "string", reason="transaction:false on the marker line", marker=marker)


SOURCE: Source = Dbmate()
