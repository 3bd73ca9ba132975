"""Checks about ALTER COLUMN … TYPE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from dflint.model.catalog import EnumType, Table, View
from dflint.model.context import Context, Hit
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AlterColumnType
from dflint.model.schema import Column

_ZONES = frozenset({"timestamp", "timestamptz"})
_INTEGERS = ("int2", "int4", "int8")
_TEXTS = frozenset({"text", "varchar", "bpchar"})
_FLOATS = ("float4", "float8")
_TIMES = frozenset({*_ZONES, "time", "timetz"})
_MICROSECONDS = 6


def type_change_rewrites(operation: Operation, context: Context) -> Hit | None:
    """A rewrite other than one between timestamp and timestamptz, which is a matter of its own."""
    return None if _zones_change(operation, context) else Hit()


def type_change_between_timestamps(operation: Operation, context: Context) -> Hit | None:
    """Between timestamp and timestamptz: the values stay as they are only under UTC and without USING."""
    if not isinstance(operation, AlterColumnType) or not _zones_change(operation, context):
        return None
    if operation.using is not None and not _is_column(operation.using, operation.column):
        why = ", because USING computes every value anew, even where TimeZone is UTC"
    elif (zone := context.session.setting("timezone")) is not None and zone.value is not None:
        why = f", because TimeZone is {zone.value} and not UTC"
    else:
        why = " unless the session's TimeZone is UTC"
    return Hit(values={"reason": why})


def _zones_change(operation: Operation, context: Context) -> bool:
    if not isinstance(operation, AlterColumnType):
        return False
    column = _column(operation, context)
    if column is None or column.type is None or column.type.dimensions or operation.type.dimensions:
        return False
    return {_built_in(column.type), _built_in(operation.type)} == _ZONES


class _Loss(NamedTuple):
    """What becomes of values that do not fit: the statement fails, or they are changed without a word."""

    what: str
    silent: bool = True


def type_change_narrows(operation: Operation, context: Context) -> Hit | None:
    """The new type cannot hold all that the old one can."""
    if not isinstance(operation, AlterColumnType):
        return None
    column = _column(operation, context)
    if column is None or column.type is None or column.type.dimensions or operation.type.dimensions:
        return None
    explicit = operation.using is not None
    if operation.using is not None and not _only_casts(operation.using, operation.column):
        return None  # USING may see to it
    loss = _loss(column.type, operation.type, explicit=explicit)
    if loss is None:
        return None
    level: Literal["error", "warning"] = "error" if loss.silent else "warning"
    return Hit(values={"loss": loss.what}, level=level)


def _loss(old: Type, new: Type, *, explicit: bool) -> _Loss | None:
    source, target = _built_in(old), _built_in(new)
    if source is None or target is None:
        return None
    if source in _TEXTS and target in ("varchar", "bpchar") and new.modifiers:
        return _shorter(old, new, explicit=explicit)
    if source in _INTEGERS and target in _INTEGERS:
        if _INTEGERS.index(target) < _INTEGERS.index(source):
            return _Loss("it fails (22003) if a single value is out of range", silent=False)
    elif source == "numeric" and target == "numeric":
        return _coarser(old, new)
    elif source in ("numeric", *_FLOATS) and target in _INTEGERS:
        return None if source == "numeric" and _scale(old) == 0 else _Loss("fractions are rounded away")
    elif source == "float8" and target == "float4":
        return _Loss("values lose digits")
    elif target == "date" and source in _ZONES:
        return _Loss("the time of day is lost")
    elif target in ("time", "timetz") and source in _ZONES:
        return _Loss("the date is lost")
    elif {source, target} <= _TIMES and _precision(new) < _precision(old):
        return _Loss("fractions of a second are rounded away")
    return None


def _shorter(old: Type, new: Type, *, explicit: bool) -> _Loss | None:
    length = _number(new.modifiers, 0)
    before = _number(old.modifiers, 0)
    if length is None or (before is not None and before <= length):
        return None
    if explicit:
        return _Loss(f"the cast in USING cuts longer values to {length} characters without an error")
    return _Loss(f"it fails (22001) if a single value is longer than {length} characters", silent=False)


def _coarser(old: Type, new: Type) -> _Loss | None:
    if not new.modifiers:
        return None
    digits, scale = _number(new.modifiers, 0), _scale(new)
    if digits is None or scale is None:
        return None
    before, scale_before = _number(old.modifiers, 0), _scale(old)
    if scale_before is None or before is None or scale < scale_before:
        return _Loss(f"values are rounded to {scale} decimal places")
    if digits - scale < before - scale_before:
        return _Loss("it fails (22003) if a single value has more digits", silent=False)
    return None


def _scale(numeric: Type) -> int | None:
    if not numeric.modifiers:
        return None
    return _number(numeric.modifiers, 1) if len(numeric.modifiers) > 1 else 0


def _precision(time: Type) -> int:
    found = _number(time.modifiers, 0)
    return _MICROSECONDS if found is None else found


def _number(modifiers: tuple[str, ...], place: int) -> int | None:
    try:
        return int(modifiers[place])
    except (IndexError, ValueError):
        return None


def type_change_of_used_column(operation: Operation, context: Context) -> Hit | None:
    """The column is used by something that PostgreSQL does not rebuild: a view, a generated column, a trigger."""
    if not isinstance(operation, AlterColumnType):
        return None
    table = context.table(operation.target)
    if not isinstance(table, Table):
        return None
    user = _user_in_table(table, operation.column, context)
    if user is not None:
        return Hit(values={"user": user})
    for name in context.catalog.dependents_of.get(table.name, ()):
        view = context.catalog.relation(name)
        if isinstance(view, View) and _view_uses(view, table.name, operation.column):
            kind = "materialized view" if view.materialized else "view"
            return Hit(values={"user": f"the {kind} {name}"})
    return None


def _user_in_table(table: Table, column: str, context: Context) -> str | None:
    dropped = {getattr(other, "column", None) for other in context.statement.operations if other.kind == "drop_column"}
    for other in table.columns:
        if other.generated is not None and column in other.generated.columns() and other.name not in dropped:
            return f"the generated column {other.name}"
    for trigger in table.triggers:
        if column in trigger.columns or (trigger.when is not None and column in trigger.when.columns()):
            return f"the trigger {trigger.name}"
    for policy in table.policies:
        if any(expr is not None and column in expr.columns() for expr in (policy.using, policy.check)):
            return f"the policy {policy.name}"
    return None


def _view_uses(view: View, table: Name, column: str) -> bool:
    """Whether a view certainly uses that column of a table that it reads."""
    query = view.query
    shown = Name(str(table), column)
    if any(source == (table if name == "*" else shown) for name, source in query.columns):
        return True
    # With several relations a name alone does not say whose it is; and a relation's own name may be its whole row.
    mentions = query.mentions or ()
    return len(query.reads) == 1 and column in mentions and column != query.reads[0].name


def type_change_of_default(operation: Operation, context: Context) -> Hit | None:
    """A text column with a default becomes an enum: USING converts the rows, but not the default."""
    if not isinstance(operation, AlterColumnType):
        return None
    column = _column(operation, context)
    if column is None or column.type is None or column.default is None or _built_in(column.type) not in _TEXTS:
        return None
    if any(other.kind == "drop_column_default" and _same_column(other, operation) for other in _beside(context)):
        return None
    if not _stays_text(column.default):
        return None
    name = context.catalog.resolve_type(operation.type.name, context.session.search_path)
    if not isinstance(context.catalog.types.get(name), EnumType) or operation.using is None:
        return None
    given = column.default.type
    if given is not None and context.catalog.resolve_type(given.name, context.session.search_path) == name:
        # A default written as the enum was only coerced to text, and the server takes that coercion off again.
        return None
    return Hit()


def _stays_text(default: Expr) -> bool:
    """A literal, with or without a cast to text. A default that is a cast to the enum comes out of its text again."""
    while default.kind == "cast" and default.type is not None and _built_in(default.type) in _TEXTS:
        default = default.args[0]
    return default.kind == "constant"


def _same_column(other: Operation, operation: AlterColumnType) -> bool:
    return getattr(other, "column", None) == operation.column


def _beside(context: Context) -> Iterable[Operation]:
    return context.statement.operations


def _column(operation: AlterColumnType, context: Context) -> Column | None:
    table = context.table(operation.target)
    found = table.column(operation.column) if isinstance(table, Table) else None
    return found if isinstance(found, Column) else None


def _built_in(type_: Type) -> str | None:
    return type_.name.name if type_.name.schema == "pg_catalog" else None


def _is_column(expr: Expr, column: str) -> bool:
    return expr.kind == "column" and expr.name is not None and expr.name.name == column


def _only_casts(expr: Expr, column: str) -> bool:
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    return _is_column(expr, column)
