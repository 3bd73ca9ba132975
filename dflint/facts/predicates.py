"""The shape of a WHERE clause: how many rows an UPDATE or DELETE may touch."""

from __future__ import annotations

from dflint.facts import subjects
from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.expressions import Expr


def predicate(context: Context) -> str | None:
    """The WHERE of UPDATE and DELETE: `absent`; `always_true` (`WHERE true`, `1 = 1`); `key`: the primary key or a
    unique key, or a column named id, equals constants or is in a list of them; `limited`: a range of such a key, a
    subquery with its own bounds, or a cursor; `other`: any number of rows.
    """
    operation = context.operation
    if operation.kind not in ("update", "delete"):
        return None
    if getattr(operation, "current_of", False):
        return "limited"
    where: Expr | None = getattr(operation, "where", None)
    if where is None:
        return "absent"
    parts = _conjuncts(where)
    if all(_always_true(part) for part in parts):
        return "always_true"
    fixed = {name for part in parts if (name := _fixed_column(part)) is not None}
    keys = _keys(context)
    if any(key <= fixed for key in keys):
        return "key"
    single = {next(iter(key)) for key in keys if len(key) == 1}
    return "limited" if _bounded(parts, single) else "other"


def _keys(context: Context) -> list[frozenset[str]]:
    keys = [frozenset({"id"})]
    table, name = subjects.table(context), subjects.table_name(context)
    if isinstance(table, Table):
        keys += [
            frozenset(each.columns)
            for each in table.constraints
            if each.kind in ("primary_key", "unique") and each.columns
        ]
    if isinstance(name, tuple):
        for index in subjects.indexes(context, name):
            columns = [element.column for element in index.elements]
            if index.unique and index.where is None and columns and None not in columns:
                keys.append(frozenset(column for column in columns if column is not None))
    return keys


def _conjuncts(expr: Expr) -> list[Expr]:
    pending, parts = [expr], []
    while pending:
        part = pending.pop()
        if part.kind == "and":
            pending.extend(part.args)
        else:
            parts.append(part)
    return parts


def _always_true(expr: Expr) -> bool:
    while expr.kind == "cast" and expr.args:
        expr = expr.args[0]
    if expr.kind == "constant":
        return expr.value is True or str(expr.value).lower() in ("true", "t", "on", "yes", "1")
    if expr.kind == "operator" and expr.name is not None and expr.name.name == "=" and len(expr.args) == 2:
        left, right = expr.args
        return left == right and left.kind == "constant"
    return False


def _fixed(expr: Expr) -> bool:
    """Whether it is one value that does not depend on the row."""
    return not any(part.kind in ("column", "subquery") for part in expr.walk())


def _fixed_column(expr: Expr) -> str | None:
    """The column that the expression ties to constants, by ``=``, ``IN`` or ``= ANY``."""
    if expr.kind == "operator" and expr.name is not None and expr.name.name == "=" and len(expr.args) == 2:
        for one, other in (expr.args, expr.args[::-1]):
            if one.kind == "column" and one.name is not None and _fixed(other):
                return one.name.name
    if expr.kind == "in" and expr.args[0].kind == "column" and all(_fixed(value) for value in expr.args[1:]):
        return None if expr.args[0].name is None else expr.args[0].name.name
    return None


def _bounded(parts: list[Expr], keys: set[str]) -> bool:
    low: set[str] = set()
    high: set[str] = set()
    for part in parts:
        if part.kind == "between" and part.args[0].kind == "column" and part.args[0].name is not None:
            if part.args[0].name.name in keys and all(_fixed(value) for value in part.args[1:]):
                return True
        elif part.kind == "operator" and part.name is not None and len(part.args) == 2:
            left, right = part.args
            symbol = part.name.name
            if left.kind == "column" and left.name is not None and _fixed(right):
                (low if symbol in (">", ">=") else high if symbol in ("<", "<=") else set()).add(left.name.name)
            if right.kind == "column" and right.name is not None and _fixed(left):
                (high if symbol in (">", ">=") else low if symbol in ("<", "<=") else set()).add(right.name.name)
    return bool(low & high & keys)
