"""How long a step holds its locks, as far as sizes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dflint.model.catalog import Catalog, Index, Table, View
from dflint.model.effect import StatementEffects
from dflint.model.names import Identity, Name
from dflint.model.plan import Estimate

#: Bytes in a second, on slow and on fast storage.
_READ: Final = (100e6, 2e9)
_WRITTEN: Final = (20e6, 400e6)
_SORTED: Final = (10e6, 200e6)
#: What a change of the catalogs alone takes, in seconds.
_CATALOGS: Final = (0.001, 0.05)

_ROWS: Final = frozenset("insert update delete merge copy select call do_block dynamic_sql".split())


def estimate(effects: Sequence[StatementEffects], catalog: Catalog) -> Estimate | None:
    """The time of a step's statements; None where something of it has no known size.

    Args:
        catalog: before the step.
    """
    low, high, words = 0.0, 0.0, list[str]()
    for each in effects:
        if each.unknown or not _ROWS.isdisjoint(each.operations):
            return None
        low, high = low + _CATALOGS[0], high + _CATALOGS[1]
        for what, identities, (slow, fast) in (
            ("writes", each.rewrites, _WRITTEN),
            ("reads", [one for one in each.scans if one not in each.rewrites], _READ),
            ("builds", each.index_rebuilds, _SORTED),
        ):
            for identity in identities:
                size = _size(identity, catalog)
                if size is None:
                    return None
                low, high = low + size / fast, high + size / slow
                words.append(f"{what} {identity} ({_amount(size)})")
    return Estimate(round(low, 3), round(high, 3), "; ".join(dict.fromkeys(words)) or "changes the catalogs only")


def _size(identity: str, catalog: Catalog) -> int | None:
    relation = catalog.relations.get(Name(*Identity.parse(identity).parts))
    return relation.bytes if isinstance(relation, (Table, View, Index)) else None


def _amount(size: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 10_000:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TB"
