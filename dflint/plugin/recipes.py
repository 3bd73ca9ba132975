"""What builds the steps of a recipe in Python: a function of `Ingredients`, named by the recipe's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dflint.model.catalog import Index
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.recipe import RecipeStep
from dflint.model.schema import Constraint


class Ingredients(Protocol):
    """One operation that a recipe is to replace, and what is needed to write SQL about it.

    Attributes:
        context: just before the operation.
        version: major version of the server.
        dropped: the constraint or index that the migration drops for the one that the operation adds (see
            `Recipe.after`); None for any other operation.
    """

    context: Context
    version: int
    dropped: Constraint | Index | None

    @property
    def operation(self) -> Operation:
        """The operation itself."""

    @property
    def target(self) -> Name:
        """The relation that it is about, with its schema."""

    def fill(self, template: str) -> str:
        """SQL from a template: its holes filled with quoted names and texts of the statement, see docs/recipes.md.

        Raises:
            InputError: the operation has nothing for a hole.
        """

    def new_name(self, what: str, column: str | None = None, table: Name | None = None) -> str:
        """A name, not quoted, that nothing in the table's schema has; the same for the same words.

        It is made of the table's name (the target's where None is given), the column's (the operation's own), and
        ``what``.
        """

    def definition(self, identity: str) -> str | None:
        """How the server prints an index, constraint, view or default; None where nobody asked it."""


#: Gives a recipe's steps; none where it does not fit after all.
Builder = Callable[[Ingredients], Sequence[RecipeStep]]
