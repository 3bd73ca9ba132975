"""The holes of a recipe's templates, and what fills each: SQL that is quoted already."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from dflint.model.catalog import Index, Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Constraint
from dflint.planning.undo.spelling import columns, quoted

if TYPE_CHECKING:
    from dflint.planning.recipes.ingredients import Kitchen

_T = TypeVar("_T")
HOLE: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[a-z_]+)(?::(?P<argument>[a-z_]+))?\}")


def _column(kitchen: Kitchen) -> str:
    column = getattr(kitchen.operation, "column", None)
    name = column if isinstance(column, str) else getattr(column, "name", None)
    if name is None and (constraint := _constraint(kitchen)) is not None and constraint.columns:
        name = constraint.columns[0]
    return quote_identifier(_there(name, "column"))


def _constraint(kitchen: Kitchen) -> Constraint | None:
    found = getattr(kitchen.operation, "constraint", None)
    return found if isinstance(found, Constraint) else None


def _columns(kitchen: Kitchen) -> str:
    constraint = _constraint(kitchen)
    return columns(_there(constraint, "columns").columns)


def _key(kitchen: Kitchen) -> str:
    """What stands after the table in the CREATE INDEX behind a key."""
    constraint = _there(_constraint(kitchen), "key")
    text = columns(constraint.columns)
    if constraint.include:
        text += f" INCLUDE {columns(constraint.include)}"
    return f"{text} NULLS NOT DISTINCT" if constraint.nulls_not_distinct else text


def _deferring(kitchen: Kitchen) -> str:
    constraint = _there(_constraint(kitchen), "deferring")
    words = " DEFERRABLE" if constraint.deferrable else ""
    return f"{words} INITIALLY DEFERRED" if constraint.initially_deferred else words


def _name(kitchen: Kitchen) -> str:
    """Of the constraint, as it is written or as the server will choose it."""
    given = getattr(kitchen.operation, "name", None)
    constraint = _constraint(kitchen)
    if constraint is not None:
        given = constraint.name or kitchen.chosen_constraint()
    return quote_identifier(_there(given, "name"))


def _not_null_name(kitchen: Kitchen) -> str:
    """Of the constraint that NOT NULL is, from 18 on."""
    column = getattr(kitchen.operation, "column", None)
    before, after = names_after(kitchen)
    old = {each.name for each in before.constraints} if before is not None else set()
    new = [
        each.name
        for each in (after.constraints if after is not None else ())
        if each.kind == "not_null" and each.columns == (column,) and each.name not in old
    ]
    return quote_identifier(_there(new[0] if new else None, "not_null_name"))


def _index_name(kitchen: Kitchen) -> str:
    """Of the index, without its schema, as it is written or as the server will choose it."""
    given = getattr(kitchen.operation, "name", None) or kitchen.chosen_index()
    return quote_identifier(_there(given, "index_name"))


def _partition(kitchen: Kitchen) -> str:
    return quoted(kitchen.context.resolve(_there(getattr(kitchen.operation, "partition", None), "partition")))


def _unique(kitchen: Kitchen) -> str:
    return "UNIQUE " if getattr(kitchen.operation, "unique", False) else ""


def _if_exists(kitchen: Kitchen) -> str:
    return "IF EXISTS " if getattr(kitchen.operation, "if_exists", False) else ""


def _if_not_exists(kitchen: Kitchen) -> str:
    return "IF NOT EXISTS " if getattr(kitchen.operation, "if_not_exists", False) else ""


def _collate(kitchen: Kitchen) -> str:
    return f"COLLATE {kitchen.clauses.collation}" if kitchen.clauses.collation else ""


def _statement(kitchen: Kitchen) -> str:
    return kitchen.sql


def _text(part: str) -> Callable[[Kitchen], str]:
    return lambda kitchen: _there(getattr(kitchen.clauses, part), part)


def _there(value: _T | None, hole: str) -> _T:
    if value is None or value == "":
        raise InputError(f"the operation has nothing for {{{hole}}}")
    return value


#: Hole -> what it is, and what fills it.
HOLES: Final[Mapping[str, tuple[str, Callable[[Kitchen], str]]]] = {
    "target": ("the relation, with its schema", lambda kitchen: quoted(kitchen.target)),
    "table": ("the relation's own name", lambda kitchen: quote_identifier(kitchen.target.name)),
    "schema": ("its schema", lambda kitchen: quote_identifier(kitchen.target.schema or "public")),
    "column": ("the column", _column),
    "columns": ("the columns of a constraint, in parentheses", _columns),
    "key": ("a key's columns, INCLUDE and NULLS NOT DISTINCT, as CREATE INDEX takes them", _key),
    "deferring": ("DEFERRABLE INITIALLY DEFERRED, with a blank before it, where it is written", _deferring),
    "name": ("the constraint's name, as written or as the server will choose it", _name),
    "not_null_name": ("of the constraint that NOT NULL is, as the server will choose it (18)", _not_null_name),
    "index_name": ("the index's name, as written or as the server will choose it", _index_name),
    "partition": ("the partition that is attached or detached", _partition),
    "unique": ("UNIQUE and a blank, where the index is", _unique),
    "if_exists": ("IF EXISTS and a blank, where the statement says so", _if_exists),
    "if_not_exists": ("IF NOT EXISTS and a blank, where the statement says so", _if_not_exists),
    "constraint": ("the constraint's definition without its name and NOT VALID", _text("constraint")),
    "expression": ("the expression of a CHECK, a DEFAULT, or USING", _text("expression")),
    "type": ("the column's type, or its new one", _text("type")),
    "collate": ("COLLATE and the collation that is written for the column; nothing without one", _collate),
    "definition": ("a column's definition without DEFAULT and NOT NULL", _text("column")),
    "index": ("what stands after ON table in CREATE INDEX", _text("index")),
    "lower": ("the lower bound of a partition", _text("lower")),
    "upper": ("its upper bound", _text("upper")),
    "values": ("the values of a list partition, with commas between them", _text("values")),
    "where": ("the condition of UPDATE and DELETE", _text("where")),
    "assignments": ("what an UPDATE sets", _text("assignments")),
    "statement": ("the statement as it is written", _statement),
}
#: The hole that makes a name: ``{new:word}``.
NEW: Final = "new"


def names_after(kitchen: Kitchen) -> tuple[Table | None, Table | None]:
    """The target before and after the operation, as replay has it."""
    before = kitchen.context.catalog.relation(kitchen.target)
    after = kitchen.after.relation(kitchen.target)
    return (before if isinstance(before, Table) else None, after if isinstance(after, Table) else None)


def new_constraint(kitchen: Kitchen) -> str | None:
    """The name of the constraint that the operation adds, as the server will choose it."""
    before, after = names_after(kitchen)
    wanted = _constraint(kitchen)
    if after is None or wanted is None:
        return None
    old = {each.name for each in before.constraints} if before is not None else set()
    new = [each.name for each in after.constraints if each.name not in old and each.kind == wanted.kind]
    return new[0] if len(new) == 1 else None


def new_index(kitchen: Kitchen) -> str | None:
    """The name of the index that the operation makes, as the server will choose it."""
    old = set(kitchen.context.catalog.indexes_of.get(kitchen.target, ()))
    new = [each for each in kitchen.after.indexes_of.get(kitchen.target, ()) if each not in old]
    return new[0].name if len(new) == 1 else None


def taken(kitchen: Kitchen, name: str, table: Name) -> bool:
    """Whether something in a table's schema, or a constraint or column of the table, has that name."""
    catalog, schema = kitchen.context.catalog, table.schema
    if catalog.relations.get(Name(schema, name)) is not None or kitchen.after.relations.get(Name(schema, name)):
        return True
    found = catalog.relation(table)
    if isinstance(found, Index):
        return False
    if isinstance(found, Table):
        names = {*(each.name for each in found.constraints), *(each.name for each in found.columns)}
        if name in names:
            return True
    return bool(catalog.routines.get(Name(schema, name)))
