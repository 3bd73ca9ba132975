"""Fact records: one statement form each, with its effect, read from ``rules/facts/*.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from dflint.facts.condition import Condition
from dflint.facts.fields import Field, Reader, flag, flag_or_null, integer, mapping, one_of, some_texts, text, texts
from dflint.facts.kinds import Kinds
from dflint.facts.when_verification import WhenVerifier
from dflint.facts.yaml_loader import Document, Path
from dflint.model.effect import Confidence
from dflint.model.errors import RuleError
from dflint.model.locks import MODES

#: The version of the format that this dflint reads.
SCHEMA = 1

#: Roles that a relation can play, with what they mean.
ROLES: Mapping[str, str] = {
    "target": "the relation named by the statement",
    "table": "the table that the named index, trigger, rule, policy or sequence belongs to",
    "referenced": "tables that the operation's own or the dropped foreign keys refer to",
    "referencing": "tables with foreign keys to the target",
    "parent": "the partitioned or inheritance parent",
    "partition": "the partition that ATTACH or DETACH names",
    "default_partition": "the default partition of the parent",
    "children": "partitions and inheritance children, at every depth",
    "partitions": "partitions of a partitioned table, at every depth",
    "indexes": "all indexes of the target",
    "index": "the index the statement names beside its target",
    "sequence": "the sequence that the column owns",
    "view": "views on the target that CASCADE drops",
    "using_table": "tables with columns of the domain or type",
    "typed_table": "tables created OF the type",
    "reads": "relations that the statement reads",
    "writes": "relations that WITH or a query inside writes",
    "listed": "tables that a publication lists",
}

_WAITS = ("writers_of_target", "readers_of_target", "old_snapshots")


class FactEffect(Struct, frozen=True, omit_defaults=True):
    """The effect of one statement form; see `dflint.model.effect.Effect`."""

    locks: dict[str, str] = {}
    rewrite: bool | None = False
    scan: bool | None = False
    index_rebuild: bool | None = False
    transaction: Literal["allowed", "refused", "unknown"] = "allowed"
    refused: str = ""
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str = ""


class Fact(Struct, frozen=True, omit_defaults=True):
    """What PostgreSQL does with one form of statement.

    Attributes:
        operations: kinds, patterns expanded.
        since, until: server majors; ``until`` None means up to the newest.
        when: verified conditions, None for always.
        adds: comes on top of the alternative taken, instead of being one.
        note: the reason, or where it was seen.
        place: file and line.
    """

    id: str
    operations: tuple[str, ...]
    effect: FactEffect
    since: int | None = None
    until: int | None = None
    when: dict[str, Any] | None = None
    adds: bool = False
    confidence: Confidence = "medium"
    note: str = ""
    place: str = ""

    def covers(self, version: int) -> bool:
        """Whether it is about that server major."""
        return (self.since is None or version >= self.since) and (self.until is None or version <= self.until)


_FACT_FIELDS: Mapping[str, Field] = {
    "id": Field(text, required=True),
    "operations": Field(some_texts, required=True),
    "since": Field(integer),
    "until": Field(integer),
    "when": Field(mapping),
    "adds": Field(flag),
    "effect": Field(lambda value: None if isinstance(value, dict) else "a mapping", required=True),
    "confidence": Field(one_of("high", "medium", "low")),
    "note": Field(text),
}
_EFFECT_FIELDS: Mapping[str, Field] = {
    "locks": Field(mapping),
    "rewrite": Field(flag_or_null),
    "scan": Field(flag_or_null),
    "index_rebuild": Field(flag_or_null),
    "transaction": Field(one_of("allowed", "refused", "unknown")),
    "refused": Field(text),
    "waits_for": Field(texts),
    "leftover_on_timeout": Field(text),
}


class FactReader:
    """Reads fact files; problems are collected."""

    def __init__(self, kinds: Kinds, vocabulary: Mapping[str, Condition], problems: list[RuleError]) -> None:
        self._kinds = kinds
        self._vocabulary = vocabulary
        self._problems = problems
        self._places: dict[str, str] = {}

    @property
    def ids(self) -> frozenset[str]:
        """The ids seen so far, those of malformed facts included."""
        return frozenset(self._places)

    def read(self, document: Document) -> list[Fact]:
        """The facts of one file; the malformed ones are left out and noted."""
        reader = Reader(document, self._problems)
        fields = {
            "schema": Field(lambda value: None if value == SCHEMA else str(SCHEMA), required=True),
            "facts": Field(lambda value: None if isinstance(value, list) else "a list of facts", required=True),
        }
        root = reader.mapping((), document.data, fields, "a fact file")
        facts = (self._fact(reader, ("facts", position), raw) for position, raw in enumerate(root.get("facts", ())))
        return [fact for fact in facts if fact is not None]

    def _fact(self, reader: Reader, path: Path, raw: Any) -> Fact | None:
        before = len(self._problems)
        good = reader.mapping(path, raw, _FACT_FIELDS, "a fact")
        place = f"{reader.document.file}:{reader.document.line(path)}"
        identifier = good.get("id", "")
        if identifier in self._places:
            reader.problem((*path, "id"), f"the fact {identifier!r} is already in {self._places[identifier]}")
        self._places[identifier] = place
        kinds = expand_kinds(reader, (*path, "operations"), good.get("operations", ()), self._kinds)
        if "when" in good and kinds:
            types = {kind: self._kinds.types[kind] for kind in kinds}
            WhenVerifier(reader, self._vocabulary).verify((*path, "when"), good["when"], types)
        effect = self._effect(reader, (*path, "effect"), good.get("effect", {}))
        if len(self._problems) > before:
            return None
        good.update(operations=kinds, effect=effect, place=place)
        return Fact(**good)

    def _effect(self, reader: Reader, path: Path, raw: Any) -> FactEffect:
        good = reader.mapping(path, raw, _EFFECT_FIELDS, "an effect")
        for role, mode in good.get("locks", {}).items():
            if role not in ROLES:
                reader.unknown((*path, "locks", role), "role", role, ROLES)
            if mode not in MODES:
                reader.unknown((*path, "locks", role), "lock mode", str(mode), MODES)
        for position, whom in enumerate(good.get("waits_for", ())):
            if whom not in _WAITS:
                reader.unknown((*path, "waits_for", position), "waiting", whom, _WAITS)
        good["waits_for"] = tuple(good.get("waits_for", ()))
        return FactEffect(**good)


def expand_kinds(reader: Reader, path: Path, patterns: Any, kinds: Kinds) -> tuple[str, ...]:
    """The kinds of operation that a list of kinds, patterns and groups means; unknown ones are noted."""
    found: dict[str, None] = {}
    for position, pattern in enumerate(patterns):
        matches = kinds.expand(pattern)
        if not matches:
            reader.unknown((*path, position), "operation", pattern, [*kinds.types, *kinds.GROUPS])
        found.update(dict.fromkeys(matches))
    return tuple(found)
