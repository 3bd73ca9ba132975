"""What the values of a catalog have in common: how they travel as JSON, and which of their fields are estimates."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")

#: A field that the server estimates or measures: kept beside the schema, for it changes while the schema does not.
Estimate = Annotated[int | None, Meta(extra={"estimate": True})]


def _snake_case(class_name: str) -> str:
    return _WORD_START.sub("_", class_name).lower()


class Part(Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of an object of the catalog: written as JSON, a field that has its default is left out."""


class CatalogObject(Part, frozen=True, tag_field="object", tag=_snake_case):
    """An object of the catalog: written as JSON, ``object`` says which class it is of (``composite_type``)."""
