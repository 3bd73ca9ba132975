"""A plan, and what recipes have to do with it, as reports are made of it."""

from __future__ import annotations

from msgspec import Struct

from dflint.model.plan import Plan
from dflint.model.recipe import Recipe


class Followed(Struct, frozen=True):
    """A recipe that a plan follows in the place of a statement.

    Attributes:
        statement: as it was written.
        steps: ids of the plan's steps that do it.
    """

    statement: str
    recipe: Recipe
    steps: tuple[str, ...]


class PlanReport(Struct, frozen=True):
    """What is reported.

    Attributes:
        followed: what recipes do, in order; empty for a plan of the statements as they stand.
        remarks: sentences about statements that stay as they are, and transactions that do not.
    """

    plan: Plan
    followed: tuple[Followed, ...] = ()
    remarks: tuple[str, ...] = ()
