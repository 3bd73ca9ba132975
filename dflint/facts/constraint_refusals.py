"""Conditions of refusals that are about constraints, and the indexes that they take over."""

from __future__ import annotations

from dflint.facts import subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.dependents import dependents_beside
from dflint.facts.foreign_key_refusals import primary_key
from dflint.facts.replica_identities import in_replica_index
from dflint.model.catalog import UNKNOWN, Index, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.names import Identity, Name
from dflint.model.schema import Column, Constraint

Answer = bool | Unknown


def constraint_was_enforced(context: Context) -> Answer:
    """The constraint that VALIDATE or ALTER CONSTRAINT names is enforced."""
    found = subjects.named_constraint(context)
    return found.enforced if isinstance(found, Constraint) else UNKNOWN if found is UNKNOWN else False


def constraint_subquery(context: Context) -> bool:
    """The new CHECK holds a subquery."""
    constraint = getattr(context.operation, "constraint", None)
    expression = constraint.expression if isinstance(constraint, Constraint) else None
    return expression is not None and any(each.kind == "subquery" for each in expression.walk())


def not_null_renamed(context: Context) -> Answer:
    """ADD NOT NULL: the column has a NOT NULL constraint already, under another name."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    if not isinstance(constraint, Constraint) or constraint.name is None or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    return any(
        each.kind == "not_null" and each.columns == constraint.columns and each.name not in (None, constraint.name)
        for each in table.constraints
    )


def key_not_null_invalid(context: Context) -> Answer:
    """A column of the new primary key has a NOT NULL constraint that is NOT VALID."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    if not isinstance(constraint, Constraint) or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    index = _taken_index(context)
    columns = constraint.columns
    if isinstance(index, Index):
        columns = tuple(element.column for element in index.elements if element.column is not None)
    return any(
        each.kind == "not_null" and not each.validated and not set(each.columns).isdisjoint(columns)
        for each in table.constraints
    )


def _taken_index(context: Context) -> Index | Unknown | None:
    constraint, name = getattr(context.operation, "constraint", None), subjects.table_name(context)
    if not isinstance(constraint, Constraint) or constraint.using_index is None or not isinstance(name, Name):
        return None
    found = context.catalog.relation(Name(name.schema, constraint.using_index))
    return found if isinstance(found, Index) or found is UNKNOWN else None


def using_index_taken(context: Context) -> Answer:
    """USING INDEX: the index serves a constraint already."""
    found = _taken_index(context)
    return found.constraint is not None if isinstance(found, Index) else UNKNOWN if found is UNKNOWN else False


def using_index_unfit(context: Context) -> Answer:
    """USING INDEX: the index is not unique, or has an expression or predicate."""
    found = _taken_index(context)
    if not isinstance(found, Index):
        return UNKNOWN if found is UNKNOWN else False
    return not found.unique or found.where is not None or any(key.column is None for key in found.elements)


def using_index_renamed(context: Context) -> bool:
    """USING INDEX: the constraint has another name than the index, which takes it over."""
    constraint = getattr(context.operation, "constraint", None)
    return isinstance(constraint, Constraint) and constraint.name not in (None, constraint.using_index)


def constraint_was_no_inherit(context: Context) -> Answer:
    """The constraint that DROP or RENAME CONSTRAINT names is NO INHERIT."""
    found = subjects.named_constraint(context)
    return found.no_inherit if isinstance(found, Constraint) else UNKNOWN if found is UNKNOWN else False


def key_name_taken(context: Context) -> Answer:
    """A new key constraint is given the name of a relation in the table's schema."""
    constraint, name = getattr(context.operation, "constraint", None), subjects.table_name(context)
    if not isinstance(constraint, Constraint) or constraint.name is None or not isinstance(name, Name):
        return UNKNOWN if name is UNKNOWN else False
    if constraint.using_index is not None:
        return False
    found = context.catalog.relation(Name(name.schema, constraint.name))
    return UNKNOWN if found is UNKNOWN else found is not None


def key_virtual(context: Context) -> Answer:
    """The new index or constraint has a virtual generated column."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    constraint = getattr(operation, "constraint", None)
    elements = getattr(constraint or operation, "elements", ())
    expressions = [element.expression for element in elements] + [getattr(constraint or operation, "where", None)]
    columns = [element.column for element in elements]
    columns += [name for each in expressions if isinstance(each, Expr) for name in each.columns()]
    columns += constraint.columns if isinstance(constraint, Constraint) else ()
    found = [table.column(column) for column in columns if column is not None]
    return any(isinstance(column, Column) and column.generation == "virtual" for column in found)


def primary_key_nullable(context: Context) -> Answer:
    """A column of the new primary key is not NOT NULL yet."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    if not isinstance(constraint, Constraint) or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    found = [table.column(column) for column in constraint.columns]
    if any(isinstance(column, Column) and not column.not_null for column in found):
        return True
    return UNKNOWN if UNKNOWN in found else False


def primary_key_nullable_in_children(context: Context) -> Answer:
    """A column of the new primary key is not NOT NULL in a partition or child."""
    constraint, table = getattr(context.operation, "constraint", None), subjects.table(context)
    if not isinstance(constraint, Constraint) or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    children = [context.catalog.relations.get(name) for name in context.catalog.children_of.get(table.name, ())]
    if any(
        column.name in constraint.columns and not column.not_null
        for child in children
        if isinstance(child, Table)
        for column in child.columns
    ):
        return True
    return False if context.catalog.closed else UNKNOWN


def not_null_needed(context: Context) -> Answer:
    """DROP CONSTRAINT of a NOT NULL: the column is in the primary key or replica identity, or an identity column."""
    found, table = subjects.named_constraint(context), subjects.table(context)
    if not isinstance(found, Constraint) or not isinstance(table, Table):
        return UNKNOWN if UNKNOWN in (found, table) else False
    columns = [column for column in table.columns if column.name in found.columns]
    return any(
        column.identity or column.name in primary_key(table) or in_replica_index(table, column.name, context.catalog)
        for column in columns
    )


def constraint_needed_beside(context: Context) -> Answer:
    """Objects beside foreign keys need the constraint that DROP CONSTRAINT names, such as a view with GROUP BY."""
    found, name = subjects.named_constraint(context), subjects.table_name(context)
    if not isinstance(found, Constraint) or found.name is None or not isinstance(name, Name):
        return UNKNOWN if found is UNKNOWN else False
    identity = str(Identity("constraint", (name.schema or "public", name.name, found.name)))
    return dependents_beside(context, [identity], frozenset())


_CONSTRAINTS = "the constraints of {table}"

CONDITIONS: tuple[Condition, ...] = (
    Condition("key.name_taken", BOOL, key_name_taken, "whether the name is free"),
    Condition("key.virtual", BOOL, key_virtual, "the columns of {table}"),
    Condition("primary_key.nullable", BOOL, primary_key_nullable, "whether the key's columns are NOT NULL"),
    Condition("primary_key.nullable_in_children", BOOL, primary_key_nullable_in_children, "the children of {table}"),
    Condition("not_null.needed", BOOL, not_null_needed, _CONSTRAINTS),
    Condition("constraint.needed_beside", BOOL, constraint_needed_beside, "what needs the constraint {name}"),
    Condition("constraint.was_enforced", BOOL, constraint_was_enforced, _CONSTRAINTS),
    Condition("constraint.subquery", BOOL, constraint_subquery, catalog=False),
    Condition("not_null.other_name", BOOL, not_null_renamed, _CONSTRAINTS),
    Condition("primary_key.not_null_invalid", BOOL, key_not_null_invalid, _CONSTRAINTS),
    Condition("using_index.taken", BOOL, using_index_taken, "the indexes of {table}"),
    Condition("using_index.renamed", BOOL, using_index_renamed, catalog=False),
    Condition("constraint.was_no_inherit", BOOL, constraint_was_no_inherit, "whether {name} is inherited"),
    Condition("using_index.unfit", BOOL, using_index_unfit, "the indexes of {table}"),
)
