"""The needs of types, publications and members of extensions."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.analysis.edges.edge import Edge, Names, recorded, shown
from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Domain, Publication, RangeType
from dflint.model.dependencies import is_user_type
from dflint.model.names import Identity


def object_edges(catalog: Catalog, names: Names) -> Iterator[Edge]:
    """What the values of objects that are no relations say."""
    for kind in catalog.types.values():
        if isinstance(kind, Domain):
            yield from _of_domain(kind, names)
        elif isinstance(kind, RangeType) and kind.subtype is not None and is_user_type(kind.subtype):
            needed = names.type(kind.subtype.name)
            if needed is not None:
                yield recorded(printed(kind), needed, "n")
    for publication in catalog.publications.values():
        if publication is not None:
            yield from _of_publication(publication, names)
    for member, extension in catalog.details.extension_members.items():
        names.note(member)
        yield recorded(member, str(Identity("extension", (extension,))), "e")


def _of_domain(domain: Domain, names: Names) -> Iterator[Edge]:
    own = printed(domain)
    if is_user_type(domain.type):
        needed = names.type(domain.type.name)
        if needed is not None:
            yield recorded(own, needed, "n")
    for constraint in domain.constraints:
        if constraint.name is not None:
            yield recorded(names.part("constraint", domain.name, constraint.name), own, "a")


def _of_publication(publication: Publication, names: Names) -> Iterator[Edge]:
    """What the publication holds of a table goes with it; the publication itself stays."""
    own = printed(publication)
    for table in publication.tables:
        yield recorded(own, names.relation(table), "a")
    for table, columns in publication.columns:
        for column in columns:
            yield shown(own, names.column(table, column), "n", "attribute", "column list")
    for table, expression in publication.filters:
        for column in expression.columns():
            yield shown(own, names.column(table, column), "n", "attribute", "row filter")
