"""A fingerprint of the objects that a plan touches, so that it is not executed on others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from dflint.catalog.statistics_file import without_estimates
from dflint.model.catalog import Catalog, Table
from dflint.model.names import Identity, Name
from dflint.model.plan import Plan
from dflint.planning.statements import operations_of


def fingerprint(catalog: Catalog, identities: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, of what the catalog says of relations, or that there are none of that name.

    Args:
        identities: printed.
    """
    seen = {identity: list(_said(catalog, identity)) for identity in sorted(set(identities))}
    return hashlib.sha256(msgspec.json.encode(seen, order="sorted")).hexdigest()


def fingerprint_of(plan: Plan, catalog: Catalog) -> str:
    """The fingerprint of all relations that the plan's statements name or lock."""
    return fingerprint(catalog, touched(plan, catalog))


def touched(plan: Plan, catalog: Catalog) -> set[str]:
    """Printed identities of the relations that the plan's statements are about or lock, kinds aside."""
    found: set[str] = set()
    for step in plan.steps:
        found.update(_relation(identity) for identity in step.locks)
        path = step.settings.get("search_path")
        schemas = ("public",) if path is None else tuple(part.strip().strip('"') for part in path.split(","))
        targets = [operation.target for operation in operations_of(step.sql) if operation.target is not None]
        found.update(_printed(catalog.resolve(target, schemas)) for target in targets)
    return found


def _relation(identity: str) -> str:
    parts = Identity.parse(identity).parts
    return str(Identity("relation", parts))


def _printed(name: Name) -> str:
    return str(Identity("relation", tuple(part for part in name if part)))


def _said(catalog: Catalog, identity: str) -> Iterator[Any]:
    parts = Identity.parse(identity).parts
    if len(parts) != 2:
        return
    name = Name(*parts)
    relation = catalog.relations.get(name)
    if relation is None:
        return
    yield without_estimates(relation)
    if isinstance(relation, Table):
        for index in catalog.indexes_of.get(name, ()):
            yield without_estimates(catalog.relations.get(index))
