"""Keeping what a migration drops, in a schema of its own, so that it can be had again.

A table is moved there instead of dropped, and comes back with its rows; the values of a column are copied there before
it is dropped, which a person can put back. Both cost what they keep: somebody has to drop it one day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dflint.history.naming import clip
from dflint.model.catalog import Catalog, Table
from dflint.model.catalog import Sequence as SequenceRelation
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import DropObject
from dflint.model.operations.tables import DropColumn
from dflint.model.quoting import quote_identifier
from dflint.planning.undo.before import Before, Irreversible
from dflint.planning.undo.constraints import constraint_again
from dflint.planning.undo.spelling import columns, quoted

TRASH: Final = "dflint_trash"

_MAKE_TRASH: Final = f"CREATE SCHEMA IF NOT EXISTS {TRASH}"
#: Of the suffix, which is the same for the same statement: a plan is the same whenever it is made.
_DIGITS: Final = 8


class Kept(Struct, frozen=True):
    """A statement that keeps what another would drop.

    Attributes:
        sql: to be executed in its place.
        undo: how it is taken back; None: as the original, not at all.
        note: where things are kept.
    """

    sql: str
    undo: tuple[str, ...] | None
    note: str


def keep(contexts: Sequence[Context], sql: str, definitions: dict[str, str]) -> Kept | str | None:
    """What to execute in the place of a statement, or a sentence why what it drops is not kept; None: it drops nothing.

    Args:
        contexts: of the statement's operations.
        sql: its text.
        definitions: as `dflint.planning.undo.undo` takes them.
    """
    operations = [context.operation for context in contexts]
    tables = [each for each in operations if isinstance(each, DropObject) and each.object_kind == "table"]
    dropped = [each for each in operations if isinstance(each, DropColumn)]
    if not tables and not dropped:
        return None
    if len(operations) > 1:
        return "not kept: it drops more than one thing; write a statement for each"
    context = contexts[0]
    target = operations[0].target
    if target is None or context.resolve(target) in context.created:
        return None
    table = context.table(target)
    if not isinstance(table, Table) or not context.catalog.closed:
        return "not kept: the catalog does not show the table; give --db or --catalog"
    suffix = hashlib.sha256(sql.encode()).hexdigest()[:_DIGITS]
    before = Before(
        context.operation,
        context.catalog,
        path=context.session.search_path,
        definitions=definitions,
        version=context.version,
    )
    if dropped:
        return _copied(table, dropped[0], sql, suffix)
    return _moved(before, table, suffix)


def _moved(before: Before, table: Table, suffix: str) -> Kept | str:
    """ALTER TABLE … SET SCHEMA in the place of DROP TABLE."""
    catalog = before.catalog
    reason = _why_not_moved(catalog, table)
    if reason is not None:
        return f"not kept: {reason}"
    forward, back = [_MAKE_TRASH], list[str]()
    # Else they would go on guarding the tables they refer to.
    for constraint in table.constraints:
        if constraint.kind == "foreign_key":
            try:
                back = [*constraint_again(before, table, constraint), *back]
            except Irreversible as error:
                return f"not kept: {error}"
            foreign_key = quote_identifier(constraint.name or "")
            forward.append(f"ALTER TABLE {quoted(table.name)} DROP CONSTRAINT {foreign_key}")
    # They move along, and must not meet others of their names.
    parts = [("INDEX", each) for each in catalog.indexes_of.get(table.name, ())]
    parts += [("SEQUENCE", each) for each in _sequences(catalog, table.name)]
    for kind, name in parts:
        new = _with(name.name, suffix)
        forward.append(f"ALTER {kind} {quoted(name)} RENAME TO {quote_identifier(new)}")
        back = [f"ALTER {kind} {quoted(Name(name.schema, new))} RENAME TO {quote_identifier(name.name)}", *back]
    new = _with(table.name.name, suffix)
    schema = quote_identifier(table.name.schema or "public")
    forward.append(f"ALTER TABLE {quoted(table.name)} RENAME TO {quote_identifier(new)}")
    forward.append(f"ALTER TABLE {quoted(Name(table.name.schema, new))} SET SCHEMA {TRASH}")
    back = [
        f"ALTER TABLE {quoted(Name(TRASH, new))} SET SCHEMA {schema}",
        f"ALTER TABLE {quoted(Name(table.name.schema, new))} RENAME TO {quote_identifier(table.name.name)}",
        *back,
    ]
    note = f"{table.name} is kept as {TRASH}.{new}; drop it when nobody needs it any more"
    return Kept(";\n".join(forward), tuple(back), note)


def _why_not_moved(catalog: Catalog, table: Table) -> str | None:
    if table.parents or catalog.children_of.get(table.name) or table.partition_by is not None:
        return f"{table.name} is part of a hierarchy"
    if _depends(catalog, table.name):
        return f"others depend on {table.name}, and the server refuses to drop it"
    if table.foreign_server is not None or table.persistence == "temporary":
        return f"{table.name} has no rows of its own that last"
    return None


def _depends(catalog: Catalog, table: Name) -> bool:
    """Whether anything but its own parts needs the table."""
    own = {table, *_sequences(catalog, table), *catalog.indexes_of.get(table, ())}
    users = (*catalog.dependents_of.get(table, ()), *catalog.users_of_type.get(table, ()))
    if not own.issuperset(users):
        return True
    parts = tuple(part for part in table if part)
    for dependent, needs in catalog.details.dependencies.items():
        if any(each.type == "n" and Identity.parse(each.referenced).parts[: len(parts)] == parts for each in needs):
            there = Identity.parse(dependent).parts
            if there[: len(parts)] != parts and Name(*there[:2] if len(there) > 1 else (None, there[0])) not in own:
                return True
    return False


def _sequences(catalog: Catalog, table: Name) -> list[Name]:
    return sorted(
        relation.name
        for relation in catalog.relations.values()
        if isinstance(relation, SequenceRelation) and relation.owner_table == table
    )


def _copied(table: Table, operation: DropColumn, sql: str, suffix: str) -> Kept | str:
    """A copy of key and column before DROP COLUMN."""
    keys = [each.columns for each in table.constraints if each.kind == "primary_key"]
    if not keys or operation.column in keys[0]:
        return f"not kept: {table.name} has no primary key beside column {operation.column}"
    copy = Name(TRASH, _with(f"{table.name.name}_{operation.column}", suffix))
    listed = columns((*keys[0], operation.column))[1:-1]
    only = "ONLY " if operation.only else ""
    source = f"SELECT {listed} FROM {only}{quoted(table.name)}"  # noqa: S608  # all of it is quoted
    saved = f"CREATE TABLE {quoted(copy)} AS {source}"
    note = f"the values of column {operation.column} are kept in {copy}, by the primary key"
    return Kept(";\n".join((_MAKE_TRASH, saved, sql)), None, note)


def _with(name: str, suffix: str) -> str:
    """A name with a suffix, in 63 bytes."""
    while clip(f"{name}_{suffix}") != f"{name}_{suffix}":
        name = name[:-1]
    return f"{name}_{suffix}"
