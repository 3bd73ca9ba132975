"""Recipes: from a file's steps, with holes, to statements."""

from __future__ import annotations

from dflint.planning.recipes.holes import HOLES
from dflint.planning.recipes.ingredients import Kitchen
from dflint.planning.recipes.rendering import rendered

__all__ = ["HOLES", "Kitchen", "rendered"]
