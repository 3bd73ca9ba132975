"""``when``: conditions over an operation's fields and circumstances, in three-valued (Kleene) logic.

A mapping is verified once, when its file is loaded, and compiled to `When` on first use. True and False are final:
learning more never changes them. None is "unknown", and `When.unknown` says for want of which conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dflint.facts.condition import Condition
from dflint.facts.paths import reader
from dflint.model.catalog import UNKNOWN
from dflint.model.context import Context
from dflint.model.names import Name

Holds = Callable[[Context], bool | None]
Matches = Callable[[Any], bool]

#: Keys that combine mappings instead of naming a path.
COMBINING = ("any", "not", "none")
#: Keys of an expectation that is a mapping.
OPERATORS = ("not", "at_least", "at_most", "above", "below", "contains", "empty")


class When:
    """A compiled ``when``.

    Attributes:
        holds: the answer for a context: True, False, or None for unknown.
        conditions: all named conditions it may ask.
    """

    __slots__ = ("_parts", "condition", "holds")

    def __init__(self, holds: Holds, parts: tuple[When, ...] = (), condition: Condition | None = None) -> None:
        self.holds = holds
        self._parts = parts
        self.condition = condition

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The named conditions it may ask, each once."""
        own = () if self.condition is None else (self.condition,)
        return tuple(dict.fromkeys([*own, *(each for part in self._parts for each in part.conditions)]))

    def unknown(self, context: Context) -> tuple[Condition, ...]:
        """The conditions for want of which the answer is unknown; empty when it is known."""
        if self.holds(context) is not None:
            return ()
        if self.condition is not None:
            return (self.condition,)
        return tuple(dict.fromkeys(each for part in self._parts for each in part.unknown(context)))


def compile_when(when: Mapping[str, Any], vocabulary: Mapping[str, Condition]) -> When:
    """Compile a verified mapping. Cheap tests run first, whatever their order."""
    return _every(tuple(_part(path, when[path], vocabulary) for path in sorted(when, key=_cost)))


def _part(path: str, expected: Any, vocabulary: Mapping[str, Condition]) -> When:
    if path == "any":
        return _some(tuple(compile_when(each, vocabulary) for each in expected))
    if path == "none":
        return _negated(_some(tuple(compile_when(each, vocabulary) for each in expected)))
    if path == "not":
        return _negated(compile_when(expected, vocabulary))
    matches = _matcher(expected)
    condition = vocabulary.get(path)
    return _field(path, matches) if condition is None else _named(condition, matches)


def _cost(path: str) -> int:
    """Fields before circumstances before what has to be worked out; `kind` first, for it guards the other fields."""
    if path == "kind":
        return 0
    subject = path.partition(".")[0]
    if subject in ("transaction", "setting", "version"):
        return 2
    if path in COMBINING or subject in ("target", "table"):
        return 3
    return 4 if subject in ("effect", "lock") else 1


# --- nodes ----------------------------------------------------------------------------------------------------------


def _field(path: str, matches: Matches) -> When:
    read = reader(path)
    return When(lambda context: matches(read(context.operation)))


def _named(condition: Condition, matches: Matches) -> When:
    name, answer = condition.name, condition.answer

    def holds(context: Context) -> bool | None:
        answers = context.answers
        if name in answers:
            value = answers[name]
        else:
            value = answers[name] = answer(context)
        return None if value is UNKNOWN else matches(value)

    return When(holds, condition=condition)


def _every(parts: tuple[When, ...]) -> When:
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(context: Context) -> bool | None:
        answer: bool | None = True
        for test in tests:
            found = test(context)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer

    return When(holds, parts)


def _some(parts: tuple[When, ...]) -> When:
    tests = tuple(part.holds for part in parts)

    def holds(context: Context) -> bool | None:
        answer: bool | None = False
        for test in tests:
            found = test(context)
            if found is True:
                return True
            if found is None:
                answer = None
        return answer

    return When(holds, parts)


def _negated(part: When) -> When:
    test = part.holds

    def holds(context: Context) -> bool | None:
        found = test(context)
        return None if found is None else not found

    return When(holds, (part,))


def _member(member: Any) -> Any:
    """What a member of a list is compared by: an option, which is a pair, by its name."""
    return member[0] if type(member) is tuple and member else member


# --- expectations ---------------------------------------------------------------------------------------------------


def _matcher(expected: Any) -> Matches:
    if isinstance(expected, dict):
        return _operators(expected)
    if isinstance(expected, list):
        choices = [_matcher(each) for each in expected]
        if all(isinstance(each, str) for each in expected):
            words = frozenset(expected)
            return lambda value: (str(value) if type(value) is Name else value) in words
        return lambda value: any(matches(value) for matches in choices)
    if expected is None or isinstance(expected, bool):
        return lambda value: value is expected
    if isinstance(expected, str):
        return lambda value: value == expected or (type(value) is Name and str(value) == expected)
    return lambda value: value == expected and value is not True and value is not False


def _operators(expected: Mapping[str, Any]) -> Matches:
    tests = tuple(_operator(name, operand) for name, operand in expected.items())
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _operator(name: str, operand: Any) -> Matches:
    if name == "not":
        matches = _matcher(operand)
        return lambda value: not matches(value)
    if name == "contains":
        matches = _matcher(operand)
        return lambda value: value is not None and any(matches(_member(member)) for member in value)
    if name == "empty":
        return lambda value: bool(value) is not operand
    comparisons: dict[str, Callable[[Any], bool]] = {
        "at_least": lambda value: value >= operand,
        "at_most": lambda value: value <= operand,
        "above": lambda value: value > operand,
        "below": lambda value: value < operand,
    }
    compare = comparisons[name]
    # null compares with nothing: a timeout that nobody set is neither long nor short.
    return lambda value: value is not None and compare(value)
