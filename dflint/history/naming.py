"""The names PostgreSQL chooses for constraints, indexes and sequences that a statement does not name.

All of it follows the server byte for byte: names are cut to 63 bytes of UTF-8, at a character's edge, the longer part
first; a taken name gets a number behind its label.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from dflint.history.draft import Draft
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import IndexElement

#: Bytes in a name; the server's NAMEDATALEN less its terminator.
LIMIT = 63


def object_name(first: str, second: str | None, label: str) -> str:
    """``first_second_label``, the parts cut so that it fits into 63 bytes."""
    whole = f"{first}_{label}" if second is None else f"{first}_{second}_{label}"
    if len(whole) <= LIMIT and whole.isascii():
        return whole
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
    return name if len(name) <= LIMIT and name.isascii() else _clip(name.encode(), LIMIT)


def sequence_name(draft: Draft, table: Name, column: str) -> Name:
    """A name for a column's own sequence, which no known relation of the schema has."""
    return Name(table.schema, index_name(draft, table, column, "seq"))


def index_name(
    draft: Draft, table: Name, middle: str | None, label: str, constraints: Container[str | None] | None = None
) -> str:
    """A name for an index (or sequence) that no known relation of the table's schema has.

    With ``constraints``, the names of the table's own, it is for a constraint too, so no known constraint of the schema
    may have it either.
    """
    number, name = 0, object_name(table.name, middle, label)
    while True:
        qualified = Name(table.schema, name)
        if draft.relations.get(qualified) is None:
            if constraints is None:
                return name
            if (table.schema, name) not in draft.owners_of_constraint and name not in constraints:
                return name
        number += 1
        name = object_name(table.name, middle, f"{label}{number}")


def constraint_name(
    draft: Draft, owner: Name, middle: str | None, label: str, constraints: Container[str | None] = ()
) -> str:
    """A name for a constraint that no known constraint of its table's (or domain's) schema has, nor ``constraints``."""
    schema, first = owner
    number, name = 0, object_name(first, middle, label)
    while (schema, name) in draft.owners_of_constraint or name in constraints:
        number += 1
        name = object_name(first, middle, f"{label}{number}")
    return name


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
