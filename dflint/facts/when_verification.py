"""Verifying a ``when`` mapping: every path leads somewhere, every expectation can come true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dflint.facts.condition import BOOL, NUMBER, TEXT, TEXTS, Condition
from dflint.facts.fields import Reader
from dflint.facts.operation_fields import NoFieldError, Shape, shape_of
from dflint.facts.when import COMBINING, OPERATORS
from dflint.facts.yaml_loader import Path
from dflint.model.operations.base import Operation

Types = Mapping[str, type[Operation]]


class WhenVerifier:
    """Verifies the ``when`` mappings of one document; problems go to its reader."""

    def __init__(self, reader: Reader, vocabulary: Mapping[str, Condition]) -> None:
        self._reader = reader
        self._vocabulary = vocabulary

    def verify(self, path: Path, when: Any, types: Types) -> None:
        """Verify one mapping for the kinds of operation in ``types``."""
        if not isinstance(when, dict) or not when:
            self._reader.problem(path, "a mapping of conditions is needed here")
            return
        types = _narrowed(when.get("kind"), types)
        for key, expected in when.items():
            here = (*path, key)
            if key in ("any", "none"):
                if not isinstance(expected, list) or not expected:
                    self._reader.problem(here, f"{key!r} must be a list of mappings")
                    continue
                for position, each in enumerate(expected):
                    self.verify((*here, position), each, types)
            elif key == "not":
                self.verify(here, expected, types)
            else:
                shape = self._shape(here, key, types)
                if shape is not None:
                    self._expectation(here, key, expected, shape)

    def _shape(self, path: Path, name: str, types: Types) -> Shape | None:
        condition = self._vocabulary.get(name)
        if condition is not None:
            return _condition_shape(condition)
        shape: Shape | None = None
        for kind, operation in types.items():
            try:
                found = shape_of(operation, name)
            except NoFieldError as missing:
                known = [*missing.known, *self._vocabulary, *COMBINING]
                what = f"field or condition in the path {name!r} (operation {kind}):" if "." in name else (
                    f"field of {kind} or condition"
                )  # fmt: skip
                wanted = name if name.partition(".")[0] in _subjects(self._vocabulary) else missing.name
                self._reader.unknown(path, what, wanted, known)
                return None
            shape = found if shape is None else _merged(shape, found)
        return shape

    def _expectation(self, path: Path, name: str, expected: Any, shape: Shape) -> None:
        if isinstance(expected, dict):
            self._operators(path, name, expected, shape)
        elif isinstance(expected, list):
            if not expected:
                self._reader.problem(path, "an empty list matches nothing", "for an empty list write {empty: true}")
            for position, each in enumerate(expected):
                self._literal((*path, position), name, each, shape)
        else:
            self._literal(path, name, expected, shape)

    def _operators(self, path: Path, name: str, expected: dict[str, Any], shape: Shape) -> None:
        for operator, operand in expected.items():
            here = (*path, operator)
            if operator not in OPERATORS:
                self._reader.unknown(here, "comparison", operator, OPERATORS)
            elif operator == "not":
                self._expectation(here, name, operand, shape)
            elif operator in ("contains", "empty"):
                if shape.kind not in ("list", "any"):
                    self._reader.problem(here, f"{name!r} is not a list")
                elif operator == "empty" and not isinstance(operand, bool):
                    self._reader.problem(here, "'empty' must be true or false")
                elif operator == "contains":
                    self._expectation(here, name, operand, Shape("words" if shape.words else "any", words=shape.words))
            elif shape.kind not in ("int", "any"):
                self._reader.problem(here, f"{name!r} is not a number")
            elif not isinstance(operand, int) or isinstance(operand, bool):
                self._reader.problem(here, f"{operator!r} must be a whole number")

    def _literal(self, path: Path, name: str, expected: Any, shape: Shape) -> None:
        if expected is None:
            if not shape.optional and shape.kind not in ("any", "list"):
                self._reader.problem(path, f"{name!r} is never null")
            return
        if shape.kind == "words" and isinstance(expected, str):
            if expected not in shape.words:
                self._reader.unknown(path, f"value of {name!r}:", expected, shape.words)
            return
        wanted = {
            "bool": ("true or false", bool),
            "int": ("a whole number", int),
            "text": ("text", str),
            "name": ("text", str),
            "words": ("one of " + ", ".join(shape.words), str),
        }.get(shape.kind)
        if shape.kind == "list":
            self._reader.problem(path, f"{name!r} is a list", "write {contains: …} or {empty: true}")
        elif shape.kind == "struct":
            self._reader.problem(path, f"{name!r} has parts", "compare one of them, or write null or {not: null}")
        elif wanted and (not isinstance(expected, wanted[1]) or (shape.kind == "int" and isinstance(expected, bool))):
            self._reader.problem(path, f"{name!r} is {wanted[0]}, never {expected!r}")


def _narrowed(kinds: Any, types: Types) -> Types:
    """The types that a ``kind:`` in the same mapping leaves over."""
    wanted = kinds if isinstance(kinds, list) else [kinds]
    narrowed = {kind: types[kind] for kind in wanted if isinstance(kind, str) and kind in types}
    return narrowed or types


def _condition_shape(condition: Condition) -> Shape:
    plain: dict[tuple[str, ...], Shape] = {
        BOOL: Shape("bool"),
        NUMBER: Shape("int"),
        TEXT: Shape("text"),
        TEXTS: Shape("list"),
    }
    shape = plain.get(condition.values, Shape("words", words=condition.values))
    return shape._replace(optional=condition.null)


def _merged(one: Shape, other: Shape) -> Shape:
    if one.kind != other.kind:
        return Shape("any", one.optional or other.optional)
    words = (*one.words, *(word for word in other.words if word not in one.words))
    return one._replace(optional=one.optional or other.optional, words=words)


def _subjects(vocabulary: Mapping[str, Condition]) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in vocabulary)
