"""Types that come with relations."""

from __future__ import annotations

from typing import Final

from dflint.model.catalog import Index, Relation, Sequence

#: From this major on sequences have no row type.
SEQUENCES_WITHOUT_TYPES: Final = 14


def has_row_type(relation: Relation | None, version: int) -> bool:
    """Whether a type of its name comes with a relation.

    Args:
        relation: None: there is none.
        version: major version of the server.
    """
    if isinstance(relation, Sequence):
        return version < SEQUENCES_WITHOUT_TYPES
    return relation is not None and not isinstance(relation, Index)
