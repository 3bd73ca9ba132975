"""A foreign key that takes another's place while others write: with other actions, or deferrable."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dflint.model.catalog import Table
from dflint.model.errors import InputError
from dflint.model.foreign_keys import NOT_VALID_ON_PARTITIONED
from dflint.model.names import Identity
from dflint.model.operations.tables import AddForeignKey
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Constraint
from dflint.planning.recipes.carried import referenced
from dflint.planning.undo.spelling import constraint_sql, quoted
from dflint.plugin.recipes import Ingredients


def change_foreign_key(given: Ingredients) -> Sequence[RecipeStep]:
    """The new one takes the place of the old one in a moment; then the rows are looked at, which held the old one.

    There are never two at a time: what a row that goes does to those which refer to it would be a question of which
    one's triggers come first, by the names that the server gives them.

    Raises:
        InputError: they do not refer to the same, or the server knows no NOT VALID for this table.
    """
    operation, old = given.operation, given.dropped
    assert isinstance(operation, AddForeignKey)
    assert isinstance(old, Constraint)
    table = given.context.catalog.relation(given.target)
    if not isinstance(table, Table):
        raise InputError(f"not enough is known of {given.target}")
    if table.partition_by is not None and given.version < NOT_VALID_ON_PARTITIONED:
        raise InputError("a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18")
    _refuse_different(given, old, operation.constraint)
    # Enforced ones are made NOT VALID, others are it without a word.
    definition = constraint_sql(replace(old, validated=not old.enforced), None, None)
    if definition is None:
        raise InputError(f"the foreign key {old.name} is not known well enough to make it again")
    alter = f"ALTER TABLE {quoted(given.target)}"
    first, second, new = quote_identifier(old.name or ""), given.fill("{name}"), given.fill("{constraint}")
    validated = old.validated and old.enforced
    return (
        RecipeStep(
            sql=f"{alter} VALIDATE CONSTRAINT {first}",
            why="It is valid, and no row is read; should the change be taken back, this is where the rows are looked "
            "at, while others write."
            if validated
            else "The rows are looked at under locks that let reads and writes through.",
            undo=(f"{alter} VALIDATE CONSTRAINT {first}",) if validated else None,
        ),
        RecipeStep(
            sql=f"{alter} DROP CONSTRAINT {first};\n{alter} ADD CONSTRAINT {second} {new} NOT VALID",
            why="For a moment nobody can read or write either table; no row is looked at.",
            undo=(
                f"{alter} DROP CONSTRAINT {second}",
                f"{alter} ADD CONSTRAINT {first} {definition}",
                *_comment(given, old),
            ),
        ),
        RecipeStep(
            sql=f"{alter} VALIDATE CONSTRAINT {second}",
            why="The rows are looked at under locks that let reads and writes through.",
            undo=(),
        ),
    )


def _refuse_different(given: Ingredients, old: Constraint, new: Constraint) -> None:
    assert new.references is not None
    target = given.context.resolve(new.references)
    table = given.context.catalog.relation(target)
    if not isinstance(table, Table):
        raise InputError(f"not enough is known of {target}")
    if (
        old.references != target
        or referenced(old, table) != referenced(new, table)
        or old.match != new.match
        or (old.without_overlaps, new.without_overlaps) != (False, False)
    ):
        raise InputError("rows that hold the old foreign key may not hold the new one")


def _comment(given: Ingredients, old: Constraint) -> list[str]:
    name, table = old.name or "", given.target
    identity = Identity("fk", (table.schema or "public", table.name, name))
    # The catalog is that without it, but what is said about things is carried along.
    text = given.context.catalog.details.comments.get(str(identity))
    where = f"CONSTRAINT {quote_identifier(name)} ON {quoted(table)}"
    return [] if text is None else [f"COMMENT ON {where} IS {quote_literal(text).strip()}"]
