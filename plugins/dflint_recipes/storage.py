"""Where and how rows are stored: what can be changed beside those who use a table, and what takes a window."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.catalog import Index, Table
from dflint.model.errors import InputError
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Cluster, Vacuum
from dflint.model.operations.tables import AddColumn, SetLogged, SetTablespace, SetUnlogged
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.plugin.recipes import Ingredients

#: The first major in which a generated column need not be stored.
_VIRTUAL = 18
_COPIES = "The server copies the whole table while nobody can read or write it, and has no way beside the others. "


def move_index(given: Ingredients) -> Sequence[RecipeStep]:
    """A second index is built in the other tablespace and takes the first one's place.

    Raises:
        InputError: it is partitioned, so that nothing is moved, or behind an exclusion, or not known.
    """
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, SetTablespace)
    index = catalog.relation(given.target)
    table = catalog.relation(index.table) if isinstance(index, Index) else None
    if not isinstance(index, Index) or not isinstance(table, Table) or table.partition_by is not None:
        raise InputError(f"not enough is known of {given.target}, or it is partitioned")
    if any(each.kind == "exclusion" and each.name == index.constraint for each in table.constraints):
        raise InputError(f"the server does not rebuild {given.target}, which is behind an exclusion, concurrently")
    space = quote_identifier(operation.tablespace).replace("{", "{{").replace("}", "}}")
    back = quote_identifier(index.tablespace or "pg_default").replace("{", "{{").replace("}", "}}")
    return (
        RecipeStep(
            sql=given.fill(f"REINDEX (TABLESPACE {space}) INDEX CONCURRENTLY {{target}}"),
            why="Reads and writes go on; it is built there beside the old one and takes its place.",
            undo=(given.fill(f"REINDEX (TABLESPACE {back}) INDEX CONCURRENTLY {{target}}"),),
        ),
    )


def in_a_window(given: Ingredients) -> Sequence[RecipeStep]:
    """Somebody has to decide first; then the statement as it is. No steps where no table is copied."""
    table = given.context.catalog.relation(given.target) if given.operation.target is not None else None
    if isinstance(table, Index) or (isinstance(table, Table) and table.partition_by is not None):
        return ()
    advice = _advice(given.operation, given.version)
    if not advice:
        return ()
    return (
        RecipeStep(
            sql=f"{_COPIES}{advice} Otherwise go on when nobody needs {given.fill('{target}')} for so long.",
            kind="manual",
            why="There is no recipe that does it beside readers and writers.",
        ),
        RecipeStep(sql=given.fill("{statement}"), why="Nobody can read or write the table until it is copied."),
    )


def _advice(operation: Operation, version: int) -> str:
    """What may be done in its place; "" for what copies nothing."""
    if isinstance(operation, Vacuum):
        if not operation.full:
            return ""
        return "A plain VACUUM makes the room free for new rows; pg_repack is made for giving it back beside others."
    if isinstance(operation, Cluster):
        return "pg_repack is made for putting rows in the order of an index beside others."
    if isinstance(operation, SetTablespace):
        return "Indexes can be moved beside others, one by one; pg_repack is made for moving a table."
    if isinstance(operation, SetLogged | SetUnlogged):
        return "What can be done beside others is a second table that programs write too, and move to by a release."
    if isinstance(operation, AddColumn) and operation.column.generation == "stored":
        virtual = "a VIRTUAL one, which is there at once; or " if version >= _VIRTUAL else ""
        return f"What can be had beside others: {virtual}an ordinary column that a trigger fills, and a backfill."
    return ""
