"""One spelling for expressions that mean the same, so that what was written can be compared with what a server prints.

PostgreSQL keeps an expression as it understood it: with casts added, IN as ``= ANY (ARRAY[…])``, BETWEEN as two
comparisons, LIKE as an operator. The normal form undoes that on both sides. It forgets casts: two expressions that
differ in nothing but casts have the same one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from dflint.catalog.literals import LITERALS
from dflint.model.expressions import Expr, ExprKind, Type
from dflint.model.names import Name

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
#: An array of plain elements, printed without blanks.
_ARRAY: Final = re.compile(r"\{[^\"{}]*\}")
_BLANKS: Final = re.compile(r"\s*,\s*")
_NOT_DISTINCT: Final = "= not distinct"
_DISTINCT: Final = Name(None, "= distinct")
#: Comparisons of rows, and what connects those of their parts.
_ROWS: Final[dict[str, ExprKind]] = {"=": "and", "<>": "or", "= distinct": "or"}
_TRUE, _FALSE = "true", "false"


def normal_default(default: Expr | None, kind: Type | None) -> Expr | None:
    """The normal form of the default of a column of that type: a constant is read as one of that type."""
    if default is not None and default.kind == "constant" and kind is not None:
        default = Expr("cast", args=(default,), type=kind)
    return normal_expression(default)


def normal_expression(expr: Expr | None) -> Expr | None:
    """The normal form of an expression. It recurses, as deep as PostgreSQL lets expressions of a schema be."""
    if expr is None:
        return None
    args = tuple([part for part in [normal_expression(arg) for arg in expr.args] if part is not None])
    special = _SPECIAL.get(expr.kind)
    if special is not None:
        return special(expr, args)
    return Expr(expr.kind, _unqualified(expr.name), args, expr.value, expr.type, _sorted_names(expr.reads))


def _unqualified(name: Name | None) -> Name | None:
    """PostgreSQL's own functions and operators may be written with or without their schema."""
    return Name(None, name.name) if name is not None and name.schema == "pg_catalog" else name


def _sorted_names(names: tuple[Name, ...]) -> tuple[Name, ...]:
    return tuple(sorted({Name(None, name.name) for name in names}))


def _constant(expr: Expr, _args: tuple[Expr, ...]) -> Expr:
    # A number may be printed as a string with a cast; a bit string stays one.
    if isinstance(expr.value, bool):
        return Expr("constant", value=_TRUE if expr.value else _FALSE)
    if isinstance(expr.value, str) and _DATE.match(expr.value):
        # Compared with a timestamp, a date is printed as one.
        return Expr("constant", value=LITERALS["timestamptz"](expr.value))
    if isinstance(expr.value, str) and _ARRAY.fullmatch(expr.value):
        return Expr("constant", value=_BLANKS.sub(",", expr.value))
    if isinstance(expr.value, str) and expr.value[:1] in ("{", "["):
        return Expr("constant", value=LITERALS["jsonb"](expr.value))
    bits = expr.name is not None and expr.name.name == "bits"
    return Expr("constant", value=expr.value.lstrip("b") if bits and isinstance(expr.value, str) else expr.value)


def _cast(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    inner = args[0]
    if inner.kind != "constant" or not isinstance(inner.value, str) or expr.type is None or expr.type.dimensions:
        return inner
    read = LITERALS.get(expr.type.name.name)
    return inner if read is None else Expr("constant", value=read(inner.value))


def _column(expr: Expr, _args: tuple[Expr, ...]) -> Expr:
    if expr.name is not None and expr.name.name == "*" and expr.name.schema is not None:
        # A whole row may be written without the star.
        return Expr("column", Name(None, expr.name.schema.rpartition(".")[2]))
    # Whether a column is qualified depends on how many relations the server sees.
    return Expr("column", Name(None, expr.name.name) if expr.name is not None else None)


def _operator(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    name = _unqualified(expr.name) or Name(None, "")
    if name.name == _NOT_DISTINCT:
        return Expr("not", args=(Expr("operator", _DISTINCT, args),))
    if name.name in ("= any", "<> all") and len(args) == 2 and args[1].kind == "array":
        return _in_list(Name(None, name.name.partition(" ")[0]), (args[0], *args[1].args))
    if name.name in _ROWS and [arg.kind for arg in args] == ["row", "row"] and len(args[0].args) == len(args[1].args):
        pairs = zip(args[0].args, args[1].args, strict=True)
        return Expr(_ROWS[name.name], args=tuple([Expr("operator", name, pair) for pair in pairs]))
    if name.name == "-" and len(args) == 1 and args[0].kind == "constant" and isinstance(args[0].value, str):
        return Expr("constant", value="-" + args[0].value)
    return Expr("operator", name, args)


def _in(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    return _in_list(_unqualified(expr.name) or Name(None, "="), args)


def _in_list(operator: Name, args: tuple[Expr, ...]) -> Expr:
    if len(args) == 2:
        return Expr("operator", operator, args)
    return Expr("in", operator, args)


def _between(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 3 or expr.name is None or "SYMMETRIC" in expr.name.name:
        return Expr("between", expr.name, args)
    value, low, high = args
    if expr.name.name.startswith("NOT"):
        outside = (Expr("operator", Name(None, "<"), (value, low)), Expr("operator", Name(None, ">"), (value, high)))
        return Expr("or", args=outside)
    inside = (Expr("operator", Name(None, ">="), (value, low)), Expr("operator", Name(None, "<="), (value, high)))
    return Expr("and", args=inside)


def _like(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    return Expr("operator", _unqualified(expr.name), args)


def _flat(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    """AND and OR as one list, however they were bracketed."""
    parts: list[Expr] = []
    for arg in args:
        parts.extend(arg.args if arg.kind == expr.kind else (arg,))
    return Expr(expr.kind, args=tuple(parts))


def _not(_expr: Expr, args: tuple[Expr, ...]) -> Expr:
    inner = args[0]
    return inner.args[0] if inner.kind == "not" else Expr("not", args=args)


def _value_function(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    return Expr("value_function", expr.name, args)


_SPECIAL: Final[dict[str, Callable[[Expr, tuple[Expr, ...]], Expr]]] = {
    "constant": _constant,
    "cast": _cast,
    "column": _column,
    "operator": _operator,
    "in": _in,
    "between": _between,
    "like": _like,
    "and": _flat,
    "or": _flat,
    "not": _not,
    "value_function": _value_function,
}


def normal_type(kind: Type | None) -> Type | None:
    """The normal form of a type: how many dimensions an array has means nothing, nor does a scale of 0."""
    if kind is None:
        return None
    modifiers = kind.modifiers
    if kind.name.name == "numeric" and len(modifiers) == 1:
        modifiers = (*modifiers, "0")
    return Type(kind.name, modifiers, min(kind.dimensions, 1), kind.setof, kind.reference)
