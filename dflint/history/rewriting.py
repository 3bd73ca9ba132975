"""Names inside expressions, changed without recursion: expressions may be deep."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from dflint.model.dependencies import may_name_sequence, sequence_argument
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier
from dflint.model.schema import IndexElement

REGCLASS = Type(Name("pg_catalog", "regclass"))


def rewritten(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """``expr`` with every part replaced by what ``change`` makes of it, innermost first."""
    done: list[Expr] = []
    for part in reversed(list(expr.walk())):
        args = part.args
        if args:
            inner = tuple(reversed(done[-len(args) :]))
            del done[-len(args) :]
            same = all(new is old for new, old in zip(inner, args, strict=True))
            done.append(change(part if same else replace(part, args=inner)))
        else:
            done.append(change(part))
    return done[0]


def mentions_column(expr: Expr | None, column: str) -> bool:
    """Whether ``expr`` names a column of that name."""
    return expr is not None and column in expr.columns()


def rename_column(expr: Expr | None, old: str, new: str) -> Expr | None:
    """``expr`` with a column renamed."""
    if expr is None or not mentions_column(expr, old):
        return expr

    def change(part: Expr) -> Expr:
        if part.kind == "column" and part.name is not None and part.name.name == old:
            return replace(part, name=Name(part.name.schema, new))
        return part

    return rewritten(expr, change)


def rename_in_elements(elements: tuple[IndexElement, ...], old: str, new: str) -> tuple[IndexElement, ...]:
    """Index elements with a column renamed."""
    return tuple(
        replace(element, column=new)
        if element.column == old
        else replace(element, expression=rename_column(element.expression, old, new))
        if mentions_column(element.expression, old)
        else element
        for element in elements
    )


def element_columns(elements: Iterable[IndexElement]) -> set[str]:
    """The columns that index elements use, also inside expressions."""
    found: set[str] = set()
    for element in elements:
        if element.column is not None:
            found.add(element.column)
        if element.expression is not None:
            found.update(element.expression.columns())
    return found


def regclass_text(name: Name) -> str:
    """``name`` as the text of a regclass constant."""
    parts = [part for part in name if part]
    return ".".join(quote_identifier(part) for part in parts)


def nextval(sequence: Name) -> Expr:
    """The default of a serial column: ``nextval('schema.sequence'::regclass)``."""
    constant = Expr("cast", args=(Expr("constant", value=regclass_text(sequence)),), type=REGCLASS)
    return Expr("function", name=Name("pg_catalog", "nextval"), args=(constant,))


def rename_sequences(expr: Expr | None, rename: Callable[[Name], Name]) -> Expr | None:
    """``expr`` with the sequences that nextval() and its kin name by a constant renamed (or qualified)."""
    if expr is None or not may_name_sequence(expr):
        return expr

    def change(part: Expr) -> Expr:
        sequence = sequence_argument(part)
        if sequence is None:
            return part
        renamed = rename(sequence)
        if renamed == sequence and part.args[0].kind == "cast":
            return part
        constant = Expr("cast", args=(Expr("constant", value=regclass_text(renamed)),), type=REGCLASS)
        return replace(part, args=(constant, *part.args[1:]))

    return rewritten(expr, change)
