"""The names PostgreSQL chooses for constraints, indexes and sequences that a statement does not name.

All of it follows the server byte for byte: names are cut to 63 bytes of UTF-8, at a character's edge, the longer part
first; a taken name gets a number behind its label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dflint.history.draft import Draft
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import IndexElement

#: Bytes in a name; the server's NAMEDATALEN less its terminator.
LIMIT = 63


def object_name(first: str, second: str | None, label: str) -> str:
    """``first_second_label``, the parts cut so that it fits into 63 bytes."""
    one, two = first.encode(), second.encode() if second is not None else b""
    available = LIMIT - (second is not None) - len(label) - 1
    size_one, size_two = len(one), len(two)
    if size_one + size_two > available:
        # The server takes a byte off the longer part, over and over, the second part when they are equal.
        excess = size_one + size_two - available
        level = min(abs(size_one - size_two), excess)
        if size_one > size_two:
            size_one -= level
        else:
            size_two -= level
        excess -= level
        size_two -= excess - excess // 2
        size_one -= excess // 2
    parts = [_clip(one, size_one)]
    if second is not None:
        parts.append(_clip(two, size_two))
    return "_".join((*parts, label))


def _clip(text: bytes, size: int) -> str:
    return text[:size].decode(errors="ignore")


def clip(name: str) -> str:
    """``name`` cut as PostgreSQL cuts an identifier that is too long."""
    return name if len(name) <= LIMIT // 4 else _clip(name.encode(), LIMIT)


def _choose(first: str, second: str | None, label: str, taken: Callable[[str], bool]) -> str:
    number, name = 0, object_name(first, second, label)
    while taken(name):
        number += 1
        name = object_name(first, second, f"{label}{number}")
    return name


def relation_name(
    draft: Draft, schema: str, first: str, second: str | None, label: str, *, constraint: bool = False
) -> str:
    """A name for a sequence or an index that no known relation of the schema has.

    ``constraint``: it is for a constraint too, so no known constraint of the schema may have it either.
    """

    def taken(name: str) -> bool:
        qualified = Name(schema, name)
        if draft.relations.get(qualified) is not None:
            return True
        return constraint and qualified in draft.owners_of_constraint

    return _choose(first, second, label, taken)


def constraint_name(  # noqa: PLR0917  (the parts of a name, in order)
    draft: Draft, schema: str, table: str, column: str | None, label: str, others: Iterable[str] = ()
) -> str:
    """A name for a constraint without an index that no known constraint of the schema has, nor ``others``."""
    reserved = frozenset(others)
    return _choose(
        table,
        column,
        label,
        lambda name: name in reserved or Name(schema, name) in draft.owners_of_constraint,
    )


def joined(columns: Sequence[str]) -> str:
    """The middle part of a name made from several columns."""
    size, parts = 0, []
    for column in columns:
        parts.append(column)
        size += len(column.encode()) + (size > 0)
        if size > LIMIT:
            break
    return "_".join(parts)


def index_columns(elements: Iterable[IndexElement], include: Iterable[str] = ()) -> list[str]:
    """The names of an index's own columns, which its generated name is made from."""
    names: list[str] = []
    for element in elements:
        origin = element.column if element.column is not None else expression_name(element.expression) or "expr"
        names.append(_distinct(origin, names))
    for column in include:
        names.append(_distinct(column, names))
    return names


def _distinct(origin: str, names: list[str]) -> str:
    current, number = origin, 0
    while current in names:
        number += 1
        current = _clip(origin.encode(), LIMIT - len(str(number))) + str(number)
    return current


def expression_name(expr: Expr | None) -> str | None:
    """The column name PostgreSQL gives an expression; None where it has no idea."""
    return _figure(expr)[0] if expr is not None else None


_FIXED = {
    "coalesce": "coalesce",
    "greatest": "greatest",
    "least": "least",
    "nullif": "nullif",
    "array": "array",
    "row": "row",
}


def _figure(expr: Expr) -> tuple[str | None, int]:
    """The name and its strength: 2 a good one, 1 a last resort, 0 none."""
    kind = expr.kind
    if kind in ("column", "function", "value_function") and expr.name is not None:
        return (expr.name.name, 2) if expr.name.name != "*" else (None, 0)
    if kind in _FIXED:
        return _FIXED[kind], 2
    if kind == "cast" and expr.args:
        name, strength = _figure(expr.args[0])
        if strength <= 1 and expr.type is not None:
            return expr.type.name.name, 1
        return name, strength
    if kind == "collate" and expr.args:
        return _figure(expr.args[0])
    if kind == "subscript" and expr.args:
        field = expr.name.name.rpartition(".")[2] if expr.name is not None else "*"
        return (field, 2) if field != "*" else _figure(expr.args[0])
    if kind == "case":
        # An odd number of parts has an ELSE (or, not told apart, an operand), and the ELSE may give a name.
        name, strength = _figure(expr.args[-1]) if len(expr.args) % 2 else (None, 0)
        return (name, strength) if strength > 1 else ("case", 1)
    return None, 0
