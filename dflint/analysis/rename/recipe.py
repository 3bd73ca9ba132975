"""The recipe that renames a table while programs go by both names."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.analysis.rename.view import compatibility_view
from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.objects import RenameObject
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
    old, new = quoted(given.target), quoted(Name(given.target.schema, operation.new_name))
    view = tuple(compatibility_view(catalog, table, operation.new_name, owned=False))
    back = f"ALTER TABLE {new} RENAME TO {quote_identifier(given.target.name)}"
    return (
        RecipeStep(
            sql=";\n".join((f"ALTER TABLE {old} RENAME TO {quote_identifier(operation.new_name)}", *view)),
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
            undo=view,
        ),
    )
