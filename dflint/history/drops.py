"""Removing objects, and what goes with them: with CASCADE whatever depends on them, without it only their parts."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.constraint_changes import remove_constraint, strip_references
from dflint.history.draft import Draft, Refused
from dflint.history.indexes import index_uses_column, remove_index
from dflint.history.rewriting import mentions_column
from dflint.history.views import uses_column
from dflint.model.catalog import CompositeType, Index, Relation, Sequence, Table, View
from dflint.model.dependencies import sequences_named
from dflint.model.names import Name


def drop_relations(draft: Draft, names: list[Name], *, cascade: bool) -> None:
    """Drop relations with their parts (partitions, indexes, owned sequences) and, with CASCADE, their dependents.

    Raises:
        Refused: something else depends on them and ``cascade`` is False.
    """
    going: dict[Name, Relation | None] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in going:
            continue
        going[name] = draft.known(name)
        pending.extend(_parts(draft, name))
        if cascade:
            pending.extend(_whole_dependents(draft, name))
    for name in going:
        if not cascade and any(other not in going for other in _whole_dependents(draft, name)):
            raise Refused
        _release(draft, name, going, cascade)
    for name in going:
        for index in draft.indexes_of.get(name, ()):
            remove_index(draft, index)
        draft.remove(name)
        _leave_publications(draft, name)


def _parts(draft: Draft, name: Name) -> list[Name]:
    """What belongs to a relation so that it goes without CASCADE: partitions and owned sequences."""
    found: list[Name] = []
    for child_name in draft.children_of.get(name, ()):
        child = draft.known(child_name)
        if (isinstance(child, Table) and child.bound is not None) or isinstance(child, Index):
            found.append(child_name)
    for other_name in draft.dependents_of.get(name, ()):
        other = draft.known(other_name)
        if isinstance(other, Sequence) and other.owner_table == name:
            found.append(other_name)
    return found


def _whole_dependents(draft: Draft, name: Name) -> list[Name]:
    """The relations that cannot stay without ``name``: inheritance children and views."""
    found = [child for child in draft.children_of.get(name, ()) if isinstance(draft.known(child), Table)]
    for other_name in draft.dependents_of.get(name, ()):
        other = draft.known(other_name)
        if isinstance(other, View) and name in other.query.reads:
            found.append(other_name)
    found.extend(user for user in draft.users_of_type.get(name, ()) if isinstance(draft.known(user), View))
    return found


def _release(draft: Draft, name: Name, going: dict[Name, Relation | None], cascade: bool) -> None:
    """Let the tables that stay do without ``name``: foreign keys, defaults and columns of its row type."""
    for other_name in draft.dependents_of.get(name, ()):
        other = draft.known_table(other_name)
        if other is None or other_name in going:
            continue
        if not cascade:
            raise Refused
        for constraint in other.constraints:
            if constraint.references == name:
                remove_constraint(draft, other_name, constraint, cascade=True)
        _clear_defaults(draft, other_name, name)
    drop_type_users(draft, name, cascade, going)


def _clear_defaults(draft: Draft, table_name: Name, sequence: Name) -> None:
    table = draft.known_table(table_name)
    if table is None:
        return
    columns = tuple(
        replace(c, default=None)
        if c.default is not None and c.default.args and sequence in sequences_named(c.default)
        else c
        for c in table.columns
    )
    draft.put(replace(table, columns=columns))


def _leave_publications(draft: Draft, name: Name) -> None:
    for key, publication in draft.publications.items():
        if publication is not None and name in publication.tables:
            kept = tuple(table for table in publication.tables if table != name)
            columns = tuple(each for each in publication.columns if each[0] != name)
            filters = tuple(each for each in publication.filters if each[0] != name)
            draft.put_publication(key, replace(publication, tables=kept, columns=columns, filters=filters))


def drop_type_users(draft: Draft, name: Name, cascade: bool, going: dict[Name, Relation | None] | None = None) -> None:
    """CASCADE: drop the columns of that type, the tables made of it, and the types over it.

    Raises:
        Refused: there are some, and ``cascade`` is False.
    """
    for user_name in draft.users_of_type.get(name, ()):
        user = draft.known(user_name)
        if user_name == name or (going and user_name in going):
            continue
        if not cascade:
            raise Refused
        if user is None and user_name in draft.types:
            drop_type_users(draft, user_name, cascade=True, going=going)
            draft.remove_type(user_name)
        elif isinstance(user, Table) and user.of_type == name:
            drop_relations(draft, [user_name], cascade=True)
        elif isinstance(user, Table):
            for column in user.columns:
                if column.type is not None and column.type.name == name:
                    remove_column(draft, draft.known_table(user_name) or user, column.name, cascade=True)
        elif isinstance(user, CompositeType):
            kept = tuple(a for a in user.attributes if a.type is None or a.type.name != name)
            draft.put(replace(user, attributes=kept))
        elif isinstance(user, View):
            drop_relations(draft, [user_name], cascade=True)


def typed_tables(draft: Draft, kind: Name, cascade: bool) -> list[Table]:
    """The known tables OF a composite type, which a change of its attributes reaches with CASCADE.

    Raises:
        Refused: there are some, and ``cascade`` is False.
    """
    users = [draft.known_table(name) for name in draft.users_of_type.get(kind, ())]
    tables = [table for table in users if table is not None and table.of_type == kind]
    if tables and not cascade:
        raise Refused
    return tables


def drop_owned_sequences(draft: Draft, table: Name, column: str, cascade: bool) -> None:
    """Drop the sequences that a column owns; other columns' defaults that call them need CASCADE."""
    for name in draft.dependents_of.get(table, ()):
        sequence = draft.known(name)
        if not isinstance(sequence, Sequence) or (sequence.owner_table, sequence.owner_column) != (table, column):
            continue
        for user_name in draft.dependents_of.get(name, ()):
            user = draft.known_table(user_name)
            for other in user.columns if user is not None else ():
                if (user_name, other.name) == (table, column) or other.default is None or not other.default.args:
                    continue
                if name in sequences_named(other.default):
                    if not cascade:
                        raise Refused
                    _clear_defaults(draft, user_name, name)
        draft.remove(name)


# --- columns --------------------------------------------------------------------------------------------------------


def remove_column(draft: Draft, table: Table, name: str, *, cascade: bool) -> None:
    """Take a column out of one table, with all that cannot live without it.

    Raises:
        Refused: something else needs it and ``cascade`` is False.
    """
    key = table.partition_by
    if key is not None and any(e.column == name or mentions_column(e.expression, name) for e in key.elements):
        raise Refused
    generated = [c.name for c in table.columns if c.name != name and mentions_column(c.generated, name)]
    policies = [p for p in table.policies if mentions_column(p.using, name) or mentions_column(p.check, name)]
    triggers = [t for t in table.triggers if name in t.columns or mentions_column(t.when, name)]
    blocking = generated if draft.version >= 15 else []  # up to 14 generated columns go in silence
    if (blocking or policies or triggers) and not cascade:
        raise Refused
    strip_references(draft, table.name, (name,), cascade)
    for constraint in table.constraints:
        if name in constraint.columns or name in constraint.include or mentions_column(constraint.expression, name):
            # A child's copy of a check goes with the child's column only, if it goes.
            remove_constraint(draft, table.name, constraint, cascade=cascade, copies=constraint.kind != "check")
    for index_name in draft.indexes_of.get(table.name, ()):
        if index_uses_column(draft.known(index_name), name):
            _remove_using_index(draft, index_name, cascade)
    drop_owned_sequences(draft, table.name, name, cascade)
    _drop_readers(draft, table.name, name, cascade)
    table = draft.known_table(table.name) or table
    draft.put(
        replace(
            table,
            columns=tuple([c for c in table.columns if c.name != name]),
            policies=tuple([p for p in table.policies if p not in policies]),
            triggers=tuple([t for t in table.triggers if t not in triggers]),
        )
    )
    for other in generated:
        remove_column(draft, draft.known_table(table.name) or table, other, cascade=True)


def _remove_using_index(draft: Draft, name: Name, cascade: bool) -> None:
    """Remove an index that uses a dropped column; a constraint that needs it for an expression needs CASCADE."""
    index = draft.known(name)
    if not isinstance(index, Index) or index.constraint is None:
        remove_index(draft, name)
        return
    if not cascade:
        raise Refused
    table = draft.known_table(index.table)
    for constraint in table.constraints if table is not None else ():
        if constraint.name == index.constraint:
            remove_constraint(draft, index.table, constraint, cascade=True)


def _drop_readers(draft: Draft, table: Name, column: str, cascade: bool) -> None:
    """Views that use the column need CASCADE.

    Where it is not known whether a view does, the statement is taken to succeed; with CASCADE the view then becomes
    unknown.
    """
    for name in draft.dependents_of.get(table, ()):
        view = draft.known(name)
        if not isinstance(view, View):
            continue
        used = uses_column(view, table, column)
        if used and not cascade:
            raise Refused
        if used:
            drop_relations(draft, [name], cascade=True)
        elif used is None and cascade:
            draft.forget(name)
