"""What keeps a second column beside a first one: a trigger that fills it, and NOT NULL without a long lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.model.names import Name
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.recipe import RecipeStep
from dflint.planning.undo.spelling import quoted
from dflint.plugin.recipes import Ingredients

#: Rows in the first batch.
BATCH: Final = 1000
#: From this major on NOT NULL is a constraint with a name, and may be NOT VALID.
NAMED_NOT_NULL: Final = 18


def required(given: Ingredients, table: Name, column: str, name: str, proof: str) -> Iterator[RecipeStep]:
    """The steps that make a new column NOT NULL without reading rows under a strong lock.

    Args:
        given: the operation.
        table: which has the column.
        column: its name.
        name: of the constraint, where it has one.
        proof: of the CHECK that stands for it for a while, where it has none.
    """
    alter, column = f"ALTER TABLE {quoted(table)}", quote_identifier(column)
    if given.version >= NAMED_NOT_NULL:
        own = quote_identifier(name)
        yield RecipeStep(
            sql=f"{alter} ADD CONSTRAINT {own} NOT NULL {column} NOT VALID",
            why="For a moment nobody can read or write; old rows are not looked at.",
            undo=(f"{alter} DROP CONSTRAINT IF EXISTS {own}",),
        )
        yield RecipeStep(
            sql=f"{alter} VALIDATE CONSTRAINT {own}",
            why="The old rows are read under a lock that lets reads and writes through.",
            undo=(),
        )
        return
    proof = quote_identifier(proof)
    yield RecipeStep(
        sql=f"{alter} ADD CONSTRAINT {proof} CHECK ({column} IS NOT NULL) NOT VALID",
        why="For a moment nobody can read or write; old rows are not looked at.",
        undo=(f"{alter} DROP CONSTRAINT IF EXISTS {proof}",),
    )
    yield RecipeStep(
        sql=f"{alter} VALIDATE CONSTRAINT {proof}",
        why="The old rows are read under a lock that lets reads and writes through.",
        undo=(),
    )
    yield RecipeStep(
        sql=f"{alter} ALTER COLUMN {column} SET NOT NULL;\n{alter} DROP CONSTRAINT {proof}",
        why="The CHECK proves that there is no null, so that no row is read; then it has done its work.",
        undo=(f"{alter} ALTER COLUMN {column} DROP NOT NULL",),
    )


def triggered(table: Name, function: str, body: str) -> tuple[str, str]:
    """A function and the trigger of its name, which fires after all others: they may change the row.

    Args:
        table: which gets the trigger.
        function: its name, in the table's schema.
        body: in PL/pgSQL.
    """
    called, name = quoted(Name(table.schema, function)), quote_identifier(f"zz_{function}"[:63])
    return (
        f"CREATE FUNCTION {called}() RETURNS trigger LANGUAGE plpgsql AS {quote_literal(body).strip()}",
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {quoted(table)} FOR EACH ROW EXECUTE FUNCTION {called}()",
    )


def untriggered(table: Name, function: str) -> tuple[str, str]:
    """What drops both, where they are there."""
    name = quote_identifier(f"zz_{function}"[:63])
    return (
        f"DROP TRIGGER IF EXISTS {name} ON {quoted(table)}",
        f"DROP FUNCTION IF EXISTS {quoted(Name(table.schema, function))}()",
    )
