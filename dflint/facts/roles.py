"""Which relations play a role in an operation: what a lock on "the referenced table" really is on.

A role is a base, which the operation and the catalog name, and any number of steps from there, separated by dots:
``target``, ``children.indexes``, ``partition.tree.referenced``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.facts import dependency_locks, object_roles, role_steps, subjects
from dflint.facts.column_indexes import converted_indexes, indexes_of_column
from dflint.facts.dependents import Removed, identities_of, removed_with, subject_identities
from dflint.facts.foreign_key_checks import (
    checked_keys,
    default_sequences,
    following,
    looking_back,
    queried,
    row_locked,
    written,
)
from dflint.facts.proofs import default_partition, has_key
from dflint.facts.unproven import to_check, without_column
from dflint.model.catalog import Relation, Sequence, Table, View
from dflint.model.context import Context
from dflint.model.dependencies import sequence_argument
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import DropColumn
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


def _target(context: Context) -> Iterable[Name]:
    """The relation named by the statement, or the one that a trigger, rule or policy is on"""
    name = subjects.relation_name(context)
    return () if name is None else (name,)


def _table(context: Context) -> Iterable[Name]:
    """The table itself, or the one that the named index or sequence belongs to"""
    name = subjects.table_name(context)
    return (name,) if isinstance(name, Name) else ()


def _referenced(context: Context) -> Iterable[Name]:
    """Tables that foreign keys refer to: new ones by the text, dropped or validated ones by the catalog"""
    found = subjects.referenced_names(context)
    if found:
        return found
    # One that is not enforced has no triggers on the other table; only DROP CONSTRAINT locks that table nevertheless.
    by_name = context.operation.kind == "drop_constraint"
    keys = (key for key in foreign_keys(context) if key.enforced or by_name)
    return tuple(dict.fromkeys(key.references for key in keys if key.references is not None))


def foreign_keys(context: Context) -> list[Constraint]:
    """The table's existing foreign keys that the operation is about."""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return []
    keys = [constraint for constraint in table.constraints if constraint.kind == "foreign_key"]
    if operation.kind in ("drop_table", "drop_foreign_table"):
        return keys
    column = subjects.column_name(context)
    if column is not None:
        return [key for key in keys if column in key.columns] if _ends_keys(operation) else []
    name = getattr(operation, "name", None)
    return [key for key in keys if key.name == name]


def _ends_keys(operation: Operation) -> bool:
    return isinstance(operation, DropColumn) or operation.kind in ("alter_column_type", "set_generation_expression")


def _referencing(context: Context) -> Iterable[Name]:
    """Tables with foreign keys to the target (and the column the operation is about)"""
    return _with_keys_to_target(context, lambda key: key.enforced)


def _with_keys_to_target(context: Context, wanted: Callable[[Constraint], bool]) -> Iterable[Name]:
    target = subjects.relation_name(context)
    column = subjects.column_name(context)
    if target is None:
        return ()
    return tuple(
        name
        for name, relation in _dependents(context, target)
        if isinstance(relation, Table)
        and name != target
        and any(
            key.kind == "foreign_key"
            and wanted(key)
            and key.references == target
            and (column is None or not key.referenced_columns or column in key.referenced_columns)
            for key in relation.constraints
        )
    )


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


def _partition(context: Context) -> Iterable[Name]:
    """The partition that ATTACH or DETACH names"""
    partition = getattr(context.operation, "partition", None)
    return () if partition is None else (context.resolve(partition),)


def _kept_keys(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys of the parent that the attached partition has already, too"""
    return _keys_of_parent(context, present=True)


def _new_keys(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys of the parent that the attached partition does not have yet"""
    return _keys_of_parent(context, present=False)


def _keys_of_parent(context: Context, *, present: bool) -> Iterable[Name]:
    parent = subjects.table(context)
    for name in _partition(context):
        partition = context.catalog.table(name)
        if not isinstance(parent, Table) or not isinstance(partition, Table):
            continue
        for key in parent.constraints:
            if key.references is not None and has_key(context, partition, key) is present:
                yield key.references


def _key_added(context: Context) -> Iterable[Name]:
    """The table and its partitions, as far as they do not have the new foreign key already"""
    return (name for name in (*_table(context), *_partitions(context)) if not _has_new_key(context, name))


def _key_taken_over(context: Context) -> Iterable[Name]:
    """Tables that the new foreign key refers to, where a partition has the same key already"""
    return _referenced(context) if any(_has_new_key(context, name) for name in _partitions(context)) else ()


def _key_checked_in(context: Context) -> Iterable[Name]:
    """Tables that the new foreign key refers to, where rows are looked up in them"""
    added = role_steps.STEPS["stored"](_key_added(context), context.catalog)
    return _referenced(context) if any(True for _ in added) else ()


def _has_new_key(context: Context, name: Name) -> bool:
    table, key = context.catalog.table(name), getattr(context.operation, "constraint", None)
    if not isinstance(table, Table) or not isinstance(key, Constraint) or key.references is None:
        return False
    return name not in _table(context) and has_key(context, table, key)


def _default_partition(context: Context) -> Iterable[Name]:
    """The default partition of the parent"""
    outside = hasattr(context.operation, "partition_of") or context.operation.kind == "drop_table"
    parents = _parent(context) if outside else _target(context)
    found = (default_partition(context, parent) for parent in parents)
    return tuple(name for name in found if isinstance(name, Name))


def _children(context: Context) -> Iterable[Name]:
    """Partitions and inheritance children, at every depth; none with ONLY"""
    if getattr(context.operation, "only", False):
        return ()
    pending, seen = list(_table(context)), dict[Name, None]()
    while pending:
        for child in context.catalog.children_of.get(pending.pop(), ()):
            if child not in seen:
                seen[child] = None
                pending.append(child)
    return tuple(seen)


def _partitions(context: Context) -> Iterable[Name]:
    """Partitions of a partitioned table, at every depth; none with ONLY"""
    table = subjects.table(context)
    return _children(context) if isinstance(table, Table) and table.partition_by is not None else ()


def _indexes(context: Context) -> Iterable[Name]:
    """All indexes of the target"""
    return tuple(name for table in _table(context) for name in context.catalog.indexes_of.get(table, ()))


def _index(context: Context) -> Iterable[Name]:
    """The index the statement names beside its target"""
    index = getattr(context.operation, "index", None)
    constraint = getattr(context.operation, "constraint", None)
    if index is None and isinstance(constraint, Constraint):
        index = constraint.using_index
    return tuple(Name(table.schema, index) for table in _table(context)) if isinstance(index, str) else ()


def _sequence(context: Context) -> Iterable[Name]:
    """The sequence that the column owns"""
    table, column = subjects.table_name(context), subjects.column_name(context)
    if not isinstance(table, Name) or column is None:
        return ()
    return tuple(
        name
        for name, relation in _dependents(context, table)
        if isinstance(relation, Sequence) and relation.owner_table == table and relation.owner_column == column
    )


def _view(context: Context) -> Iterable[Name]:
    """Views on the target that CASCADE drops"""
    target = subjects.relation_name(context)
    if target is None or not getattr(context.operation, "cascade", False):
        return ()
    views = tuple(name for name, relation in _dependents(context, target) if isinstance(relation, View))
    if context.foresee is None:
        return views
    dropped = frozenset(_dropped(context))
    return tuple(name for name in views if name in dropped)


def _using_table(context: Context) -> Iterable[Name]:
    """Tables with a column of the type, also by way of domains over it"""
    tables: dict[Name, None] = {}
    pending, seen = list(_type_name(context)), set[Name]()
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


def _typed_table(context: Context) -> Iterable[Name]:
    """Tables created OF the type"""
    return tuple(
        user
        for name in _type_name(context)
        for user in context.catalog.users_of_type.get(name, ())
        if isinstance(relation := context.catalog.relations.get(user), Table) and relation.of_type == name
    )


def _type_name(context: Context) -> tuple[Name, ...]:
    target = context.operation.target
    return () if target is None else (context.catalog.resolve_type(target, context.session.search_path),)


def _dependents(context: Context, name: Name) -> Iterator[tuple[Name, Relation]]:
    for dependent in context.catalog.dependents_of.get(name, ()):
        relation = context.catalog.relations.get(dependent)
        if relation is not None:
            yield dependent, relation


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


def _family(context: Context) -> Iterable[Name]:
    """The table and, without ONLY, its partitions and children at every depth"""
    return (*_table(context), *_children(context))


def _lacking(context: Context) -> Iterable[Name]:
    """The table and its children, as far as they do not have the column of ADD COLUMN yet"""
    return without_column(context, _family(context))


def _to_check(context: Context) -> Iterable[Name]:
    """The table and its children, as far as the constraint (or NOT NULL) has to be checked against their rows"""
    return to_check(context, _family(context))


def _rechecked(context: Context) -> Iterable[Name]:
    """Tables referenced by valid foreign keys on the column"""
    keys = (key for key in foreign_keys(context) if key.validated and key.enforced)
    return dict.fromkeys(key.references for key in keys if key.references is not None)


def _unenforced(context: Context) -> Iterable[Name]:
    """Tables referenced by foreign keys on the column (or the one named) that are NOT ENFORCED"""
    keys = (key for key in foreign_keys(context) if not key.enforced)
    return dict.fromkeys(key.references for key in keys if key.references is not None)


def _rechecking(context: Context) -> Iterable[Name]:
    """Tables with valid foreign keys to the column"""
    return _with_keys_to_target(context, lambda key: key.validated and key.enforced)


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
    pending, seen = list(_family(context)), dict[Name, None]()
    while pending:
        for other in role_steps.tree(role_steps.referencing((pending.pop(),), context.catalog), context.catalog):
            if other not in seen:
                seen[other] = None
                pending.append(other)
    return tuple(seen)


def _owner_table(context: Context) -> Iterable[Name]:
    """The table that OWNED BY names"""
    options = getattr(context.operation, "options", None)
    owner = options.owned_by if isinstance(options, SequenceOptions) else None
    return () if owner is None else (context.resolve(owner),)


def _dropped(context: Context) -> Iterable[Name]:
    """Relations that exist no more when the operation is done: with CASCADE whatever depends on the target"""
    gone = _foreseen(context, lambda _old, new: new is None)
    if context.foresee is None or not context.catalog.details.dependencies:
        return gone
    return dict.fromkeys((*gone, *sorted(_removed(context).dropped)))


def _loses(context: Context) -> Iterable[Name]:
    """Tables and views that stay, but lose a part with what is dropped: a column, constraint, default, trigger, rule
    or policy
    """
    losing = _foreseen(context, _has_lost)
    if context.foresee is not None and context.catalog.details.dependencies:
        losing = (*losing, *sorted(_removed(context).losing))
    return dict.fromkeys(losing)


def _removed(context: Context) -> Removed:
    gone = _foreseen(context, lambda _old, new: new is None)
    start = [*subject_identities(context), *(text for name in gone for text in identities_of(context.catalog, name))]
    return removed_with(context, start)


def _foreseen(context: Context, wanted: Callable[[Relation, Relation | None], bool]) -> Iterable[Name]:
    if context.foresee is None:
        return ()
    change, before = context.foresee(), context.catalog.relations
    after = change.after.relations
    return tuple(
        name
        for name in sorted(change.touched)
        if (old := before.get(name)) is not None and wanted(old, after.get(name))
    )


def _has_lost(old: Relation, new: Relation | None) -> bool:
    if isinstance(old, Table) and isinstance(new, Table):
        lost = any(len(getattr(new, field)) < len(getattr(old, field)) for field in _PARTS)
        return lost or any(_has_default(old, column.name) and column.default is None for column in new.columns)
    if isinstance(old, View) and isinstance(new, View):
        return len(new.triggers) < len(old.triggers) or len(new.rules) < len(old.rules)
    return False


_PARTS = ("columns", "constraints", "triggers", "rules", "policies")


def _has_default(table: Table, name: str) -> bool:
    column = table.column(name)
    return isinstance(column, Column) and column.default is not None


def _column_indexes(context: Context) -> Iterable[Name]:
    """Indexes of the table and its children that use the column in any way"""
    return indexes_of_column(context, _family(context))


def _converted_indexes(context: Context) -> Iterable[Name]:
    """Indexes that a change of the column's type has to build again although the table is not rewritten"""
    return converted_indexes(context, _family(context))


_BASES: Mapping[str, Base] = {
    **object_roles.BASES,
    "new_dependencies": dependency_locks.new_dependencies,
    "target": _target,
    "table": _table,
    "family": _family,
    "children": _children,
    "partitions": _partitions,
    "lacking": _lacking,
    "to_check": _to_check,
    "rechecked": _rechecked,
    "rechecking": _rechecking,
    "unenforced": _unenforced,
    "indexes": _indexes,
    "index": _index,
    "column_indexes": _column_indexes,
    "converted_indexes": _converted_indexes,
    "sequence": _sequence,
    "referenced": _referenced,
    "referencing": _referencing,
    "parent": _parent,
    "partition": _partition,
    "kept_keys": _kept_keys,
    "new_keys": _new_keys,
    "key_added": _key_added,
    "key_taken_over": _key_taken_over,
    "key_checked_in": _key_checked_in,
    "default_partition": _default_partition,
    "view": _view,
    "using_table": _using_table,
    "typed_table": _typed_table,
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
    "dropped": _dropped,
    "loses": _loses,
    "new": _new,
}
