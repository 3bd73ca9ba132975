"""The string constants of a Python program, put together as the program does, with holes for what it computes.

The program is parsed, never searched: comments, docstrings and names that merely look alike are no strings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

#: Stands for what the program computes; no name of PostgreSQL holds it.
HOLE: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


class Written(Struct, frozen=True):
    """A string of a program.

    Attributes:
        text: its value, with `HOLE` where something computed stands.
        node: where it begins.
        parts: the constants it is made of, with their offsets in ``text``.
    """

    text: str
    node: ast.expr
    parts: tuple[tuple[int, ast.Constant], ...]

    @property
    def whole(self) -> bool:
        """Whether nothing of it is computed."""
        return HOLE not in self.text

    def node_at(self, offset: int) -> tuple[ast.Constant | None, int]:
        """The constant that an offset of the text lies in, and the offset in it."""
        found: tuple[ast.Constant | None, int] = (None, 0)
        for start, node in self.parts:
            if start <= offset:
                found = node, offset - start
        return found


def strings(tree: ast.AST) -> Iterator[Written]:
    """Every string of a program, outermost expressions first; docstrings and annotations are left out."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.expr):
            made = _made(node)
            if made is not None:
                written, others = made
                yield written
                pending += others
                continue
        pending += reversed(list(ast.iter_child_nodes(node)))


def constant(node: ast.AST | None) -> str | None:
    """The value of a string constant; None of anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _made(node: ast.expr) -> tuple[Written, list[ast.AST]] | None:
    """The string that an expression makes, and what else stands in it; None if it makes none that is known."""
    pieces: list[str] = []
    parts: list[tuple[int, ast.Constant]] = []
    others: list[ast.AST] = []
    length = 0
    for piece in _pieces(node):
        value = constant(piece)
        if value is not None:
            assert isinstance(piece, ast.Constant)
            parts.append((length, piece))
        else:
            value = HOLE
            others.append(piece)
        pieces.append(value)
        length += len(value)
    if not parts:
        return None
    return Written("".join(pieces), node, tuple(parts)), others


def _pieces(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression puts together, in order; of one that puts nothing together itself."""
    pending = [node]
    while pending:
        piece = pending.pop()
        if isinstance(piece, ast.BinOp) and isinstance(piece.op, ast.Add):
            pending += (piece.right, piece.left)
        elif isinstance(piece, ast.JoinedStr):
            pending += reversed(piece.values)
        elif isinstance(piece, ast.FormattedValue):
            yield piece.value
        else:
            yield piece
