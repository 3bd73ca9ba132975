"""goose: ``-- +goose Up`` and ``-- +goose Down`` in one file, one transaction for each file."""

from __future__ import annotations

from typing import Literal

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.chunks import at_line_ends
from dflint_sources.lines import Line, is_comment, lines_with, refused, span_of, without_effect
from dflint_sources.marks import first_or_last
from dflint_sources.names import numbered

_NEEDLE = b"+goose"
_KNOWN = (b"up", b"down", b"statementbegin", b"statementend", b"no transaction", b"envsub on", b"envsub off")


class Goose:
    """goose v3. It cuts the text itself, at line ends that bear a semicolon."""

    name = "goose"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by a ``-- +goose`` comment in the first or the last file."""
        files = self.files(directory)
        marked = first_or_last(directory, files, _is_marked)
        if marked is None:
            return None
        return Claim(Runner(self.name, reason=f"{marked} has -- +goose annotations"), files)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``NNNNN_name.sql`` by number."""
        return tuple(name for number, _, name in numbered(directory.files) if number > 0)

    def sections(self, file: MigrationFile) -> Sections:
        """Up and Down. NO TRANSACTION holds for both, wherever it stands."""
        text = file.text
        notices: list[Notice] = []
        starts: dict[bytes, Line] = {}
        opt_out: Span | None = None
        regions: list[Line] = []  # the lines of StatementBegin and StatementEnd, in turn
        for line in lines_with(text, _NEEDLE):
            if not is_comment(line.text):
                continue
            command = line.text.replace(b"--", b"").replace(_NEEDLE, b"", 1).strip().lower()
            wrong = _what_is_wrong(line, command, starts)
            if wrong:
                notices.append(without_effect(wrong, span_of(line)))
            if command in (b"up", b"down") and command not in starts:
                starts[command] = line
            elif command in (b"statementbegin", b"statementend"):
                regions.append(line)
            elif command == b"no transaction" and not wrong:
                opt_out = opt_out or span_of(line)
        up, down = starts.get(b"up"), starts.get(b"down")
        if up is None:
            notices.append(refused("goose refuses a file without a -- +goose Up line: put one first", Span(0, 0)))
            begin = 0
        else:
            begin = up.next
            if any(part.strip() and not is_comment(part) for part in text[: up.start].split(b"\n")):
                notices.append(refused("goose refuses SQL before -- +goose Up: move it below", Span(0, up.start)))
        stop = down.start if down is not None and down.start >= begin else len(text)
        sections = [_section("up", text, Span(begin, stop), opt_out, regions)]
        if down is not None and down.start >= begin:
            sections.append(_section("down", text, Span(down.next, len(text)), opt_out, regions))
        return Sections(tuple(sections), tuple(notices))


def _is_marked(content: bytes) -> bool:
    return any(is_comment(line.text) for line in lines_with(content, _NEEDLE))


def _what_is_wrong(line: Line, command: bytes, starts: dict[bytes, Line]) -> str | None:
    if command not in _KNOWN:
        shown = line.text.strip().decode("utf-8", "replace")
        return f"goose knows no annotation {shown!r} and refuses the file; correct it or take +goose out of the comment"
    if line.text[:1] in (b" ", b"\t"):
        return "goose refuses an annotation with white space before it: move it to the start of the line"
    if command in starts:
        return f"goose refuses a second {command.decode().capitalize()} annotation: a file has one Up and one Down"
    if command == b"down" and b"up" not in starts:
        return "goose refuses Down before Up: put the Up section first"
    return None


def _section(
    direction: Literal["up", "down"], text: bytes, span: Span, opt_out: Span | None, regions: list[Line]
) -> Section:
    inside = [line for line in regions if span.start <= line.start < span.end]
    chunks = at_line_ends(text, span, inside)
    if opt_out is None:
        reason = "goose runs each file in a transaction"
        return Section(direction, span, "section", "statement", reason=reason, chunks=chunks)
    reason = "-- +goose NO TRANSACTION holds for the whole file"
    return Section(direction, span, "none", "statement", reason=reason, chunks=chunks, marker=opt_out)


SOURCE: Source = Goose()
