"""What everybody looks things up in who makes values out of rows."""

from __future__ import annotations

from typing import NamedTuple

from dflint.catalog.reader.deparse import Deparsed
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.relations import Relations
from dflint.catalog.reader.texts import Texts


class Sources(NamedTuple):
    """Names and texts that rows refer to.

    Attributes:
        columns: relation -> number -> name.
    """

    names: Names
    relations: Relations
    columns: dict[int, dict[int, str]]
    texts: Texts
    deparsed: Deparsed
