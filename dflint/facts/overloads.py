"""Functions of which some overloads are immutable and others only stable, told apart by their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from dflint.facts import subjects
from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.expressions import Expr, Type
from dflint.model.schema import Column


class _ByType(NamedTuple):
    """The types of arguments, beside texts and constants, with which a function is immutable, or only stable."""

    immutable: frozenset[str]
    stable: frozenset[str]


#: By name and number of arguments: immutable or not, whatever their types are, or by these. What is not listed is not
#: known.
_OVERLOADS: Final[Mapping[str, Mapping[int, bool | _ByType]]] = {
    "age": {1: False, 2: _ByType(frozenset({"timestamp", "timestamptz"}), frozenset({"date"}))},
    "date": {1: _ByType(frozenset({"timestamp"}), frozenset({"timestamptz"}))},
    "date_part": {
        2: _ByType(frozenset({"date", "timestamp", "time", "timetz", "interval"}), frozenset({"timestamptz"}))
    },
    "date_trunc": {2: _ByType(frozenset({"timestamp", "interval"}), frozenset({"timestamptz", "date"}))},
    "extract": {2: _ByType(frozenset({"date", "timestamp", "time", "timetz", "interval"}), frozenset({"timestamptz"}))},
    "json_to_tsvector": {2: False, 3: True},
    "jsonb_to_tsvector": {2: False, 3: True},
    "length": {1: True},
    "numeric": {
        1: _ByType(frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"}), frozenset({"money"})),
        2: True,
    },
    "overlaps": {},
    "phraseto_tsquery": {1: False, 2: True},
    "plainto_tsquery": {1: False, 2: True},
    "quote_literal": {},
    "quote_nullable": {},
    "time": {},
    "timestamp": {},
    "timestamptz": {},
    "timetz": {},
    "timezone": {1: False, 2: _ByType(frozenset({"timestamp", "timestamptz"}), frozenset({"date"}))},
    "to_timestamp": {1: True, 2: False},
    "to_tsquery": {1: False, 2: True},
    "to_tsvector": {1: False, 2: True},
    "ts_headline": {2: False, 4: True},
    "websearch_to_tsquery": {1: False, 2: True},
}
OVERLOADED: Final = frozenset(_OVERLOADS)

#: ``date_trunc(field, timestamptz, zone)`` was stable before this major.
_WITH_ZONE: Final = 3
_ZONED_IMMUTABLE: Final = 16

_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name"})
_OTHER_ZONE: Final = {"timestamp": "timestamptz", "timestamptz": "timestamp", "timetz": "timetz", "date": "timestamp"}


def is_immutable(call: Expr, context: Context) -> bool | None:
    """Whether the call of one of these functions is immutable; None where its arguments do not tell."""
    name = call.name.name if call.name is not None else ""
    if name == "date_trunc" and len(call.args) == _WITH_ZONE:
        return context.version >= _ZONED_IMMUTABLE
    told = _OVERLOADS[name].get(len(call.args))
    if not isinstance(told, _ByType):
        return told
    types = {_type_name(each, context) for each in call.args if each.kind != "constant"} - _TEXTS
    # Two types become one by a cast, which has a volatility of its own.
    if len(types) == 1:
        if types <= told.immutable:
            return True
        if types <= told.stable:
            return False
    return None


def operator_is_immutable(expr: Expr, context: Context) -> bool | None:
    """Whether an operator of pg_catalog is immutable; None where one of its overloads is not, and may be meant."""
    types = {_type_name(each, context) for each in expr.args}
    name = expr.name.name if expr.name is not None else ""
    if name == "||" and types & _TEXTS and not types <= _TEXTS | {None}:
        return None
    if "timestamptz" in types and (name in ("+", "-") or len(types - {None}) > 1):
        return None
    return True


def column_type(expr: Expr, context: Context) -> Type | None:
    """The type of a cast or of a column, as far as it is known."""
    if expr.kind == "cast":
        return expr.type
    table = subjects.table(context)
    if expr.kind != "column" or expr.name is None or not isinstance(table, Table):
        return None
    found = table.column(expr.name.name)
    return found.type if isinstance(found, Column) else None


def _type_name(expr: Expr, context: Context) -> str | None:
    """The built-in type of an expression; None where it is another, or not known."""
    if expr.kind == "function" and expr.name is not None and expr.name.schema in (None, "pg_catalog") and expr.args:
        inner = _type_name(expr.args[-1], context)
        if expr.name.name == "timezone":
            return _OTHER_ZONE.get(inner or "")
        if expr.name.name == "date_trunc":
            return "timestamptz" if inner == "date" else inner
        return None
    found = column_type(expr, context)
    if found is None or found.dimensions or found.name.schema != "pg_catalog":
        return None
    return found.name.name
