"""Filling the placeholders of messages from an operation and its circumstances, when they are needed at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from dflint.facts import subjects
from dflint.facts.paths import reader
from dflint.facts.type_names import spell
from dflint.model.catalog import Index
from dflint.model.context import Context
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")

#: What stands for something absent.
ABSENT = "unnamed"


class Placeholders:
    """Formats templates for one context."""

    def __init__(self, context: Context, values: Mapping[str, str] | None = None) -> None:
        self._context = context
        self._values = values or {}

    def format(self, template: str) -> str:
        """The template with its placeholders filled."""
        if "{" not in template and "}" not in template:
            return template
        return "".join([piece if fill is None else self._filled(piece, fill) for piece, fill in _pieces(template)])

    def _filled(self, name: str, fill: _Fill) -> str:
        given = self._values.get(name)
        return (_text(fill(self._context)) or ABSENT) if given is None else given


_Fill = Callable[[Context], Any]


@lru_cache(maxsize=2_000)
def _pieces(template: str) -> tuple[tuple[str, _Fill | None], ...]:
    """The texts and placeholders that a template consists of; a placeholder has a function that fills it."""
    pieces: list[tuple[str, _Fill | None]] = []
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        name = found[1]
        pieces.append((template[end : found.start()] + ("" if name is not None else found[0][0]), None))
        if name is not None:
            pieces.append((name, _FILLERS.get(name) or _own(name)))
        end = found.end()
    return (*pieces, (template[end:], None))


def _own(path: str) -> _Fill:
    """What fills a placeholder that is a field of the operation."""

    def fill(context: Context) -> Any:
        return reader(path)(context.operation)

    return fill


def used(template: str) -> list[str]:
    """The names of the placeholders in a template; ``""`` stands for braces that are not well-formed."""
    names = [match[1] for match in _PLACEHOLDER.finditer(template) if match[1] is not None]
    rest = _PLACEHOLDER.sub("", template)
    return [*names, ""] if "{" in rest or "}" in rest else names


def known() -> Iterable[str]:
    """The placeholders that every rule may use, beside the fields of its operations."""
    return _FILLERS.keys()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, Type):
        return spell(value)
    if isinstance(value, (tuple, frozenset, list)):
        return ", ".join(_text(member) for member in value)
    return str(getattr(value, "name", value))


def _field(*names: str) -> Callable[[Context], Any]:
    def fill(context: Context) -> Any:
        for name in names:
            value = getattr(context.operation, name, None)
            if value is not None:
                return value
        return None

    return fill


def _target(context: Context) -> Any:
    return context.operation.target or context.operation.target_kind


def _table(context: Context) -> Any:
    operation = context.operation
    on = getattr(operation, "on", None)
    if on is not None:
        return on
    if operation.target_kind == "index" and operation.target is not None:
        found = context.relation(operation.target)
        return found.table.name if isinstance(found, Index) else "its table"
    return operation.target


def _lock(context: Context) -> str:
    locks = context.effect.locks
    return context.effect.lock() or (locks[0].mode if locks else "no")


def _type(context: Context) -> Any:
    column = getattr(context.operation, "column", None)
    return column.type if isinstance(column, Column) else getattr(context.operation, "type", None)


def _old_type(context: Context) -> str | None:
    found = subjects.column(context)
    return spell(found.type) if isinstance(found, Column) and found.type is not None else "its present type"


def _undecided_type(context: Context) -> str:
    """What has to be known before the cost of a change of type is."""
    found = subjects.column(context)
    if not isinstance(found, Column) or found.type is None:
        return f"the present type of {context.operation.target}.{subjects.column_name(context)}"
    new = _type(context)
    if isinstance(new, Type) and {found.type.name.name, new.name.name} == {"timestamp", "timestamptz"}:
        return "the session's TimeZone"
    return f"what the types {spell(found.type)} and {_text(new)} are"


def _name(context: Context) -> Any:
    constraint = getattr(context.operation, "constraint", None)
    return constraint.name if isinstance(constraint, Constraint) else getattr(context.operation, "name", None)


def _referenced(context: Context) -> Any:
    names = subjects.referenced_names(context)
    if names:
        return names
    found = subjects.named_constraint(context)
    return found.references if isinstance(found, Constraint) else "the referenced table"


def _parent(context: Context) -> Any:
    partition_of = getattr(context.operation, "partition_of", None)
    return partition_of or getattr(context.operation, "parent", None) or context.operation.target


def _transaction(context: Context) -> str:
    return context.transaction.reason or "no transaction"


#: Placeholder -> what fills it.
_FILLERS: Mapping[str, Callable[[Context], Any]] = {
    "target": _target,
    "table": _table,
    "lock": _lock,
    "column": subjects.column_name,
    "type": _type,
    "old_type": _old_type,
    "name": _name,
    "new_name": _field("new_name"),
    "constraint": _name,
    "referenced": _referenced,
    "parent": _parent,
    "partition": _field("partition"),
    "index": _field("index", "name"),
    "kind": lambda context: context.operation.kind.replace("_", " "),
    "object": lambda context: context.operation.target_kind.replace("_", " "),
    "transaction": _transaction,
    "runner": lambda context: context.runner.name,
    "version": lambda context: context.version,
    "unknown_effect": lambda context: context.effect.unknown,
    "undecided_type": _undecided_type,
}
