"""Reading and verifying fact files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from dflint.facts.condition import Condition
from dflint.facts.fields import Field, Reader, flag, integer, mapping, one_of, some_texts, text, texts
from dflint.facts.kinds import Kinds
from dflint.facts.records import SCHEMA, Fact, FactEffect, Phase
from dflint.facts.roles import unknown_part
from dflint.facts.when_verification import WhenVerifier
from dflint.facts.yaml_loader import Document, Path
from dflint.model.errors import RuleError
from dflint.model.locks import MODES

_WAITS = ("writers_of_target", "readers_of_target", "old_snapshots")


_EXTENTS = ("rewrite", "scan", "index_rebuild", "emptied")


def _extent(value: Any) -> str | None:
    """true, false, null or a list of roles."""
    good = value is None or isinstance(value, bool) or some_texts(value) is None
    return None if good else "true, false, null or a list of roles"


_FACT_FIELDS: Mapping[str, Field] = {
    "id": Field(text, required=True),
    "operations": Field(some_texts, required=True),
    "since": Field(integer),
    "until": Field(integer),
    "when": Field(mapping),
    "adds": Field(flag),
    "effect": Field(lambda value: None if isinstance(value, dict) else "a mapping", required=True),
    "confidence": Field(one_of("high", "medium", "low")),
    "phase": Field(one_of(*get_args(Phase))),
    "note": Field(text),
}
_EFFECT_FIELDS: Mapping[str, Field] = {
    "locks": Field(mapping),
    "rewrite": Field(_extent),
    "scan": Field(_extent),
    "index_rebuild": Field(_extent),
    "emptied": Field(some_texts),
    "transaction": Field(one_of("allowed", "refused", "unknown")),
    "refused": Field(text),
    "waits_for": Field(texts),
    "leftover_on_timeout": Field(text),
    "invalidates_prepared": Field(flag),
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
        fact = Fact(**good)
        if "phase" in good and not effect.refused:
            reader.problem((*path, "phase"), "only a refusal has a phase")
            return None
        if effect.refused and (effect != FactEffect(refused=effect.refused) or fact.adds):
            reader.problem((*path, "effect"), "a refusal has no other effect")
            return None
        return fact

    def _effect(self, reader: Reader, path: Path, raw: Any) -> FactEffect:
        good = reader.mapping(path, raw, _EFFECT_FIELDS, "an effect")
        for role, mode in good.get("locks", {}).items():
            _verify_role(reader, (*path, "locks", role), role)
            if mode not in MODES:
                reader.unknown((*path, "locks", role), "lock mode", str(mode), MODES)
        for position, whom in enumerate(good.get("waits_for", ())):
            if whom not in _WAITS:
                reader.unknown((*path, "waits_for", position), "waiting", whom, _WAITS)
        for field in _EXTENTS:
            if isinstance(good.get(field), list):
                for position, role in enumerate(good[field]):
                    _verify_role(reader, (*path, field, position), role)
                good[field] = tuple(good[field])
        good["waits_for"] = tuple(good.get("waits_for", ()))
        return FactEffect(**good)


def _verify_role(reader: Reader, path: Path, role: str) -> None:
    unknown = unknown_part(role)
    if unknown is not None:
        reader.unknown(path, "role", *unknown)


def expand_kinds(reader: Reader, path: Path, patterns: Any, kinds: Kinds) -> tuple[str, ...]:
    """The kinds of operation that a list of kinds, patterns and groups means; unknown ones are noted."""
    found: dict[str, None] = {}
    for position, pattern in enumerate(patterns):
        matches = kinds.expand(pattern)
        if not matches:
            reader.unknown((*path, position), "operation", pattern, [*kinds.types, *kinds.GROUPS])
        found.update(dict.fromkeys(matches))
    return tuple(found)
