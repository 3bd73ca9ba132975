"""RENAME and SET SCHEMA, and whatever names the renamed object.

PostgreSQL's objects know each other by OID, so every reference follows. Texts do not: bodies of routines keep the old
name.
"""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.history.drops import typed_tables
from dflint.history.indexes import index_uses_column
from dflint.history.naming import clip
from dflint.history.rewriting import (
    mentions_column,
    rename_column,
    rename_in_elements,
    rename_sequences,
)
from dflint.model.catalog import (
    UNKNOWN,
    CompositeType,
    Domain,
    Index,
    Publication,
    RangeType,
    Relation,
    Routine,
    Sequence,
    Table,
    Trigger,
    View,
)
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.objects import RenameColumn, RenameConstraint
from dflint.model.schema import Column, Constraint

# --- whole relations --------------------------------------------------------------------------------------------------


def move_relation(draft: Draft, old: Name, new: Name) -> None:
    """Give a relation, known or not, another name or schema; all that names it follows.

    Raises:
        Refused: it is known not to exist, or the new name is known to be taken.
    """
    relation = draft.known(old)
    typed = draft.types.get(new) is not None and not isinstance(relation, Index | Sequence)
    if old == new or draft.known(new) is not None or typed or draft.get(old) is None:
        raise Refused
    naming = [
        name
        for names in (draft.indexes_of, draft.children_of, draft.dependents_of, draft.users_of_type)
        for name in names.get(old, ())
    ]
    draft.remove(old)
    if relation is not None:
        draft.put(_renamed(replace(relation, name=new), old, new))
    else:
        draft.forget_quietly(new)
    for name in naming:
        other = draft.known(name)
        if other is not None:
            draft.put(_renamed(other, old, new))
    if isinstance(relation, Index):
        _follow_index(draft, relation, new)
    _follow_publications(draft, old, new)
    _follow_routines(draft, old, new)
    if old.schema != new.schema and new.schema is not None:
        _take_along(draft, new, new.schema)


def _has_type(relation: Relation | None) -> bool:
    """Whether a relation takes a name among the types too, for its rows."""
    return relation is not None and not isinstance(relation, Index | Sequence)


def _renamed(relation: Relation, old: Name, new: Name) -> Relation:
    """``relation`` with every mention of ``old`` replaced."""

    def swap(name: Name) -> Name:
        return new if name == old else name

    if isinstance(relation, Table):
        return replace(
            relation,
            parents=tuple([swap(parent) for parent in relation.parents]),
            of_type=new if relation.of_type == old else relation.of_type,
            constraints=tuple([replace(c, references=new) if c.references == old else c for c in relation.constraints]),
            columns=tuple([_renamed_in_column(column, old, new) for column in relation.columns]),
        )
    if isinstance(relation, Index):
        return replace(
            relation, table=swap(relation.table), parents=tuple([swap(parent) for parent in relation.parents])
        )
    if isinstance(relation, View):
        query = relation.query
        sources = tuple([(name, _source_renamed(name, source, old, new)) for name, source in query.columns])
        columns = relation.columns
        return replace(
            relation,
            query=replace(
                query,
                reads=tuple([swap(read) for read in query.reads]),
                only=tuple([swap(read) for read in query.only]),
                columns=sources,
            ),
            columns=tuple([_renamed_in_column(c, old, new) for c in columns]) if columns is not None else None,
        )
    if isinstance(relation, Sequence):
        owner = relation.owner_table
        return replace(relation, owner_table=swap(owner) if owner is not None else None)
    attributes = tuple([_renamed_in_column(attribute, old, new) for attribute in relation.attributes])
    return replace(relation, attributes=attributes)


def _source_renamed(name: str | None, source: Name | None, old: Name, new: Name) -> Name | None:
    if name == "*":
        return new if source == old else source
    return Name(str(new), source.name) if source is not None and source.schema == str(old) else source


def _renamed_in_column(column: Column, old: Name, new: Name) -> Column:
    kind = column.type
    if kind is not None and kind.name == old:
        column = replace(column, type=_type_renamed(kind, new))
    default = column.default
    if default is not None and default.args:
        renamed = rename_sequences(default, lambda name: new if name == old else name)
        if renamed is not default:
            column = replace(column, default=renamed)
    return column


def _type_renamed(kind: Type, new: Name) -> Type:
    return Type(new, kind.modifiers, kind.dimensions, kind.setof)


def _follow_index(draft: Draft, index: Index, new: Name) -> None:
    """The constraint of a renamed index takes its name, and the table's other mentions follow."""
    table = draft.known_table(index.table)
    if index.constraint is not None:
        moved = draft.known(new)
        if isinstance(moved, Index):
            draft.put(replace(moved, constraint=new.name))
    if table is None:
        return
    old = index.name
    constraints = tuple(
        [
            replace(c, name=new.name if c.name == old.name else c.name, index=new) if c.index == old else c
            for c in table.constraints
        ]
    )
    draft.put(
        replace(
            table,
            constraints=constraints,
            clustered_on=new.name if table.clustered_on == old.name else table.clustered_on,
            replica_index=new.name if table.replica_index == old.name else table.replica_index,
        )
    )


def _follow_publications(draft: Draft, old: Name, new: Name) -> None:
    for key, publication in draft.publications.items():
        if publication is not None and old in publication.tables:
            tables = sorted(new if table == old else table for table in publication.tables)
            columns = sorted((new if table == old else table, listed) for table, listed in publication.columns)
            filters = [(new if table == old else table, found) for table, found in publication.filters]
            draft.put_publication(
                key,
                replace(
                    publication,
                    tables=tuple(tables),
                    columns=tuple(columns),
                    filters=tuple(sorted(filters, key=lambda each: each[0])),
                ),
            )


def _take_along(draft: Draft, name: Name, schema: str) -> None:
    """SET SCHEMA: indexes and owned sequences go with their table."""
    owned = [
        other
        for other in draft.dependents_of.get(name, ())
        if isinstance(found := draft.known(other), Sequence) and found.owner_table == name
    ]
    for part in (*draft.indexes_of.get(name, ()), *owned):
        if part.schema != schema:
            move_relation(draft, part, Name(schema, part.name))


def rename_relation(draft: Draft, target: Name, new_name: str, *, if_exists: bool) -> None:
    """ALTER TABLE (VIEW, INDEX, SEQUENCE, …) RENAME TO. Renaming a constraint's index renames the constraint."""
    old = draft.resolve(target)
    if draft.get(old) is UNKNOWN and if_exists:
        # Whether it was there or not: it is not there now, and the new name may be taken by it.
        draft.remove(old)
        draft.forget_quietly(Name(old.schema, clip(new_name)))
        return
    move_relation(draft, old, Name(old.schema, clip(new_name)))


# --- types ------------------------------------------------------------------------------------------------------------


def move_type(draft: Draft, old: Name, new: Name) -> None:
    """Give a type another name or schema; the columns of that type follow."""
    found = draft.types.get(old)
    taken = draft.types.get(new) is not None or _has_type(draft.known(new))
    if found is None or old == new or taken:
        raise Refused
    users = draft.users_of_type.get(old, ())
    draft.remove_type(old)
    draft.put_type(replace(found, name=new))
    for name in users:
        user = draft.known(name)
        over = draft.types.get(name)
        if user is not None:
            draft.put(_renamed(user, old, new))
        elif isinstance(over, Domain) and over.type.name == old:
            draft.put_type(replace(over, type=_type_renamed(over.type, new)))
        elif isinstance(over, RangeType) and over.subtype is not None:
            draft.put_type(replace(over, subtype=_type_renamed(over.subtype, new)))
    _follow_routines(draft, old, new)


def _follow_routines(draft: Draft, old: Name, new: Name) -> None:
    """The signatures of routines that take or give a type, or a relation's row."""
    for name, known in draft.routines.items():
        if any(old in _types_of(routine) for routine in known or ()):
            draft.put_routines(name, tuple(_routine_renamed(routine, old, new) for routine in known or ()))


def _types_of(routine: Routine) -> tuple[Name, ...]:
    given = tuple(parameter.type.name for parameter in routine.parameters)
    return given if routine.returns is None else (*given, routine.returns.name)


def _routine_renamed(routine: Routine, old: Name, new: Name) -> Routine:
    returns = routine.returns
    parameters = [
        replace(each, type=_type_renamed(each.type, new)) if each.type.name == old else each
        for each in routine.parameters
    ]
    if returns is not None and returns.name == old:
        returns = _type_renamed(returns, new)
    return replace(routine, parameters=tuple(parameters), returns=returns)


# --- columns ----------------------------------------------------------------------------------------------------------


def rename_column_operation(draft: Draft, operation: RenameColumn) -> None:
    """RENAME COLUMN of a table (and its descendants) or view, RENAME ATTRIBUTE of a composite type."""
    name = draft.resolve(operation.target)
    relation = draft.known(name)
    old, new = operation.column, clip(operation.new_name)
    if isinstance(relation, View):
        _rename_view_column(draft, relation, old, new)
        return
    if isinstance(relation, CompositeType):
        draft.put(replace(relation, attributes=_renamed_columns(relation.attributes, old, new)))
        for table in typed_tables(draft, name, operation.cascade):
            _rename_table_column(draft, table, old, new)
        return
    if operation.object_kind not in ("table", "foreign_table"):
        raise Refused
    table = draft.altered_table(operation.target, operation.if_exists)
    column = table.column(old)
    if column is None or isinstance(table.column(new), Column):
        raise Refused
    if not isinstance(column, Column):
        table = replace(table, columns=(*table.columns, Column(old, complete=False)))
    elif column.inherited:
        raise Refused
    if draft.known(name) is not table:
        draft.put(table)
    for member_name in draft.family(name):
        member = draft.known_table(member_name)
        if member is not None and isinstance(member.column(old), Column):
            _rename_table_column(draft, member, old, new)


def _renamed_columns(columns: tuple[Column, ...], old: str, new: str) -> tuple[Column, ...]:
    names = {column.name for column in columns}
    if old not in names or new in names:
        raise Refused
    return tuple([replace(column, name=new) if column.name == old else column for column in columns])


def _rename_view_column(draft: Draft, view: View, old: str, new: str) -> None:
    if view.columns is None:
        return
    query = view.query
    output = tuple([(new if name == old else name, source) for name, source in query.columns])
    draft.put(replace(view, columns=_renamed_columns(view.columns, old, new), query=replace(query, columns=output)))


def _rename_table_column(draft: Draft, table: Table, old: str, new: str) -> None:
    key = table.partition_by
    draft.put(
        replace(
            table,
            columns=tuple([_column_renamed(column, old, new) for column in table.columns]),
            constraints=tuple([_constraint_renamed(c, old, new, table.name) for c in table.constraints]),
            triggers=tuple([_trigger_renamed(trigger, old, new) for trigger in table.triggers]),
            policies=tuple(
                [
                    replace(
                        policy,
                        using=rename_column(policy.using, old, new),
                        check=rename_column(policy.check, old, new),
                    )
                    for policy in table.policies
                ]
            ),
            partition_by=replace(key, elements=rename_in_elements(key.elements, old, new)) if key else None,
        )
    )
    for index_name in draft.indexes_of.get(table.name, ()):
        index = draft.known(index_name)
        if isinstance(index, Index) and index_uses_column(index, old):
            draft.put(_index_renamed(index, old, new))
    for other_name in draft.dependents_of.get(table.name, ()):
        _rename_in_dependent(draft, other_name, table.name, old, new)
    for key_name, publication in draft.publications.items():
        if publication is not None and table.name in publication.tables:
            draft.put_publication(key_name, _publication_renamed(publication, table.name, old, new))


def _publication_renamed(publication: Publication, table: Name, old: str, new: str) -> Publication:
    columns = [(name, _swapped(listed, old, new) if name == table else listed) for name, listed in publication.columns]
    filters = [
        (name, (rename_column(found, old, new) or found) if name == table else found)
        for name, found in publication.filters
    ]
    return replace(publication, columns=tuple(columns), filters=tuple(filters))


def _column_renamed(column: Column, old: str, new: str) -> Column:
    if column.name == old:
        return replace(column, name=new)
    if column.generated is not None and mentions_column(column.generated, old):
        return replace(column, generated=rename_column(column.generated, old, new))
    return column


def _swapped(names: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple([new if name == old else name for name in names]) if old in names else names


def _constraint_renamed(constraint: Constraint, old: str, new: str, table: Name) -> Constraint:
    plain = constraint.kind != "exclusion" and constraint.references != table
    named = old in constraint.columns or old in constraint.include
    if plain and not named and not mentions_column(constraint.expression, old):
        return constraint
    return replace(
        constraint,
        columns=_swapped(constraint.columns, old, new),
        include=_swapped(constraint.include, old, new),
        set_columns=_swapped(constraint.set_columns, old, new),
        expression=rename_column(constraint.expression, old, new),
        where=rename_column(constraint.where, old, new),
        elements=rename_in_elements(constraint.elements, old, new),
        referenced_columns=_swapped(constraint.referenced_columns, old, new)
        if constraint.references == table
        else constraint.referenced_columns,
    )


def _trigger_renamed(trigger: Trigger, old: str, new: str) -> Trigger:
    return replace(trigger, columns=_swapped(trigger.columns, old, new), when=rename_column(trigger.when, old, new))


def _index_renamed(index: Index, old: str, new: str) -> Index:
    return replace(
        index,
        elements=rename_in_elements(index.elements, old, new),
        include=_swapped(index.include, old, new),
        where=rename_column(index.where, old, new),
    )


def _rename_in_dependent(draft: Draft, name: Name, table: Name, old: str, new: str) -> None:
    other = draft.known(name)
    if isinstance(other, Sequence):
        if other.owner_table == table and other.owner_column == old:
            draft.put(replace(other, owner_column=new))
    elif isinstance(other, Table) and name != table:
        constraints = tuple(
            [
                replace(c, referenced_columns=_swapped(c.referenced_columns, old, new)) if c.references == table else c
                for c in other.constraints
            ]
        )
        draft.put(replace(other, constraints=constraints))
    elif isinstance(other, View):
        query, shown = other.query, Name(str(table), old)
        output = tuple([(name, Name(str(table), new) if source == shown else source) for name, source in query.columns])
        draft.put(replace(other, query=replace(query, columns=output)))


# --- constraints ------------------------------------------------------------------------------------------------------


def rename_constraint(draft: Draft, operation: RenameConstraint) -> None:
    """RENAME CONSTRAINT of a table or domain; the index of a key is renamed along."""
    old, new = operation.name, clip(operation.new_name)
    if operation.object_kind == "domain":
        _rename_domain_constraint(draft, operation.target, old, new)
        return
    table = draft.altered_table(operation.target, operation.if_exists)
    found = table.constraint(old)
    if found is None or isinstance(table.constraint(new), Constraint):
        raise Refused
    if not isinstance(found, Constraint):
        draft.put(table)
        return
    if found.inherited and found.kind in ("check", "not_null"):
        raise Refused
    if found.index is not None:
        move_relation(draft, found.index, Name(found.index.schema, new))
        table = draft.known_table(table.name) or table
    members = draft.family(table.name) if found.kind in ("check", "not_null") else [table.name]
    for member_name in members:
        member = draft.known_table(member_name)
        if member is not None:
            constraints = tuple(
                [replace(c, name=new) if c.name == old and c.kind == found.kind else c for c in member.constraints]
            )
            draft.put(replace(member, constraints=constraints))


def _rename_domain_constraint(draft: Draft, target: Name, old: str, new: str) -> None:
    domain = draft.types.get(draft.resolve_type_name(target))
    names = {constraint.name for constraint in domain.constraints} if isinstance(domain, Domain) else set()
    if not isinstance(domain, Domain) or old not in names or new in names:
        raise Refused
    renamed = tuple([replace(c, name=new) if c.name == old else c for c in domain.constraints])
    draft.put_type(replace(domain, constraints=renamed))
