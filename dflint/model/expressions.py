"""SQL types and scalar expressions, as far as judging a migration needs them.

An `Expr` is a small tree of our own: comparable, hashable, free of positions. Rules walk it; they never see the
parser's tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from dflint.model.names import Name
from dflint.model.values import Part

ExprKind = Literal[
    "constant",  # value
    "null",
    "column",  # name; name.schema is the table or alias it was written with
    "function",  # name, args
    "value_function",  # current_timestamp and its kin: name.name, lower case
    "operator",  # name.name is the operator, args
    "and",
    "or",
    "not",
    "is_null",
    "is_not_null",
    "boolean_test",  # name.name: is_true, is_not_true, ...
    "cast",  # args[0], type
    "collate",  # args[0], name
    "case",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "array",
    "row",
    "in",  # args[0] against the rest
    "between",
    "like",
    "subscript",
    "subquery",  # reads: the relations it names, args: expressions found inside
    "parameter",
    "default",
    "other",  # name.name says what
]


class Type(Part, frozen=True):
    """A type as written. Built-in types have schema ``pg_catalog`` and their internal name (``int4``, ``varchar``).

    Attributes:
        modifiers: what stood in parentheses, as text: ``("10", "2")`` for numeric(10,2).
        dimensions: number of array dimensions, 0 for none.
        reference: written ``table.column%TYPE``; the name then is not a type's.
    """

    name: Name
    modifiers: tuple[str, ...] = ()
    dimensions: int = 0
    setof: bool = False
    reference: bool = False


class Expr(Part, frozen=True):
    """A scalar expression. Which attributes are set depends on ``kind``; see `ExprKind`."""

    kind: ExprKind
    name: Name | None = None
    args: tuple[Expr, ...] = ()
    value: str | bool | None = None
    type: Type | None = None
    reads: tuple[Name, ...] = ()

    def walk(self) -> Iterator[Expr]:
        """The expression and every one inside it, outermost first."""
        pending = [self]
        while pending:
            expr = pending.pop()
            yield expr
            pending.extend(reversed(expr.args))

    def columns(self) -> tuple[str, ...]:
        """Names of the columns it mentions, in order of appearance, each once."""
        return tuple(dict.fromkeys(e.name.name for e in self.walk() if e.kind == "column" and e.name))

    def functions(self) -> tuple[Name, ...]:
        """Names of the functions it calls, in order of appearance, each once."""
        return tuple(dict.fromkeys(e.name for e in self.walk() if e.kind == "function" and e.name))
