"""The recipes that rename a table, or move it to another schema, while programs go by both names."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.analysis.rename.view import compatibility_view
from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.objects import RenameObject, SetObjectSchema
from dflint.model.quoting import quote_identifier
from dflint.model.recipe import RecipeStep
from dflint.planning.undo.spelling import quoted
from dflint.plugin.recipes import Ingredients


def rename_table(given: Ingredients) -> Sequence[RecipeStep]:
    """The table is renamed and a view has the old name, in one transaction; later the view goes."""
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, RenameObject)
    table = catalog.relation(given.target)
    if not isinstance(table, Table) or not table.complete:
        raise InputError(f"not enough is known of {given.target}")
    return _with_view(
        given.target,
        Name(given.target.schema, operation.new_name),
        tuple(compatibility_view(catalog, table, operation.new_name, owned=False, version=given.version)),
        (f"RENAME TO {quote_identifier(operation.new_name)}", f"RENAME TO {quote_identifier(given.target.name)}"),
    )


def move_table(given: Ingredients) -> Sequence[RecipeStep]:
    """The table moves and a view stands where it was, in one transaction; later the view goes."""
    operation, catalog = given.operation, given.context.catalog
    assert isinstance(operation, SetObjectSchema)
    table = catalog.relation(given.target)
    if not isinstance(table, Table) or not table.complete:
        raise InputError(f"not enough is known of {given.target}")
    if operation.schema == given.target.schema:
        return ()
    return _with_view(
        given.target,
        Name(operation.schema, given.target.name),
        tuple(
            compatibility_view(
                catalog, table, given.target.name, schema=operation.schema, owned=False, version=given.version
            )
        ),
        (
            f"SET SCHEMA {quote_identifier(operation.schema)}",
            f"SET SCHEMA {quote_identifier(given.target.schema or 'public')}",
        ),
    )


def _with_view(before: Name, after: Name, view: Sequence[str], clauses: tuple[str, str]) -> Sequence[RecipeStep]:
    """The steps.

    Args:
        before, after: the table's name.
        view: the statements that make one of the name before.
        clauses: what brings the table from one name to the other, and back.
    """
    old, new = quoted(before), quoted(after)
    there, back = f"ALTER TABLE {old} {clauses[0]}", f"ALTER TABLE {new} {clauses[1]}"
    return (
        RecipeStep(
            sql=";\n".join((there, *view)),
            why="For a moment nobody can read or write; then both names work, for reads and for writes.",
            undo=(f"DROP VIEW {old}", back),
        ),
        RecipeStep(
            sql=f"Deploy a version of the application that uses {new}, and wait until nothing uses {old}.",
            kind="manual",
            why="The view is for programs that know the old name only.",
            release=2,
        ),
        RecipeStep(
            sql=f"DROP VIEW {old}",
            why="Nobody uses the old name any more.",
            release=2,
            undo=tuple(view),
        ),
    )
