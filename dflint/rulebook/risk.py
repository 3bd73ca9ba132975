"""Risk rules and the decision matrix: YAML files below ``rules/``, verified when they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dflint.facts.fact_reader import expand_kinds
from dflint.facts.fields import Field, Reader, integer, mapping, one_of, some, text, texts
from dflint.facts.kinds import Kinds
from dflint.facts.vocabulary import vocabulary
from dflint.facts.when import compile_when
from dflint.facts.when_verification import WhenVerifier
from dflint.model.context import Context
from dflint.model.errors import RuleError, RuleErrors
from dflint.model.risk import MatrixRow, RiskCategory, RiskLevel, RiskRule, Scale
from dflint.rulebook.documents import documents

_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]*)\}")
_QUANTITIES: Final = ("seconds", "rows", "bytes", "count", "calls", "uses")
_LEVELS: Final = tuple(level.name for level in RiskLevel)

_RULE_FIELDS: Final[Mapping[str, Field]] = {
    "risk": Field(text, required=True),
    "title": Field(text, required=True),
    "category": Field(one_of(*(each.value for each in RiskCategory)), required=True),
    "harm": Field(text),
    "check": Field(text),
    "points": Field(integer, required=True),
    "scale": Field(mapping),
    "at_most": Field(integer),
    "message": Field(text, required=True),
    "why": Field(text, required=True),
}


def _number(value: Any) -> str | None:
    """A number above zero; the strict YAML reads fractions as text."""
    try:
        good = not isinstance(value, bool) and float(value) > 0
    except (TypeError, ValueError):
        good = False
    return None if good else "a number above zero"


_SCALE_FIELDS: Final[Mapping[str, Field]] = {
    "of": Field(one_of(*_QUANTITIES), required=True),
    "above": Field(_number, required=True),
    "points": Field(_number, required=True),
    "assumed": Field(_number, required=True),
}
_MATRIX_FIELDS: Final[Mapping[str, Field]] = {"matrix": Field(some, required=True)}
_ROW_FIELDS: Final[Mapping[str, Field]] = {
    "row": Field(text, required=True),
    "title": Field(text, required=True),
    "operations": Field(texts, required=True),
    "when": Field(mapping),
    "level": Field(one_of(*_LEVELS), required=True),
    "safety_level": Field(integer, required=True),
    "checks": Field(texts, required=True),
}


class RiskBook(NamedTuple):
    """What risk is judged by.

    Attributes:
        rules: sorted by id.
        rows: of the decision matrix, in its order.
    """

    rules: tuple[RiskRule, ...]
    rows: tuple[MatrixRow, ...]

    def matching(self, contexts: Iterable[Context]) -> tuple[MatrixRow, ...]:
        """The rows that fit one of the operations at least; what cannot be told fits."""
        listed, conditions = list(contexts), vocabulary()
        found = []
        for row in self.rows:
            holds = None if row.when is None else compile_when(row.when, conditions).holds
            mine = [context for context in listed if context.operation.kind in row.operations]
            if any(holds is None or holds(context) is not False for context in mine):
                found.append(row)
        return tuple(found)


def load_risk(
    paths: Sequence[str] = (),
    *,
    harms: Collection[str],
    tools: Collection[str],
    checks: Mapping[str, str] | None = None,
) -> RiskBook:
    """The built-in risk rules and matrix, and those of ``paths``; a later matrix replaces the one before it.

    Args:
        paths: further directories or files.
        harms: kinds of harm that rules may score.
        tools: checks that rows of the matrix may require.
        checks: name -> reference of Python functions that find harm, as plugins offer them.

    Raises:
        RuleErrors: everything that is wrong, each with file and line.
    """
    problems: list[RuleError] = []
    rules: dict[str, RiskRule] = {}
    rows: tuple[MatrixRow, ...] = ()
    for document in documents(paths, ("risk", "matrix"), problems):
        reader = Reader(document, problems)
        if "risk" in document.data:
            rule = _rule(reader, harms, checks or {})
            if rule is not None:
                if rule.id in rules:
                    reader.problem(("risk",), f"the risk rule {rule.id!r} is already in {rules[rule.id].file}")
                rules[rule.id] = rule
        else:
            rows = _rows(reader, tools)
    if problems:
        raise RuleErrors(problems)
    return RiskBook(tuple(rules[each] for each in sorted(rules)), rows)


def _rule(reader: Reader, harms: Collection[str], checks: Mapping[str, str]) -> RiskRule | None:
    before, document = len(reader.problems), reader.document
    good = reader.mapping((), document.data, _RULE_FIELDS, "a risk rule")
    scale = reader.mapping(("scale",), good["scale"], _SCALE_FIELDS, "a scale") if "scale" in good else None
    identifier = good.get("risk", "")
    stem = os.path.splitext(os.path.basename(document.file))[0]
    if identifier and not _ID.fullmatch(identifier):
        reader.problem(("risk",), f"the id {identifier!r} is not kebab-case", "such as table-rewritten")
    elif identifier and identifier != stem:
        reader.problem(("risk",), f"the id {identifier!r} is not the file's name {stem!r}", "rename the file")
    if ("harm" in good) == ("check" in good):
        reader.problem((), "a risk rule has either a harm or a check", "write harm: and one of the kinds of harm")
    if good.get("harm") is not None and good["harm"] not in harms:
        reader.unknown(("harm",), "kind of harm", good["harm"], harms)
    if good.get("check") is not None and good["check"] not in checks:
        reader.unknown(("check",), "check", good["check"], checks)
    for name in _PLACEHOLDER.findall(good.get("message", "")):
        if name not in (*_QUANTITIES, "objects"):
            reader.unknown(("message",), "placeholder", name, (*_QUANTITIES, "objects"))
    for name in ("points", "at_most"):
        if not 0 <= good.get(name, 0) <= 100:
            reader.problem((name,), f"{name!r} must be from 0 to 100")
    if len(reader.problems) > before:
        return None
    return RiskRule(
        id=identifier,
        title=good["title"].strip(),
        category=RiskCategory(good["category"]),
        message=good["message"].strip(),
        why=good["why"].strip(),
        points=good["points"],
        at_most=good.get("at_most", 100),
        harm=good.get("harm", ""),
        check=checks[good["check"]] if "check" in good else "",
        scale=None if scale is None else _scale(scale),
        file=document.file,
        line=document.line(("risk",)),
    )


def _scale(good: Mapping[str, Any]) -> Scale:
    return Scale(
        of=good["of"], above=float(good["above"]), points=float(good["points"]), assumed=float(good["assumed"])
    )


def _rows(reader: Reader, tools: Collection[str]) -> tuple[MatrixRow, ...]:
    kinds, conditions = Kinds(), vocabulary()
    found: list[MatrixRow] = []
    whole = reader.mapping((), reader.document.data, _MATRIX_FIELDS, "the matrix")
    for position, each in enumerate(whole.get("matrix", ())):
        path: tuple[str | int, ...] = ("matrix", position)
        before = len(reader.problems)
        good = reader.mapping(path, each, _ROW_FIELDS, "a row of the matrix")
        operations = expand_kinds(reader, (*path, "operations"), good.get("operations", ()), kinds)
        if "when" in good and operations:
            types = {kind: kinds.types[kind] for kind in operations}
            WhenVerifier(reader, conditions).verify((*path, "when"), good["when"], types)
        if good.get("safety_level", 1) not in (1, 2, 3):
            reader.problem((*path, "safety_level"), "a safety level is 1, 2 or 3")
        for number, tool in enumerate(good.get("checks", ())):
            if tool not in tools:
                reader.unknown((*path, "checks", number), "check", tool, tools)
        if len(reader.problems) == before:
            found.append(
                MatrixRow(
                    id=good["row"],
                    title=good["title"],
                    operations=operations,
                    level=RiskLevel[good["level"]],
                    safety_level=good["safety_level"],
                    checks=tuple(good["checks"]),
                    when=good.get("when"),
                    file=reader.document.file,
                )
            )
    return tuple(found)
