"""Reading rule and fact files: strict, and everything that is wrong is told at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dflint.facts import yaml_loader
from dflint.facts.condition import Condition
from dflint.facts.fact_reader import FactReader, expand_kinds
from dflint.facts.fields import (
    Field,
    Reader,
    flag,
    integer,
    integers,
    mapping,
    one_of,
    some,
    text,
    texts,
)
from dflint.facts.kinds import Kinds
from dflint.facts.operation_fields import NoFieldError, shape_of
from dflint.facts.placeholders import known as known_placeholders
from dflint.facts.placeholders import used as used_placeholders
from dflint.facts.records import Fact
from dflint.facts.vocabulary import vocabulary
from dflint.facts.when_verification import WhenVerifier
from dflint.facts.yaml_loader import Document, Path
from dflint.model.effect import Confidence
from dflint.model.errors import RuleError, RuleErrors
from dflint.rulebook.rule import Example, Rule

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HAZARD = re.compile(r"H[0-9]{3}")
_CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")

_EXAMPLE_FIELDS: Mapping[str, Field] = {
    "sql": Field(text, required=True),
    "before": Field(text),
    "runner": Field(text),
    "in_transaction": Field(flag),
    "pg_version": Field(integer),
    "file": Field(text),
    "lines": Field(integers),
    "certain": Field(flag),
    "note": Field(text),
}

#: Order as `dflint rules docs` shows them.
RULE_FIELDS: Mapping[str, Field] = {
    "id": Field(text, required=True),
    "title": Field(text, required=True),
    "hazards": Field(texts, required=True),
    "level": Field(one_of("error", "warning", "info"), required=True),
    "operations": Field(texts, required=True),
    "since": Field(integer),
    "until": Field(integer),
    "when": Field(mapping),
    "quiet_unless_known": Field(texts),
    "check": Field(text),
    "message": Field(text, required=True),
    "why": Field(text, required=True),
    "fix": Field(text, required=True),
    "facts": Field(texts),
    "confidence": Field(one_of("high", "medium", "low")),
    "recipes": Field(texts),
    "values": Field(texts),
    "default": Field(flag),
    "tags": Field(texts),
    "examples": Field(mapping, required=True),
}


def load(files: Iterable[str], checks: Mapping[str, str]) -> tuple[list[Rule], list[Fact]]:
    """Read and verify rule and fact files. A file is a fact file when it has a key ``schema``.

    Args:
        files: their paths.
        checks: check name -> reference, as plugins offer them.

    Raises:
        RuleErrors: everything that is wrong, each with file and line.
    """
    problems: list[RuleError] = []
    documents = [document for file in files if (document := _document(file, problems)) is not None]
    kinds, conditions = Kinds(), vocabulary()
    fact_reader = FactReader(kinds, conditions, problems)
    rule_documents: list[Document] = []
    facts: list[Fact] = []
    for document in documents:
        if isinstance(document.data, dict) and "schema" in document.data:
            facts.extend(fact_reader.read(document))
        elif not _is_read_elsewhere(document.data):
            rule_documents.append(document)
    known = Known(kinds, conditions, checks, fact_reader.ids, {fact.id: fact.confidence for fact in facts})
    rule_reader = RuleReader(known, problems)
    rules = [rule for document in rule_documents if (rule := rule_reader.read(document)) is not None]
    if problems:
        raise RuleErrors(problems)
    return rules, facts


def _is_read_elsewhere(data: object) -> bool:
    """Whether a file holds a recipe, a risk rule or the decision matrix, which nobody needs for linting."""
    return isinstance(data, dict) and not {"recipe", "risk", "matrix"}.isdisjoint(data)


def _document(file: str, problems: list[RuleError]) -> Document | None:
    try:
        with open(file, encoding="utf-8-sig") as stream:
            return yaml_loader.load(stream.read(), file)
    except RuleError as error:
        problems.append(error)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(RuleError("the file is not UTF-8", file=file, line=line))
    except OSError as error:
        problems.append(RuleError(f"cannot be read: {error.strerror}", file=file))
    return None


class Known(NamedTuple):
    """What rules may name.

    Attributes:
        checks: check name -> reference.
        facts: ids, those of malformed facts included: a rule that cites one is not to blame.
        confidences: fact id -> confidence.
    """

    kinds: Kinds
    conditions: Mapping[str, Condition]
    checks: Mapping[str, str]
    facts: frozenset[str]
    confidences: Mapping[str, Confidence]


class RuleReader:
    """Reads rule files; problems are collected."""

    def __init__(self, known: Known, problems: list[RuleError]) -> None:
        self._known = known
        self._problems = problems
        self._places: dict[str, str] = {}

    def read(self, document: Document) -> Rule | None:
        """The rule in one file; None when something is wrong with it, which is then noted."""
        before = len(self._problems)
        reader = Reader(document, self._problems)
        good = reader.mapping((), document.data, RULE_FIELDS, "a rule")
        self._identity(reader, good)
        kinds = expand_kinds(reader, ("operations",), good.get("operations", ()), self._known.kinds)
        if "when" in good and kinds:
            types = {kind: self._known.kinds.types[kind] for kind in kinds}
            WhenVerifier(reader, self._known.conditions).verify(("when",), good["when"], types)
        self._references(reader, good)
        for name in ("message", "fix"):
            self._placeholders(reader, name, good.get(name, ""), kinds, good.get("values", ()))
        examples = self._examples(reader, good.pop("examples", {}))
        if len(self._problems) > before:
            return None
        return self._rule(document, good, kinds, examples)

    def _rule(
        self,
        document: Document,
        good: dict[str, Any],
        kinds: tuple[str, ...],
        examples: dict[str, tuple[Example, ...]],
    ) -> Rule:
        limits = [self._known.confidences.get(fact, "high") for fact in good.get("facts", ())]
        good["confidence"] = max((good.get("confidence", "high"), *limits), key=_CONFIDENCES.index)
        for name in ("hazards", "quiet_unless_known", "facts", "recipes", "values", "tags"):
            good[name] = tuple(good.get(name, ()))
        for name in ("title", "message", "why", "fix"):
            good[name] = good[name].strip()
        if "check" in good:
            good["check"] = self._known.checks[good["check"]]
        good.update(examples, operations=kinds, file=document.file, line=document.line(("id",)))
        return Rule(**good)

    def _identity(self, reader: Reader, good: dict[str, Any]) -> None:
        identifier = good.get("id")
        if identifier is None:
            return
        if not _ID.fullmatch(identifier):
            reader.problem(("id",), f"the id {identifier!r} is not kebab-case", "such as create-index-blocking")
        stem = os.path.splitext(os.path.basename(reader.document.file))[0]
        if stem != identifier:
            reader.problem(("id",), f"the id {identifier!r} is not the file's name {stem!r}", "rename the file")
        if identifier in self._places:
            reader.problem(("id",), f"the rule {identifier!r} is already in {self._places[identifier]}")
        self._places[identifier] = f"{reader.document.file}:{reader.document.line(('id',))}"

    def _references(self, reader: Reader, good: dict[str, Any]) -> None:
        for position, hazard in enumerate(good.get("hazards", ())):
            if not _HAZARD.fullmatch(hazard):
                reader.problem(("hazards", position), f"{hazard!r} is not a hazard id", "such as H001")
        for position, fact in enumerate(good.get("facts", ())):
            if fact not in self._known.facts:
                reader.unknown(("facts", position), "fact", fact, self._known.facts)
        for position, name in enumerate(good.get("quiet_unless_known", ())):
            if name not in self._known.conditions:
                reader.unknown(("quiet_unless_known", position), "condition", name, self._known.conditions)
        check = good.get("check")
        if check is not None and check not in self._known.checks:
            reader.unknown(("check",), "check", check, self._known.checks)

    def _placeholders(
        self, reader: Reader, field: str, template: str, kinds: tuple[str, ...], values: Iterable[str]
    ) -> None:
        known = {*known_placeholders(), *values}
        for name in used_placeholders(template):
            if not name:
                reader.problem((field,), f"a lone brace in {field!r}", "double it: {{ or }}")
            elif name not in known:
                for kind in kinds:
                    try:
                        shape_of(self._known.kinds.types[kind], name)
                    except NoFieldError as missing:
                        reader.unknown((field,), "placeholder", name, [*known, *missing.known])
                        break

    def _examples(self, reader: Reader, raw: Any) -> dict[str, tuple[Example, ...]]:
        fields = {"bad": Field(some, required=True), "good": Field(some, required=True)}
        good = reader.mapping(("examples",), raw, fields, "examples")
        return {
            name: tuple(
                example
                for position, each in enumerate(items)
                if (example := _example(reader, ("examples", name, position), each)) is not None
            )
            for name, items in good.items()
        }


def _example(reader: Reader, path: Path, raw: Any) -> Example | None:
    if isinstance(raw, str) and raw.strip():
        return Example(sql=raw)
    if not isinstance(raw, dict):
        reader.problem(path, "an example must be SQL text or a mapping", "quote it if it holds ': '")
        return None
    good = reader.mapping(path, raw, _EXAMPLE_FIELDS, "an example")
    if "sql" not in good:
        return None
    if "lines" in good:
        good["lines"] = tuple(good["lines"])
    return Example(**good)
