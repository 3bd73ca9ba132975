"""Which statements, of those that somebody has seen, use what a change touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.texts import may_name, searchable
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.model.impact import Impact
from dflint.model.names import Identity, Name
from dflint.model.uses import QueryUse, QueryUses, SeenStatement, SeenStatements, UseCertainty
from dflint.sql.parse import Parser
from dflint.sql.references import BodyReferences, Reference, query_references

#: What references call the objects whose identities have these kinds.
_RELATIONS: Final = frozenset({"table", "foreign_table", "view", "materialized_view", "sequence"})
_ROUTINES: Final = frozenset({"function", "procedure", "aggregate"})
_TYPES: Final = frozenset({"type", "domain"})
#: Dependents with these effects are no longer what they were, for the statements that use them.
_HARMED: Final = frozenset({"blocks", "auto_dropped", "breaks_later", "changes"})

_Key = tuple[str, str, str, str | None]


def query_uses(
    impact: Impact, seen: SeenStatements, catalog: Catalog, parser: Parser, search_path: tuple[str, ...]
) -> QueryUses:
    """The statements that use the target of a change, or objects that the change takes along or breaks.

    Args:
        search_path: for names without a schema; which one a statement ran with, nobody has recorded. A use is
            therefore only likely, or possible, where relations of its name are in several schemas.
    """
    wanted = Wanted(impact, catalog)
    reasons = list(seen.incomplete_because)
    if not wanted.keys:
        kind = impact.target.partition(":")[0].replace("_", " ")
        reasons.append(f"no statement names an object of its kind ({kind}): which of them rely on it is not known")
    elsewhere = tuple(sorted({schema for _, schema, _, _ in wanted.keys} - set(search_path)))
    found = list[QueryUse]()
    unread = list[str]()
    dynamic = 0
    for statement in seen.statements:
        if not wanted.may_be_in(statement.text):
            continue
        references = query_references(statement.text, catalog, search_path, parser)
        use = wanted.use(statement, references)
        if use is None and elsewhere:
            # A name that no schema of the path holds: with another path it may be the object.
            use = wanted.use(statement, query_references(statement.text, catalog, search_path + elsewhere, parser))
            use = None if use is None else replace(use, certainty="possible")
        if use is not None:
            found.append(use)
        elif references.unreadable is not None:
            unread.append(references.unreadable)
        elif references.dynamic:
            dynamic += 1
    if unread:
        reasons.append(f"statements that hold a name of it could not be read: {_how_many(unread)}")
    if dynamic:
        reasons.append(f"{dynamic:,} statements that hold a name of it run SQL that they put together")
    found.sort(key=lambda use: (-(use.calls or 0), use.origin, use.line))
    return QueryUses(tuple(found), len(seen.statements), tuple(reasons))


def _how_many(reasons: Iterable[str]) -> str:
    return "; ".join(f"{number:,} ({reason})" for reason, number in Counter(reasons).most_common(3))


class Match(Struct, frozen=True):
    """An object that a reference means, and how sure that is."""

    identity: str
    certainty: UseCertainty


class Wanted:
    """The objects whose users are looked for.

    Attributes:
        keys: what references call them, and their identities.
    """

    def __init__(self, impact: Impact, catalog: Catalog) -> None:
        harmed = [each.identity for each in impact.dependents if each.effect in _HARMED]
        self.keys: dict[_Key, str] = {}
        for identity in (impact.target, *harmed):
            key = _key(identity)
            if key is not None:
                self.keys.setdefault(key, identity)
        #: Of columns the relation: the column itself may hide behind a star.
        self._words = {searchable(key[2]) for key in self.keys}
        schemas: dict[str, set[str | None]] = {}
        for name, relation in catalog.relations.items():
            if relation is not None:
                schemas.setdefault(name.name, set()).add(name.schema)
        names = {key[2] for key in self.keys}
        self._ambiguous = {name for name in names if len(schemas.get(name, ())) > 1}

    def may_be_in(self, text: str) -> bool:
        """Whether the text holds one of the names, be it in a comment: others need not be read."""
        return may_name(searchable(text), self._words)

    def use(self, statement: SeenStatement, references: BodyReferences) -> QueryUse | None:
        """What the statement uses; None if it is none of this."""
        found: dict[str, tuple[Reference, UseCertainty]] = {}
        for reference in references.references:
            match = self.match(reference, statement.text)
            if match is not None:
                found.setdefault(match.identity, (reference, match.certainty))
        if not found:
            return None
        first = min((reference for reference, _ in found.values()), key=lambda each: each.start)
        sure: tuple[UseCertainty, ...] = ("certain", "likely", "possible")
        return QueryUse(
            statement=statement.text,
            uses=tuple(sorted(found)),
            line=first.line,
            column=first.column_number,
            origin=statement.origin,
            certainty=min((certainty for _, certainty in found.values()), key=sure.index),
            calls=statement.calls,
            counted_since=statement.counted_since,
            last_seen=statement.last_seen,
            writes=any(reference.writes for reference, _ in found.values()),
        )

    def match(self, reference: Reference, text: str) -> Match | None:
        """What a reference of a text means, if it is one of the objects."""
        kind = "relation" if reference.kind == "sequence" else reference.kind
        identity = self.keys.get((kind, reference.schema or "", reference.name, reference.column))
        if identity is None:
            return None
        doubtful = reference.name in self._ambiguous and f"{reference.schema}." not in text
        return Match(identity, "likely" if doubtful and reference.certainty == "certain" else reference.certainty)


def _key(identity: str) -> _Key | None:
    """What references call an object; None of what no statement names."""
    try:
        kind, parts = Identity.parse(identity)
    except InputError:
        return None
    if kind == "column" and len(parts) == 3:
        return "column", parts[0], parts[1], parts[2]
    if len(parts) != 2:
        return None
    schema, name = Name(*parts)
    if kind in _RELATIONS:
        return "relation", schema or "", name, None
    if kind in _ROUTINES:
        return "function", schema or "", name.partition("(")[0], None
    return ("type", schema or "", name, None) if kind in _TYPES else None
