"""Which relations play a role in an operation: what a lock on "the referenced table" really is on.

A role is a base, which the operation and the catalog name, and any number of steps from there, separated by dots:
``target``, ``children.indexes``, ``partition.tree.referenced``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dflint.facts import dependency_locks, drop_roles, key_roles, object_roles, role_steps, subjects
from dflint.facts.base_roles import (
    children,
    dependents,
    family,
    partition,
    partitions,
    table,
    target,
    type_name,
    typed_table,
)
from dflint.facts.column_indexes import converted_indexes, indexes_of_column
from dflint.facts.foreign_key_checks import (
    checked_keys,
    default_sequences,
    following,
    looking_back,
    queried,
    row_locked,
    written,
)
from dflint.facts.proofs import default_partition
from dflint.facts.unproven import to_check, without_column
from dflint.model.catalog import Sequence, Table
from dflint.model.context import Context
from dflint.model.dependencies import sequence_argument
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, Query, SequenceOptions

Base = Callable[[Context], Iterable[Name]]


def relations_of(role: str, context: Context) -> Iterable[Name]:
    """The qualified names of the relations that play ``role``; empty where none does, or none is known."""
    base = _BASES.get(role)
    if base is not None:
        return base(context)
    first, *steps = role.split(".")
    names = _BASES[first](context)
    for step in steps:
        if names == ():
            return names
        plans = role_steps.PLANNING.get(step)
        if plans is None:
            names = role_steps.STEPS[step](names, context.catalog)
        else:
            names = plans(names, context.catalog, context.version)
    return names


def unknown_part(role: str) -> tuple[str, Iterable[str]] | None:
    """The first part of ``role`` that does not exist, with those that do; None when all is well."""
    first, *steps = role.split(".")
    if first not in _BASES:
        return first, _BASES
    known = {**role_steps.STEPS, **role_steps.PLANNING}
    return next(((step, known) for step in steps if step not in known), None)


def documented() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the bases and the steps mean."""
    return _documentation(_BASES), _documentation({**role_steps.STEPS, **role_steps.PLANNING})


def _documentation(functions: Mapping[str, Callable[..., Iterable[Name]]]) -> Mapping[str, str]:
    return {name: " ".join((function.__doc__ or "").split()) for name, function in functions.items()}


def _parent(context: Context) -> Iterable[Name]:
    """The partitioned or inheritance parent"""
    operation = context.operation
    parent = getattr(operation, "partition_of", None) or getattr(operation, "parent", None)
    if parent is not None:
        return (context.resolve(parent),)
    inherits = getattr(operation, "inherits", ())
    if inherits:
        return tuple(context.resolve(name) for name in inherits)
    table = subjects.table(context)
    return table.parents if isinstance(table, Table) else ()


def _default_partition(context: Context) -> Iterable[Name]:
    """The default partition of the parent"""
    outside = hasattr(context.operation, "partition_of") or context.operation.kind == "drop_table"
    parents = _parent(context) if outside else target(context)
    found = (default_partition(context, parent) for parent in parents)
    return tuple(name for name in found if isinstance(name, Name))


def _indexes(context: Context) -> Iterable[Name]:
    """All indexes of the target"""
    return tuple(name for table in table(context) for name in context.catalog.indexes_of.get(table, ()))


def _index(context: Context) -> Iterable[Name]:
    """The index the statement names beside its target"""
    index = getattr(context.operation, "index", None)
    constraint = getattr(context.operation, "constraint", None)
    if index is None and isinstance(constraint, Constraint):
        index = constraint.using_index
    return tuple(Name(table.schema, index) for table in table(context)) if isinstance(index, str) else ()


def _sequence(context: Context) -> Iterable[Name]:
    """The sequence of the identity column"""
    table, column = subjects.table_name(context), subjects.column_name(context)
    if not isinstance(table, Name) or column is None:
        return ()
    return tuple(
        name
        for name, relation in dependents(context, table)
        if isinstance(relation, Sequence)
        and relation.internal
        and (relation.owner_table, relation.owner_column) == (table, column)
    )


def _using_table(context: Context) -> Iterable[Name]:
    """Tables with a column of the type, also by way of domains over it"""
    tables: dict[Name, None] = {}
    pending, seen = list(type_name(context)), set[Name]()
    while pending:
        name = pending.pop()
        seen.add(name)
        for user in context.catalog.users_of_type.get(name, ()):
            relation = context.catalog.relations.get(user)
            if isinstance(relation, Table) and relation.of_type != name:
                tables[user] = None
            if user in context.catalog.types and user not in seen:
                pending.append(user)
    return tuple(tables)


def _reads(context: Context) -> Iterable[Name]:
    """Relations that the statement reads, as parse analysis sees them"""
    operation = context.operation
    query = getattr(operation, "query", None)
    names = [*getattr(operation, "reads", ()), *(query.reads if isinstance(query, Query) else ())]
    names += [like.source for like in getattr(operation, "likes", ())]
    return tuple(dict.fromkeys(context.resolve(name) for name in names))


def _writes(context: Context) -> Iterable[Name]:
    """Relations that WITH or a query inside writes"""
    query = getattr(context.operation, "query", None)
    return tuple(context.resolve(name) for name in query.writes) if isinstance(query, Query) else ()


def _listed(context: Context) -> Iterable[Name]:
    """Tables that a publication lists"""
    return tuple(context.resolve(name) for name in getattr(context.operation, "tables", ()))


def _lacking(context: Context) -> Iterable[Name]:
    """The table and its children, as far as they do not have the column of ADD COLUMN yet"""
    return without_column(context, family(context))


def _to_check(context: Context) -> Iterable[Name]:
    """The table and its children, as far as the constraint (or NOT NULL) has to be checked against their rows"""
    return to_check(context, family(context))


def _new(_context: Context) -> Iterable[Name]:
    """Relations that the statement makes: they had no lock, no file and no name before"""
    return ()


def _constraint_index(context: Context) -> Iterable[Name]:
    """The index behind the constraint that the operation names"""
    found = subjects.named_constraint(context)
    if not isinstance(found, Constraint) or found.index is None:
        return ()
    return (found.index,)


def _mentioned(context: Context) -> Iterable[Name]:
    """Relations that subqueries inside the operation's expressions name"""
    expressions = (getattr(context.operation, field, None) for field in ("using", "check", "where", "when", "default"))
    parts = (part for expression in expressions if isinstance(expression, Expr) for part in expression.walk())
    return dict.fromkeys(context.resolve(name) for part in parts for name in part.reads)


def _named_sequences(context: Context) -> Iterable[Name]:
    """Sequences that nextval() and its kin name in the new default"""
    column = getattr(context.operation, "column", None)
    default = column.default if isinstance(column, Column) else getattr(context.operation, "default", None)
    if not isinstance(default, Expr):
        return ()
    names = (sequence_argument(part) for part in default.walk())
    return dict.fromkeys(context.resolve(name) for name in names if name is not None)


def _truncated(context: Context) -> Iterable[Name]:
    """The tables that TRUNCATE … CASCADE empties besides: those with foreign keys to what is emptied, and so on"""
    pending, seen = list(family(context)), dict[Name, None]()
    while pending:
        users = tuple(role_steps.referencing((pending.pop(),), context.catalog))
        for other in (*users, *role_steps.partitions(users, context.catalog)):
            if other not in seen:
                seen[other] = None
                pending.append(other)
    return tuple(seen)


def _owner_table(context: Context) -> Iterable[Name]:
    """The table that OWNED BY names"""
    options = getattr(context.operation, "options", None)
    owner = options.owned_by if isinstance(options, SequenceOptions) else None
    return () if owner is None else (context.resolve(owner),)


def _column_indexes(context: Context) -> Iterable[Name]:
    """Indexes of the table and its children that use the column in any way"""
    return indexes_of_column(context, family(context))


def _converted_indexes(context: Context) -> Iterable[Name]:
    """Indexes that a change of the column's type has to build again although the table is not rewritten"""
    return converted_indexes(context, family(context))


_BASES: Mapping[str, Base] = {
    **object_roles.BASES,
    **key_roles.BASES,
    **drop_roles.BASES,
    "new_dependencies": dependency_locks.new_dependencies,
    "target": target,
    "table": table,
    "family": family,
    "children": children,
    "partitions": partitions,
    "lacking": _lacking,
    "to_check": _to_check,
    "indexes": _indexes,
    "index": _index,
    "column_indexes": _column_indexes,
    "converted_indexes": _converted_indexes,
    "sequence": _sequence,
    "parent": _parent,
    "partition": partition,
    "default_partition": _default_partition,
    "using_table": _using_table,
    "typed_table": typed_table,
    "reads": _reads,
    "writes": _writes,
    "listed": _listed,
    "constraint_index": _constraint_index,
    "mentioned": _mentioned,
    "truncated": _truncated,
    "owner_table": _owner_table,
    "named_sequences": _named_sequences,
    "queried": queried,
    "row_locked": row_locked,
    "written": written,
    "looking_back": looking_back,
    "following": following,
    "default_sequences": default_sequences,
    "checked_keys": checked_keys,
    "new": _new,
}
