"""Parameters of the extended protocol, written into the statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from dflint.model.quoting import quote_literal
from dflint.sql.libpg_query import LibPgQuery, load_library

_PARAMETER = re.compile(rb"\$(\d+)\Z")


def inline(sql: str, values: Sequence[str | None]) -> str:
    """Replace ``$1`` and so on by literals, as PostgreSQL's scanner finds them; NULL for None.

    A literal has no type of its own, as a parameter whose type the client left open.
    """
    text = sql.encode()
    pieces: list[bytes] = []
    done = 0
    for token in _library().scan(text):
        found = _PARAMETER.match(text[token.start : token.end])
        if found is None or not 0 < int(found[1]) <= len(values):
            continue
        value = values[int(found[1]) - 1]
        literal = "NULL" if value is None else quote_literal(value)
        pieces += [text[done : token.start], literal.encode()]
        done = token.end
    return b"".join([*pieces, text[done:]]).decode()


@cache
def _library() -> LibPgQuery:
    return load_library()
