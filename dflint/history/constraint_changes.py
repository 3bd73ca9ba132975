"""Constraints that tables have: altering, validating, dropping."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.facts.key_indexes import may_rely_on
from dflint.history.constraint_lists import replaced
from dflint.history.constraints import KEYS
from dflint.history.draft import Draft, Refused
from dflint.history.indexes import attached_to, remove_index
from dflint.history.not_nulls import not_null_column
from dflint.model.catalog import Index
from dflint.model.names import Name
from dflint.model.operations.tables import AlterConstraint, DropConstraint, ValidateConstraint
from dflint.model.schema import Constraint


def alter_constraint(draft: Draft, operation: AlterConstraint) -> None:
    """ALTER CONSTRAINT, on the table and the inherited copies."""
    changes = {
        field: value
        for field in ("deferrable", "initially_deferred", "enforced", "no_inherit")
        if (value := getattr(operation, field)) is not None
    }
    if operation.enforced is False:
        changes["validated"] = False
    elif operation.enforced is True:
        changes["validated"] = True
    if operation.deferrable is False:
        changes["initially_deferred"] = False
    elif operation.initially_deferred:
        changes["deferrable"] = True
    _change_constraint(draft, operation, operation.name, changes)


def validate_constraint(draft: Draft, operation: ValidateConstraint) -> None:
    """VALIDATE CONSTRAINT, on the table and the inherited copies."""
    _change_constraint(draft, operation, operation.name, {"validated": True})


def _change_constraint(
    draft: Draft, operation: AlterConstraint | ValidateConstraint, name: str, changes: dict[str, bool]
) -> None:
    table = draft.altered_table(operation.target, operation.if_exists)
    found = table.constraint(name)
    if found is None:
        raise Refused
    if not isinstance(found, Constraint):
        draft.put(table)
        return
    for member_name in draft.family(table.name, operation.only):
        member = draft.known_table(member_name)
        copy = member.constraint(name) if member is not None else None
        if member is None or not isinstance(copy, Constraint) or copy.kind != found.kind:
            continue
        member = replaced(member, copy, replace(copy, **changes))
        if copy.kind == "not_null" and changes.get("validated"):
            member = not_null_column(member, copy.columns[0]) if copy.columns else member
        draft.put(member)


def drop_constraint(draft: Draft, operation: DropConstraint) -> None:
    """DROP CONSTRAINT, with its index and its inherited copies."""
    table = draft.altered_table(operation.target, operation.if_exists)
    found = table.constraint(operation.name)
    if found is None:
        raise Refused
    if not isinstance(found, Constraint):
        # One that was not known; its index, if any, may be known all the same.
        draft.put(table)
        index = draft.known(Name(table.name.schema, operation.name))
        if isinstance(index, Index) and index.table == table.name:
            remove_index(draft, index.name, cascade=operation.cascade)
        return
    if found.inherited:
        raise Refused
    remove_constraint(draft, table.name, found, cascade=operation.cascade, only=operation.only)
    if found.kind == "not_null":
        _clear_not_null(draft, table.name, found.columns, operation.only)


def _clear_not_null(draft: Draft, table: Name, columns: tuple[str, ...], only: bool) -> None:
    for name in draft.family(table, only):
        member = draft.known_table(name)
        if member is not None:
            cleared = [replace(c, not_null=False) if c.name in columns else c for c in member.columns]
            draft.put(replace(member, columns=tuple(cleared)))


def remove_constraint(
    draft: Draft, table_name: Name, constraint: Constraint, *, cascade: bool, only: bool = False, copies: bool = True
) -> None:
    """Take a constraint out of one table, its index too, and (unless not ``copies``) its copies out of the descendants.

    Raises:
        Refused: foreign keys of other tables rest on it and ``cascade`` is False.
    """
    table = draft.known_table(table_name)
    if table is None or constraint not in table.constraints:
        return
    if constraint.kind in ("primary_key", "unique"):
        primary = constraint.kind == "primary_key"
        strip_references(
            draft, table_name, constraint.columns, cascade, key=True, primary=primary, index=constraint.index
        )
        table = draft.known_table(table_name) or table
    draft.put(replace(table, constraints=tuple([c for c in table.constraints if c != constraint])))
    if constraint.kind in KEYS and constraint.index is not None:
        _remove_key_index(draft, constraint.index)
    elif copies:
        _remove_copies(draft, table_name, constraint, only)


def _remove_key_index(draft: Draft, index_name: Name) -> None:
    for child_name in attached_to(draft, index_name):
        child = draft.known(child_name)
        if isinstance(child, Index):
            table = draft.known_table(child.table)
            if table is not None:
                kept = tuple([c for c in table.constraints if c.index != child_name])
                draft.put(replace(table, constraints=kept))
    remove_index(draft, index_name, cascade=True, constraint=True)


def _remove_copies(draft: Draft, table: Name, constraint: Constraint, only: bool) -> None:
    for child_name in draft.children_of.get(table, ()):
        child = draft.known_table(child_name)
        if child is None:
            continue
        for copy in child.constraints:
            if not copy.inherited or copy.kind != constraint.kind or not _is_copy(copy, constraint):
                continue
            left = copy.inherited - 1
            if only or copy.local or left:
                draft.put(replaced(child, copy, replace(copy, inherited=left, local=copy.local or not left)))
            else:
                draft.put(replace(child, constraints=tuple([c for c in child.constraints if c is not copy])))
                _remove_copies(draft, child_name, copy, only)
            break


def _is_copy(copy: Constraint, constraint: Constraint) -> bool:
    if constraint.kind == "foreign_key":
        return copy.columns == constraint.columns and copy.references == constraint.references
    if constraint.kind == "not_null":
        return copy.columns == constraint.columns
    return copy.name == constraint.name


def _relies(owner: Name, key: Constraint, index: Name, draft: Draft, cascade: bool) -> bool:
    """Whether a foreign key goes with an index. Where several may be its index and nothing drops it, it stays."""
    possible = may_rely_on(owner, key, draft)
    return not possible or (possible[0] == index and (cascade or len(possible) == 1))


def strip_references(
    draft: Draft,
    table: Name,
    columns: tuple[str, ...],
    cascade: bool,
    *,
    key: bool = False,
    primary: bool = False,
    index: Name | None = None,
) -> None:
    """CASCADE: drop the foreign keys that reference any of these columns (with ``key``: exactly this key).

    Several keys may have the same columns: with ``index`` only those that rely on it are meant.

    Raises:
        Refused: there are some, and ``cascade`` is False.
    """
    for name in draft.dependents_of.get(table, ()):
        other = draft.known_table(name)
        for constraint in other.constraints if other is not None else ():
            if constraint.references != table or constraint.kind != "foreign_key":
                continue
            given = constraint.referenced_columns
            if key:
                meant = set(given) == set(columns) if given else primary
            else:
                meant = not set(given).isdisjoint(columns)
            if not meant or (key and index is not None and not _relies(name, constraint, index, draft, cascade)):
                continue
            # A table's own foreign key goes with a column of it, wherever else it refers to.
            goes_along = not key and name == table and not set(constraint.columns).isdisjoint(columns)
            if not cascade and not goes_along:
                raise Refused
            remove_constraint(draft, name, constraint, cascade=True)
