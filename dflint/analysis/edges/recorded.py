"""The needs that only a server can tell: its own records, as a live catalog and a snapshot hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from dflint.analysis.edges.edge import Edge, Names, Need, recorded, shown
from dflint.model.catalog import Catalog
from dflint.model.names import Identity


def recorded_edges(catalog: Catalog, names: Names) -> Iterator[Edge]:
    """The records, with the partitions' parts of foreign keys taken as one with the key."""
    records = catalog.details.dependencies
    for dependent, listed in records.items():
        if dependent.startswith("fk:"):
            if any(each.referenced.startswith("fk:") for each in listed):
                continue
            detail = Identity.parse(dependent).parts[2]
            for each in listed:
                names.note(each.referenced)
                yield shown(dependent, each.referenced, cast("Need", each.type), "constraint", detail)
            continue
        names.note(dependent)
        for each in listed:
            names.note(each.referenced)
            if catalog.basis == "replay":
                # What `dflint.analysis.replayed` has read in the object's text.
                yield shown(dependent, each.referenced, cast("Need", each.type), "body", "its text")
            else:
                yield recorded(dependent, each.referenced, cast("Need", each.type))
