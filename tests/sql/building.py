"""From SQL text to what the builders make of it, for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.sql.build.registry import builder
from dflint.sql.libpg_query import LibPgQuery, load_library

INT4 = Type(Name("pg_catalog", "int4"))
INT8 = Type(Name("pg_catalog", "int8"))
TEXT = Type(Name("pg_catalog", "text"))


def name(text: str) -> Name:
    """``name("s.t")`` or ``name("t")``."""
    schema, _, last = text.rpartition(".")
    return Name(schema or None, last)


def number(value: int) -> Expr:
    return Expr("constant", name=Name(None, "number"), value=str(value))


def column_ref(text: str) -> Expr:
    return Expr("column", name=name(text))


def greater(column: str, value: int) -> Expr:
    return Expr("operator", name=Name(None, ">"), args=(column_ref(column), number(value)))


@cache
def library() -> LibPgQuery:
    return load_library()


def tree(sql: str) -> dict[str, Any]:
    """The wrapped node of the only statement."""
    (statement,) = msgspec.json.decode(library().parse(sql.encode()))["stmts"]
    node: dict[str, Any] = statement["stmt"]
    return node


def build(sql: str) -> list[Operation]:
    """The operations of the only statement."""
    ((kind, node),) = tree(sql).items()
    make = builder(kind)
    assert make is not None, kind
    return list(make(node, library()))


def build_one(sql: str) -> Operation:
    """The only operation of the only statement."""
    (operation,) = build(sql)
    return operation
