"""From the text of a section to statements of operations. One bad statement never hides the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from dflint.model.migration import Section, Statement
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.session import PsqlCommand
from dflint.sql.build.nodes import Node
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep
from dflint.sql.split import split

if TYPE_CHECKING:
    from dflint.sql.mask import PsqlLine

_decode: Callable[[bytes], Node] = msgspec.json.decode


class _Outline(msgspec.Struct):
    """A statement of a parse tree, not yet decoded."""

    stmt: msgspec.Raw
    stmt_location: int = 0
    stmt_len: int = 0


class _Tree(msgspec.Struct):
    """A parse tree whose statements are not yet decoded."""

    stmts: list[_Outline]


_decode_outline = msgspec.json.Decoder(_Tree).decode

#: Bytes of text from which statements are decoded one by one.
_LARGE = 50_000

_TOO_DEEP = "nests too deep to be analysed"

#: White space and comments before a statement. (Nested comments end early here; the offset is then a little too low.)
_LEADING = re.compile(rb"(?:[\s;\x0b]+|--[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")


class Parser:
    """Parses migrations with one libpg_query."""

    def __init__(self, library: LibPgQuery) -> None:
        self.library = library

    def parse(self, text: bytes, sections: Sequence[Section]) -> list[list[Statement]]:
        """Parse the sections of a file.

        Args:
            text: the whole file, checked, without byte order mark.

        Returns:
            For each section its statements in order; offsets are those of the file. Of sections that do not run
            forward only what the grammar rejects.
        """
        return [
            self._section(text, section) if section.direction == "up" else self._rejected(text, section)
            for section in sections
        ]

    def _rejected(self, text: bytes, section: Section) -> list[Statement]:
        start, end = section.span.start, section.span.end
        try:
            self.library.parse(text if start == 0 and end == len(text) else text[start:end])
        except TooDeep:
            return []
        except GrammarError:
            return [
                statement
                for statement in self._section(text, section)
                if any(isinstance(operation, Opaque) and operation.rejected for operation in statement.operations)
            ]
        return []

    def _section(self, text: bytes, section: Section) -> list[Statement]:
        start, end = section.span.start, section.span.end
        piece = text if start == 0 and end == len(text) else text[start:end]
        lines: list[PsqlLine] = []
        if b"\\" in piece:
            from dflint.sql.mask import mask_copy_data, mask_psql

            if section.wire == "psql":
                piece, lines = mask_psql(piece)
            else:
                piece = mask_copy_data(piece)
        try:
            statements = self._whole(piece, start)
        except GrammarError:
            from dflint.sql.mask import mask_templates

            masked = mask_templates(piece, psql_variables=section.wire == "psql")
            statements = self._again(masked, start, masked != piece)
        except (RecursionError, TooDeep):
            statements = self._piecewise(piece, start)
        if lines:
            statements = _with_psql_lines(statements, lines, start)
        return statements

    def _again(self, masked: bytes, start: int, changed: bool) -> list[Statement]:
        if changed:
            try:
                return self._whole(masked, start)
            except (GrammarError, RecursionError, TooDeep):
                pass
        return self._piecewise(masked, start)

    def _whole(self, piece: bytes, base: int) -> list[Statement]:
        library = self.library
        if len(piece) > _LARGE:
            return self._one_by_one(library.parse(piece), base, len(piece))
        tree = _decode(library.parse(piece))
        statements: list[Statement] = []
        length = len(piece)
        for index, raw in enumerate(tree["stmts"]):
            start = raw.get("stmt_location", 0)
            size = raw.get("stmt_len", 0)
            operations = build(raw["stmt"], library)
            statements.append(
                Statement(index, base + start, base + (start + size if size else length), operations, base)
            )
        return statements

    def _one_by_one(self, tree: bytes, base: int, length: int) -> list[Statement]:
        """The statements of a large text, so that only one of them is held as a tree at any time."""
        statements: list[Statement] = []
        for index, raw in enumerate(_decode_outline(tree).stmts):
            end = raw.stmt_location + raw.stmt_len if raw.stmt_len else length
            operations = build(_decode(bytes(raw.stmt)), self.library)
            statements.append(Statement(index, base + raw.stmt_location, base + end, operations, base))
        return statements

    def _piecewise(self, piece: bytes, base: int) -> list[Statement]:
        """Each statement for itself, as the scanner separates them."""
        statements: list[Statement] = []
        for start, end in split(self.library, piece):
            text = piece[start:end]
            operations: tuple[Operation, ...]
            try:
                tree = _decode(self.library.parse(text))
                operations = tuple(op for raw in tree["stmts"] for op in build(raw["stmt"], self.library))
            except GrammarError as error:
                operations = (Opaque(reason=error.message, rejected=True, at=error.position),)
            except (RecursionError, TooDeep):
                operations = (Opaque(reason=_TOO_DEEP),)
            if operations:
                statements.append(Statement(len(statements), base + start, base + end, operations, base + start))
        return statements


def text_start(text: bytes, statement: Statement) -> int:
    """Where the statement's own text begins, after white space and comments."""
    return skip_blanks(text, statement.start, statement.end)


def skip_blanks(text: bytes, start: int, end: int) -> int:
    """The first place from ``start`` on that is neither white space, comment nor semicolon."""
    found = _LEADING.match(text, start, end)
    return found.end() if found else start


def _with_psql_lines(statements: list[Statement], lines: list[PsqlLine], base: int) -> list[Statement]:
    extra: list[Statement] = []
    for line in lines:
        operation: Operation
        if line.unknown:
            operation = Opaque(reason=f"what \\{line.command} runs is not in this file", node="psql")
        else:
            operation = PsqlCommand(command=line.command, arguments=line.arguments)
        extra.append(Statement(0, base + line.start, base + line.end, (operation,), base))
    merged = sorted([*statements, *extra], key=lambda statement: statement.end)
    return [
        Statement(index, statement.start, statement.end, statement.operations, statement.base)
        for index, statement in enumerate(merged)
    ]
