"""Which libpg_query is used. Apart from the binding, so that asking does not load ctypes."""

from __future__ import annotations

import os
import sys

from dflint.model.errors import ParserUnavailable

REMEDY = "reinstall dflint, or set DFLINT_LIBPG_QUERY to a libpg_query built for PostgreSQL 18"


def find_library() -> str:
    """The path of the libpg_query to use.

    Raises:
        ParserUnavailable: there is none.
    """
    named = os.environ.get("DFLINT_LIBPG_QUERY")
    if named:
        return named
    # Looking along sys.path finds the file without importing the package.
    for directory in sys.path:
        for name in ("libpg_query.so", "libpg_query.dylib", "pg_query.dll", "libpg_query.dll"):
            candidate = os.path.join(directory, "postgast", name)
            if os.path.isfile(candidate):
                return candidate
    raise ParserUnavailable("libpg_query was not found: the postgast distribution is not installed", remedy=REMEDY)
