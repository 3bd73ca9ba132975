"""Parsing PL/pgSQL bodies: libpg_query needs the types that only a catalog knows, or something in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from dflint.sql.build.nodes import Node
from dflint.sql.libpg_query import GrammarError, LibPgQuery

_decode: Callable[[bytes], Any] = msgspec.json.decode


def dollar_quoted(text: str) -> str:
    """The text as a dollar-quoted string."""
    tag = "$body"
    # Without the closing sign: a text that ends in it would make one with the sign that follows.
    while tag in text:
        tag += "_"
    return f"{tag}${text}{tag}$"


def parse_body(head: Callable[[str], str], body: str, library: LibPgQuery) -> tuple[list[Node], str]:
    """The functions of a body, and the body without template placeholders.

    Raises:
        GrammarError: the body is not PL/pgSQL, or no attempt could do without its types.
    """
    try:
        return _decode(library.parse_plpgsql((head("text") + dollar_quoted(body)).encode())), body
    except GrammarError as error:
        if not _is_limit(error.message):
            from dflint.sql.mask import mask_templates

            # To SQL's own grammar the body is a string, which no placeholder can disturb.
            masked = mask_templates(body.encode(), psql_variables=False).decode()
            if masked == body:
                raise
            return parse_body(head, masked, library)
        from dflint.sql.build.declarations import with_known_types

        for shape in ("record", "text"):
            changed = with_known_types(body, library, shape)
            for row in ("text", "not_known"):
                try:
                    return _decode(library.parse_plpgsql((head(row) + dollar_quoted(changed)).encode())), body
                except GrammarError:
                    continue
        raise


#: Parts of messages about what libpg_query cannot look up without a catalog; any other is PL/pgSQL's own.
_LIMITS: Final = (
    "Not implemented",
    "has pseudo-type",
    "is not a known variable",
    "is not a scalar variable",
    "multiple-item INTO list",
    "pseudo-type",
    "must be a record variable",
    "collations are not supported by type",
)


def _is_limit(message: str) -> bool:
    return any(part in message for part in _LIMITS)


def refusal(error: GrammarError) -> str:
    """Why a body could not be parsed, in words for users."""
    if _is_limit(error.message):
        return f"PL/pgSQL: a type of the catalog is needed to read it ({error.message})"
    return f"PL/pgSQL rejects it: {error.message}"
