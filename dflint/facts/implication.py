"""What CHECK constraints say of one column's values, and whether a partition's bound follows from that, or cannot be.

As far as PostgreSQL's own prover goes for one key column: comparisons with constants, IN lists, AND.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from dflint.model.expressions import Expr
from dflint.model.schema import PartitionBound

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?([+-]\d\d)?")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


class Claim(Struct, frozen=True):
    """``column operator value``, or (with ``values``) the column is one of them."""

    operator: str
    values: tuple[str, ...]


def claims(parts: Iterable[Expr], column: str) -> list[Claim]:
    """What conjuncts say of the column, as far as they compare it with constants."""
    return [claim for part in parts if (claim := _claim(part, column)) is not None]


def implies_bound(found: Sequence[Claim], bound: PartitionBound) -> bool | None:
    """Whether each value that the claims allow (null apart) lies within the bound; None: it cannot be told."""
    if bound.kind == "list":
        wanted = {constant(value) for value in bound.values}
        return any(claim.operator == "=" and wanted.issuperset(claim.values) for claim in found)
    lower, upper = _limits(bound)
    answers = [
        True if lower is None else _some(_at_least(claim, lower) for claim in found),
        True if upper is None else _some(_below(claim, upper) for claim in found),
    ]
    return False if False in answers else None if None in answers else True


def excludes_bound(found: Sequence[Claim], bound: PartitionBound) -> bool | None:
    """Whether no value that the claims allow lies within the bound; None: it cannot be told."""
    if bound.kind == "list":
        wanted = {constant(value) for value in bound.values}
        return any(claim.operator == "=" and wanted.isdisjoint(claim.values) for claim in found)
    lower, upper = _limits(bound)
    ways = [_below(claim, lower) for claim in found if lower is not None]
    ways += [_at_least(claim, upper) for claim in found if upper is not None]
    return _some(ways)


def constant(expr: Expr) -> str | None:
    """A constant's text, casts taken off; None for anything else."""
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    return str(expr.value) if expr.kind == "constant" else None


def _limits(bound: PartitionBound) -> tuple[str | None, str | None]:
    lower = bound.lower[0] if bound.lower else None
    upper = bound.upper[0] if bound.upper else None
    return (None if lower is None else constant(lower)), (None if upper is None else constant(upper))


def _claim(part: Expr, column: str) -> Claim | None:
    symbol = part.name.name if part.kind == "operator" and part.name is not None else ""
    if part.kind == "in" and _is_column(part.args[0], column):
        return _listed(part.args[1:])
    if symbol == "= any" and _is_column(part.args[0], column) and part.args[1].kind == "array":
        return _listed(part.args[1].args)
    if symbol not in _FLIPPED or len(part.args) != 2:
        return None
    left, right = part.args
    if _is_column(right, column):
        left, right, symbol = right, left, _FLIPPED[symbol]
    value = constant(right)
    return Claim(symbol, (value,)) if _is_column(left, column) and value is not None else None


def _listed(values: Iterable[Expr]) -> Claim | None:
    found = [constant(value) for value in values]
    known = tuple(value for value in found if value is not None)
    return Claim("=", known) if len(known) == len(found) else None


def _is_column(expr: Expr, name: str) -> bool:
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    return expr.kind == "column" and expr.name is not None and expr.name.name == name


def _at_least(claim: Claim, limit: str) -> bool | None:
    """Whether all values that the claim allows are at least ``limit``."""
    if claim.operator in ("<", "<="):
        return False
    return _every(_order(value, limit, (0, 1)) for value in claim.values)


def _below(claim: Claim, limit: str) -> bool | None:
    """Whether all values that the claim allows are below ``limit``."""
    if claim.operator in (">", ">="):
        return False
    allowed = (-1, 0) if claim.operator == "<" else (-1,)
    return _every(_order(value, limit, allowed) for value in claim.values)


def _order(one: str, other: str, allowed: tuple[int, ...]) -> bool | None:
    if one == other:
        return 0 in allowed
    try:
        first, second = Decimal(one), Decimal(other)
    except InvalidOperation:
        if _MOMENT.fullmatch(one) and _MOMENT.fullmatch(other):
            return (-1 if one < other else 1) in allowed
        return None
    return (-1 if first < second else 1 if first > second else 0) in allowed


def _some(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def _every(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return False if False in found else None if None in found else True
