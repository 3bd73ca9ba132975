"""Conditions of a DO block that ask the system catalogs: what decides whether an operation inside runs."""

from __future__ import annotations

from typing import Literal

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.values import Part


class Source(Part, frozen=True):
    """A relation in FROM, as written, and the name that columns are written with."""

    relation: Name
    alias: str


class Condition(Part, frozen=True):
    """A Boolean expression, as far as a catalog may answer it.

    ``exists`` asks for a row of all ``sources`` that meets every one of ``parts``; ``value`` is a scalar expression,
    whose columns are those of the enclosing ``exists``; ``unknown`` can never be answered.
    """

    kind: Literal["and", "or", "not", "exists", "value", "unknown"]
    parts: tuple[Condition, ...] = ()
    sources: tuple[Source, ...] = ()
    value: Expr | None = None


class Guard(Part, frozen=True):
    """A condition that an operation waits for.

    Attributes:
        number: of the condition within its block: it is looked at once, before the first operation that it guards.
        condition: what is asked.
        wanted: the answer with which the operation runs.
    """

    number: int
    condition: Condition
    wanted: bool = True
