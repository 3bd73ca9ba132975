"""Conditions about the column or constraint that an operation is about."""

from __future__ import annotations

from collections.abc import Callable

from dflint.facts import subjects
from dflint.facts.column_indexes import converted_indexes
from dflint.facts.condition import BOOL, TEXT, Condition
from dflint.facts.role_steps import tree
from dflint.facts.type_names import spell
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.tables import AddColumn
from dflint.model.schema import Column, Constraint

Answer = bool | Unknown


def column_exists(context: Context) -> Answer:
    """The table has a column of that name already."""
    found = subjects.column(context)
    return UNKNOWN if found is UNKNOWN else found is not None


def column_new(context: Context) -> Answer:
    """The column was added, or its table created, by this very change: nobody uses it yet."""
    name, column = subjects.table_name(context), subjects.column_name(context)
    if name is None or column is None:
        return False
    if name is UNKNOWN:
        return UNKNOWN
    new = context.is_new(name)
    if new or new is None:
        return True if new else UNKNOWN
    now, before = context.catalog.table(name), context.change_start.table(name)
    if not isinstance(now, Table) or not isinstance(now.column(column), Column):
        return False
    if isinstance(before, Table) and before.complete:
        return before.column(column) is None
    return before is None or (not _known_before(before, column) and _added_here(context, name, column))


def _known_before(before: Table | Unknown, column: str) -> bool:
    return isinstance(before, Table) and isinstance(before.column(column), Column)


def _added_here(context: Context, table: Name, column: str) -> bool:
    """Whether an earlier statement of the same file adds the column."""
    for statement in context.statements[: context.statement.index + 1]:
        for operation in statement.operations:
            if (
                isinstance(operation, AddColumn)
                and operation.column.name == column
                and context.resolve(operation.target) == table
                and operation is not context.operation
            ):
                return True
    return False


def _column_test(test: Callable[[Context, Column], Answer]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        found = subjects.column(context)
        if isinstance(found, Column):
            return test(context, found)
        return UNKNOWN if found is UNKNOWN else False

    return answer


def column_was_not_null(context: Context) -> Answer:
    """The existing column is NOT NULL already."""
    return _column_test(lambda _context, column: column.not_null)(context)


def column_had_default(context: Context) -> Answer:
    """The existing column has a default."""
    return _column_test(lambda _context, column: column.default is not None)(context)


def column_is_identity(context: Context) -> Answer:
    """The existing column is an identity column."""
    return _column_test(lambda _context, column: bool(column.identity))(context)


def column_old_generation(context: Context) -> str | Unknown | None:
    """How the existing column is generated; null when it is an ordinary one."""
    found = subjects.column(context)
    return found.generation or None if isinstance(found, Column) else found


def column_old_type(context: Context) -> str | Unknown | None:
    """The existing column's type, such as `integer`, `character varying(50)`, `timestamp with time zone`."""
    found = subjects.column(context)
    if not isinstance(found, Column):
        return found
    return UNKNOWN if found.type is None else spell(found.type)


def _index_test(test: Callable[[Index, str], bool]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        name, column = subjects.table_name(context), subjects.column_name(context)
        if name is UNKNOWN:
            return UNKNOWN
        if name is None or column is None:
            return False
        if any(test(index, column) for index in subjects.indexes(context, name)):
            return True
        found = context.catalog.table(name)
        return False if isinstance(found, Table) and found.complete else UNKNOWN

    return answer


def _mentions(expr: Expr | None, column: str) -> bool:
    return expr is not None and column in expr.columns()


def column_indexed(context: Context) -> Answer:
    """An index has the column as a key, inside an expression, in its predicate or in INCLUDE."""
    return _index_test(
        lambda index, column: (
            column in index.include
            or any(key.column == column or _mentions(key.expression, column) for key in index.elements)
            or _mentions(index.where, column)
        )
    )(context)


def column_key(context: Context) -> Answer:
    """An index has the column itself as a key or in INCLUDE."""
    return _index_test(
        lambda index, column: column in index.include or any(key.column == column for key in index.elements)
    )(context)


def column_indexed_expression(context: Context) -> Answer:
    """An index has an expression that mentions the column."""
    return _index_test(lambda index, column: any(_mentions(key.expression, column) for key in index.elements))(context)


def column_in_predicate(context: Context) -> Answer:
    """A partial index's predicate mentions the column."""
    return _index_test(lambda index, column: _mentions(index.where, column))(context)


def _constraint_test(test: Callable[[Constraint, str], bool]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        found, column = subjects.table(context), subjects.column_name(context)
        if not isinstance(found, Table) or column is None:
            return UNKNOWN if found is UNKNOWN else False
        if any(test(constraint, column) for constraint in found.constraints):
            return True
        return False if found.complete else UNKNOWN

    return answer


def column_check(context: Context) -> Answer:
    """A valid CHECK constraint mentions the column."""
    return _constraint_test(
        lambda constraint, column: (
            constraint.kind == "check"
            and constraint.validated
            and constraint.enforced
            and _mentions(constraint.expression, column)
        )
    )(context)


def column_index_converted(context: Context) -> Answer:
    """An index on the column cannot keep its file when the type changes: it has an expression or a predicate, or is
    one of a partition, or is invalid.
    """
    name = subjects.table_name(context)
    if not isinstance(name, Name):
        return UNKNOWN if name is UNKNOWN else False
    if any(True for _ in converted_indexes(context, tree((name,), context.catalog))):
        return True
    found = context.catalog.table(name)
    return False if isinstance(found, Table) and found.complete else UNKNOWN


def column_primary_key(context: Context) -> Answer:
    """The column is part of the primary key."""
    return _constraint_test(
        lambda constraint, column: constraint.kind == "primary_key" and column in constraint.columns
    )(context)


def column_foreign_key(context: Context) -> Answer:
    """The column is part of one of its table's own foreign keys."""
    return _constraint_test(
        lambda constraint, column: constraint.kind == "foreign_key" and column in constraint.columns
    )(context)


def column_foreign_key_checked(context: Context) -> Answer:
    """The column is part of one of its table's own foreign keys that is valid and enforced."""
    return _constraint_test(
        lambda key, column: key.kind == "foreign_key" and column in key.columns and key.validated and key.enforced
    )(context)


def column_referenced(context: Context) -> Answer:
    """Foreign keys, also the table's own, refer to the column."""
    return _referred_to(context, lambda _key: True)


def column_referenced_checked(context: Context) -> Answer:
    """Foreign keys, also the table's own, that are valid and enforced refer to the column."""
    return _referred_to(context, lambda key: key.validated and key.enforced)


def _referred_to(context: Context, wanted: Callable[[Constraint], bool]) -> Answer:
    name, column = subjects.table_name(context), subjects.column_name(context)
    if name is UNKNOWN:
        return UNKNOWN
    if name is None or column is None:
        return False
    for other in context.catalog.dependents_of.get(name, ()):
        relation = context.catalog.relations.get(other)
        for key in relation.constraints if isinstance(relation, Table) else ():
            named = key.references == name and (not key.referenced_columns or column in key.referenced_columns)
            if named and wanted(key):
                return True
    return False if context.catalog.closed else UNKNOWN


def column_domain(context: Context) -> Answer:
    """The new type (ADD COLUMN, ALTER TYPE) is a domain."""
    new = getattr(context.operation, "column", None)
    type_ = new.type if isinstance(new, Column) else getattr(context.operation, "type", None)
    found = None if type_ is None else subjects.domain(context, type_)
    return UNKNOWN if found is UNKNOWN else found is not None


def column_constrained_domain(context: Context) -> Answer:
    """The new type (ADD COLUMN, ALTER TYPE) is a domain with constraints."""
    operation = context.operation
    new = getattr(operation, "column", None)
    type_ = new.type if isinstance(new, Column) else getattr(operation, "type", None)
    if type_ is None:
        return False
    found = subjects.domain(context, type_)
    if found is UNKNOWN:
        return UNKNOWN
    seen = 0
    while found is not None and seen < 32:  # a domain may stand on another
        if found.not_null or found.constraints:
            return True
        below = subjects.domain(context, found.type)
        if below is UNKNOWN:
            return UNKNOWN
        found, seen = below, seen + 1
    return False


def constraint_old_kind(context: Context) -> str | Unknown | None:
    """What kind of constraint VALIDATE, ALTER, RENAME or DROP CONSTRAINT names; null when there is none."""
    found = subjects.named_constraint(context)
    return found.kind if isinstance(found, Constraint) else found


def constraint_was_valid(context: Context) -> Answer:
    """The constraint that VALIDATE, ALTER, RENAME or DROP CONSTRAINT names is valid already."""
    found = subjects.named_constraint(context)
    return found.validated if isinstance(found, Constraint) else UNKNOWN if found is UNKNOWN else False


def constraint_new(context: Context) -> Answer:
    """The constraint that VALIDATE, ALTER, RENAME or DROP CONSTRAINT names was made by this very change."""
    found = subjects.named_constraint(context)
    if not isinstance(found, Constraint):
        return UNKNOWN if found is UNKNOWN else False
    name = subjects.table_name(context)
    before = context.change_start.table(name) if isinstance(name, tuple) else None
    if before is UNKNOWN:
        return True  # the history saw the constraint being made, and nothing else of the table
    return before is None or not isinstance(before.constraint(found.name or ""), Constraint)


_TYPE = "the type of {table}.{column}"
_INDEXES = "the indexes of {table}"
_CONSTRAINTS = "the constraints of {table}"
_COLUMN = "the definition of {table}.{column}"
_NAMED = "what constraint {name} of {table} is"

CONDITIONS: tuple[Condition, ...] = (
    Condition("column.exists", BOOL, column_exists, "whether {table} has a column {column}"),
    Condition("column.new", BOOL, column_new, "whether {table} existed before this migration"),
    Condition("column.was_not_null", BOOL, column_was_not_null, "whether {table}.{column} is NOT NULL"),
    Condition("column.had_default", BOOL, column_had_default, _COLUMN),
    Condition("column.is_identity", BOOL, column_is_identity, _COLUMN),
    Condition("column.old_generation", ("stored", "virtual"), column_old_generation, _COLUMN, null=True),
    Condition("column.old_type", TEXT, column_old_type, _TYPE, null=True),
    Condition("column.indexed", BOOL, column_indexed, _INDEXES),
    Condition("column.key", BOOL, column_key, _INDEXES),
    Condition("column.indexed_expression", BOOL, column_indexed_expression, _INDEXES),
    Condition("column.in_predicate", BOOL, column_in_predicate, _INDEXES),
    Condition("column.index_converted", BOOL, column_index_converted, _INDEXES),
    Condition("column.check", BOOL, column_check, _CONSTRAINTS),
    Condition("column.primary_key", BOOL, column_primary_key, _CONSTRAINTS),
    Condition("column.foreign_key", BOOL, column_foreign_key, _CONSTRAINTS),
    Condition("column.referenced", BOOL, column_referenced, "which foreign keys refer to {table}.{column}"),
    Condition("column.foreign_key_checked", BOOL, column_foreign_key_checked, _CONSTRAINTS),
    Condition(
        "column.referenced_checked", BOOL, column_referenced_checked, "which foreign keys refer to {table}.{column}"
    ),
    Condition("column.domain", BOOL, column_domain, "what the type {type} is"),
    Condition("column.constrained_domain", BOOL, column_constrained_domain, "what the type {type} is"),
    Condition(
        "constraint.old_kind",
        ("check", "foreign_key", "primary_key", "unique", "exclusion", "not_null"),
        constraint_old_kind,
        _NAMED,
        null=True,
    ),
    Condition("constraint.was_valid", BOOL, constraint_was_valid, _NAMED),
    Condition("constraint.new", BOOL, constraint_new, _NAMED),
)
