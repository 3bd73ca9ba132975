"""A catalog in words for people: how much there is of what, and what one object is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from dflint.catalog.layout import DetailMaps, layout
from dflint.facts.type_names import spell
from dflint.model.catalog import Catalog, Dependency, Index, Table
from dflint.model.errors import InputError, nearest
from dflint.model.expressions import Expr, Type
from dflint.model.names import Identity, Name
from dflint.model.quoting import quote_literal
from dflint.model.schema import Column, Constraint, IndexElement

_PLURALS = {"index": "indexes", "policy": "policies", "statistics": "statistics", "operator_class": "operator_classes"}
_INFIX = {"and": " AND ", "or": " OR "}
_AFTER = {"is_null": " IS NULL", "is_not_null": " IS NOT NULL"}


def counts(catalog: Catalog) -> list[tuple[int, str]]:
    """How many objects there are of each kind, most first."""
    found: Counter[str] = Counter()
    for family in layout().families:
        if not isinstance(family, DetailMaps):
            found.update(family.kinds(catalog))
    return [
        (number, (kind if number == 1 else _PLURALS.get(kind, f"{kind}s")).replace("_", " "))
        for kind, number in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def find(catalog: Catalog, name: str) -> list[tuple[str, Any]]:
    """The objects that ``name`` means: an identity, a name, or schema.name; for routines with or without arguments.

    Raises:
        InputError: there is none.
    """
    things = [pair for family in layout().families if family.says_what_exists for pair in family.items(catalog)]
    found = [pair for pair in things if name in _spellings(pair[0])]
    if not found:
        known = {spelling for printed, _ in things for spelling in _spellings(printed)}
        raise InputError(f"the snapshot has no object {name!r}", remedy=nearest(name, known))
    return sorted(found, key=lambda pair: pair[0])


def _spellings(printed: str) -> set[str]:
    parts = Identity.parse(printed).parts
    last = parts[-1]
    names = {last, last.partition("(")[0]}
    return {printed, *names, *(f"{parts[0]}.{name}" for name in names if len(parts) > 1)}


def definition(catalog: Catalog, printed: str, thing: Any) -> str:
    """What an object is, in lines."""
    lines = [printed]
    if isinstance(thing, Table):
        lines += _table(catalog, thing)
    else:
        lines += [f"  {name}: {text}" for name, text in _set_fields(thing) if name != "name"]
    for family in layout().families:
        if not family.says_what_exists:
            for about, line in family.items(catalog):
                if about == printed:
                    lines += [f"  {name}: {text}" for name, text in _set_fields(line) if name != "id"]
    return "\n".join(lines) + "\n"


def _table(catalog: Catalog, table: Table) -> Iterator[str]:
    if table.columns:
        yield "  columns:"
    widest = max((len(column.name) for column in table.columns), default=0)
    for column in table.columns:
        yield f"    {column.name:{widest}}  {_column(column)}".rstrip()
    if table.constraints:
        yield "  constraints:"
    for constraint in table.constraints:
        yield f"    {constraint.name}  {_constraint(constraint)}"
    indexes = catalog.indexes_of.get(table.name, ())
    if indexes:
        yield "  indexes:"
    for name in indexes:
        index = catalog.relations.get(name)
        if isinstance(index, Index):
            yield f"    {name.name}  {_index(index)}"
    told = {"name", "columns", "constraints"}
    for field, text in _set_fields(table):
        if field not in told:
            yield f"  {field}: {text}"


def _column(column: Column) -> str:
    parts = ["?" if column.type is None else spell(column.type)]
    if column.not_null:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {expression(column.default)}")
    if column.identity:
        parts.append(f"GENERATED {'ALWAYS' if column.identity == 'always' else 'BY DEFAULT'} AS IDENTITY")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ({expression(column.generated)}) {column.generation.upper()}".rstrip())
    told = {"name", "type", "not_null", "default", "identity", "generated", "generation"}
    return " ".join([*parts, *(f"{field}={text}" for field, text in _set_fields(column) if field not in told)])


def _constraint(constraint: Constraint) -> str:
    parts = [constraint.kind.upper().replace("_", " ")]
    if constraint.expression is not None:
        parts.append(f"({expression(constraint.expression)})")
    elif constraint.columns:
        parts.append(f"({', '.join(constraint.columns)})")
    if constraint.references is not None:
        parts.append(f"REFERENCES {constraint.references} ({', '.join(constraint.referenced_columns)})")
    told = {"name", "kind", "columns", "expression", "references", "referenced_columns", "index"}
    return " ".join([*parts, *(f"{field}={text}" for field, text in _set_fields(constraint) if field not in told)])


def _index(index: Index) -> str:
    parts = ["UNIQUE"] if index.unique else []
    parts.append(f"{index.method} ({', '.join(map(_element, index.elements))})")
    if index.where is not None:
        parts.append(f"WHERE {expression(index.where)}")
    told = {"name", "table", "elements", "unique", "method", "where", "constraint"}
    return " ".join([*parts, *(f"{field}={text}" for field, text in _set_fields(index) if field not in told)])


def _element(element: IndexElement) -> str:
    text = element.column if element.expression is None else f"({expression(element.expression)})"
    return f"{text} DESC" if element.descending else str(text)


def _set_fields(thing: Any) -> Iterator[tuple[str, str]]:
    """The fields that do not have their defaults, as text."""
    for field in msgspec.structs.fields(thing):
        value = getattr(thing, field.name)
        if value != field.default and value not in (None, ()):
            yield field.encode_name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Expr):
        return expression(value)
    if isinstance(value, Type):
        return spell(value)
    if isinstance(value, Dependency):
        return value.referenced
    if isinstance(value, (Name, str)):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, msgspec.Struct):
        named = isinstance(getattr(value, "name", None), (str, Name))
        return str(value.name) if named else " ".join(f"{name}={text}" for name, text in _set_fields(value))  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return str(value)


def expression(expr: Expr) -> str:
    """An expression as dflint knows it, which is less than PostgreSQL does: for people, not to be run."""
    kind = expr.kind
    args = [expression(arg) for arg in expr.args]
    name = "" if expr.name is None else expr.name.name
    if kind == "constant":
        return str(expr.value) if name == "number" or isinstance(expr.value, bool) else quote_literal(str(expr.value))
    if kind in ("null", "default"):
        return kind.upper()
    if kind in _INFIX:
        return f"({_INFIX[kind].join(args)})"
    if kind in _AFTER:
        return f"{args[0]}{_AFTER[kind]}"
    if kind == "not":
        return f"NOT {args[0]}"
    if kind == "operator":
        return f"({args[0]} {name} {args[1]})" if len(args) == 2 else f"{name}{', '.join(args)}"
    if kind == "cast" and expr.type is not None:
        return f"{args[0]}::{spell(expr.type)}"
    if kind in ("column", "value_function"):
        return name
    return f"{expr.name or kind}({', '.join(args)})"
