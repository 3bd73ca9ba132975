"""``-- dflint: backfill key=id batch=1000`` before an UPDATE or DELETE: run it in batches along a key.

Nothing is cut into batches that does not ask for it: what is done in pieces is seen half done, and is not
taken back when a later piece fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dflint.model.catalog import UNKNOWN, Catalog, Table
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.data import Delete, Update
from dflint.model.plan import Backfill
from dflint.planning.refusals import Problem

DEFAULT_BATCH: Final = 1000

_MARK: Final = re.compile(rb"(?:--|/\*)[ \t]*dflint:[ \t]*backfill\b(?P<rest>[^\n]*?)(?:\*/|$)", re.MULTILINE)
_WORD: Final = re.compile(r"(?P<name>key|batch)=(?P<value>\S+)\Z")
_USAGE: Final = "write: -- dflint: backfill key=id batch=1000"


def wanted(leading: bytes) -> str | None:
    """What follows the words ``dflint: backfill`` in the comments before a statement; None where they are not there."""
    found = _MARK.search(leading)
    return None if found is None else found["rest"].decode("utf-8", "replace").strip()


def backfill(words: str, contexts: Sequence[Context]) -> Backfill | Problem:
    """How the statement is cut into batches, or why it cannot be.

    Args:
        words: those of the comment.
        contexts: of the statement.
    """
    options: dict[str, str] = {}
    for word in words.split():
        found = _WORD.match(word)
        if found is None or found["name"] in options:
            return Problem(f"{word!r} is no option of a backfill, or stands there twice", _USAGE)
        options[found["name"]] = found["value"]
    batch = options.get("batch", str(DEFAULT_BATCH))
    if not batch.isdecimal() or not int(batch):
        return Problem(f"{batch!r} is no number of rows", _USAGE)
    first = contexts[0]
    operation = first.operation
    if not isinstance(operation, Update | Delete) or operation.inside:
        return Problem(
            "only an UPDATE or DELETE can be a backfill", "take the comment out, or write one of them after it"
        )
    if first.transaction.open:
        return Problem(
            f"a backfill commits batch by batch, and this runs in a transaction: {first.transaction.reason}",
            "take it out of the transaction",
        )
    return _of_table(first, operation, options, int(batch))


def _of_table(
    context: Context, operation: Update | Delete, options: Mapping[str, str], batch: int
) -> Backfill | Problem:
    name = context.resolve(operation.target)
    table = context.catalog.table(name)
    key = tuple(options["key"].split(",")) if "key" in options else None
    if table is UNKNOWN or (isinstance(table, Table) and not table.complete):
        if key is None:
            return Problem(
                f"it is not known what the primary key of {name} is",
                "name it: -- dflint: backfill key=id, or give --db",
            )
    elif isinstance(table, Table):
        keys = _keys(table, context.catalog)
        if key is None:
            key = keys[0] if keys else None
        if key is None or key not in keys:
            columns = ", ".join(key or ())
            return Problem(
                f"{name} has no unique key of columns that are NOT NULL" + (f": {columns}" if columns else ""),
                "a backfill goes along a primary key, or a unique constraint or index of columns that are NOT NULL",
            )
    if key is None:
        return Problem(f"there is no table {name}", "correct the name")
    changed = sorted(set(key) & set(getattr(operation, "assigned", ())))
    if changed:
        return Problem(f"it changes {changed[0]}, along which it goes", "take another key")
    identity = str(Identity("table", (name.schema or "public", name.name)))
    return Backfill(identity, key, batch)


def has_key(name: Name, catalog: Catalog, assigned: Sequence[str] = ()) -> bool:
    """Whether a table is known to have a key along which it can be gone through while columns of it change."""
    table = catalog.table(name)
    # The first key is the one that is taken.
    keys = _keys(table, catalog) if isinstance(table, Table) else []
    return bool(keys) and set(keys[0]).isdisjoint(assigned)


def _keys(table: Table, catalog: Catalog) -> list[tuple[str, ...]]:
    """The unique keys whose columns are NOT NULL, the primary key first."""
    required = {column.name for column in table.columns if column.not_null}
    found = [
        constraint.columns
        for kind in ("primary_key", "unique")
        for constraint in table.constraints
        if constraint.kind == kind and not constraint.deferrable and not constraint.without_overlaps
    ]
    deferrable = {constraint.name for constraint in table.constraints if constraint.deferrable}
    for name in catalog.indexes_of.get(table.name, ()):
        index = catalog.relations.get(name)
        if getattr(index, "constraint", None) in deferrable:
            continue
        columns = [element.column for element in getattr(index, "elements", ())]
        unique = getattr(index, "unique", False) and getattr(index, "where", None) is None
        if unique and getattr(index, "valid", False) and None not in columns:
            found.append(tuple(column for column in columns if column is not None))
    return [key for key in dict.fromkeys(found) if set(key) <= required]
