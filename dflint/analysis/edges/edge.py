"""One need of one object for another, and the identities of both."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog
from dflint.model.impact import Evidence, EvidenceKind
from dflint.model.names import Identity, Name
from dflint.model.row_types import SEQUENCES_WITHOUT_TYPES, has_row_type

#: What a need means when the referenced object is dropped, in the letters of pg_depend.deptype:
#:
#: - ``n`` (normal): refused, or with CASCADE dropped too;
#: - ``a`` (auto), ``x`` (auto, by ALTER … DEPENDS ON EXTENSION): dropped too, in silence;
#: - ``i`` (internal), ``e`` (member of an extension): part of its making; it cannot be dropped alone;
#: - ``P``, ``S``: part of a partitioned object, and of the partition.
#:
#: Two letters are our own: ``t`` for a text that names the object and is looked up when it runs, ``r`` for the index
#: that is a table's replica identity. Dropping does not follow them.
Need = Literal["n", "a", "x", "i", "e", "P", "S", "t", "r"]


class Edge(NamedTuple):
    """``dependent`` needs ``referenced``; both are printed identities."""

    dependent: str
    referenced: str
    need: Need
    evidence: Evidence


_WORDS: Final[dict[str, str]] = {
    "n": "normal",
    "a": "auto",
    "x": "auto extension",
    "i": "internal",
    "e": "extension",
    "P": "partition",
    "S": "partition",
}
_RECORDS: Final = {need: Evidence("pg_depend", word) for need, word in _WORDS.items()}


def recorded(dependent: str, referenced: str, need: Need) -> Edge:
    """A need that the server records in pg_depend."""
    return Edge(dependent, referenced, need, _RECORDS[need])


def shown(dependent: str, referenced: str, need: Need, kind: EvidenceKind, detail: str) -> Edge:
    """A need that something else than pg_depend shows."""
    return Edge(dependent, referenced, need, Evidence(kind, detail))


class Names:
    """The printed identities of relations and of their parts; each is printed once.

    Attributes:
        columns: relation -> its columns that edges name.
        owners: column -> its relation.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._relations: dict[Name, str] = {}
        self._columns: dict[tuple[Name, str], str] = {}
        self.columns: dict[str, list[str]] = {}
        self.owners: dict[str, str] = {}

    def relation(self, name: Name) -> str:
        """The identity of a relation; of a table where nothing is known of it."""
        known = self._relations.get(name)
        if known is None:
            found = self._catalog.relations.get(name)
            known = (
                printed(found) if found is not None else str(Identity("table", (name.schema or "public", name.name)))
            )
            self._relations[name] = known
        return known

    def type(self, name: Name) -> str | None:
        """The identity of a type or of the relation whose row type it is; None of one that is not known."""
        found = self._catalog.types.get(name)
        relation = self._catalog.relations.get(name)
        version = self._catalog.version or SEQUENCES_WITHOUT_TYPES
        if found is None and relation is not None and has_row_type(relation, version):
            return printed(relation)
        return None if found is None else printed(found)

    def column(self, relation: Name, column: str) -> str:
        """The identity of a column."""
        key = relation, column
        known = self._columns.get(key)
        if known is None:
            known = self._columns[key] = self.part("column", relation, column)
            owner = self.relation(relation)
            self.columns.setdefault(owner, []).append(known)
            self.owners[known] = owner
        return known

    def note(self, identity: str) -> None:
        """Take note of an identity that was read; that of a column is remembered."""
        if identity.startswith("column:") and identity not in self.owners:
            schema, relation, column = Identity.parse(identity).parts
            self.column(Name(schema, relation), column)

    def part(self, kind: str, relation: Name, name: str) -> str:
        """The identity of a constraint, trigger, … of a relation."""
        schema, own = relation
        if schema is not None and schema.isidentifier() and own.isidentifier() and name.isidentifier():
            return f"{kind}:{schema}.{own}.{name}"
        return str(Identity(kind, (schema or "public", own, name)))
