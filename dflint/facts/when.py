"""``when``: conditions over an operation's fields and circumstances, in three-valued (Kleene) logic.

A mapping is verified once, when its file is loaded, and compiled to `When` on first use: to the source of one Python
expression, for rules ask it of every operation of their kinds. True and False are final: learning more never changes
them. None is "unknown", and `When.unknown` says for want of which conditions.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import count
from types import CodeType, FunctionType
from typing import Any

from dflint.facts.condition import Condition
from dflint.facts.paths import reader
from dflint.model.catalog import UNKNOWN
from dflint.model.context import Context
from dflint.model.names import Name

Holds = Callable[[Context], bool | None]
#: Where local variables of an expression get their numbers.
Numbers = Iterator[int]

#: Keys that combine mappings instead of naming a path.
COMBINING = ("any", "not", "none")
#: Keys of an expectation that is a mapping.
OPERATORS = ("not", "at_least", "at_most", "above", "below", "contains", "empty")


class When:
    """A compiled ``when``."""

    def __init__(self, when: Mapping[str, Any], vocabulary: Mapping[str, Condition], code: bytes = b"") -> None:
        """Prepare a verified mapping.

        Args:
            when: as in the rule or fact.
            vocabulary: the named conditions.
            code: what `code_of` gave for the same mapping; without it, it is made anew.
        """
        self._when = when
        self._vocabulary = vocabulary
        self._code = code

    @cached_property
    def holds(self) -> Holds:
        """The answer for a context: True, False, or None for unknown."""
        code: CodeType = marshal.loads(self._code) if self._code else _compiled(self._tree.source)  # noqa: S302  # our own
        return FunctionType(code, _scope(self._vocabulary))

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The named conditions it may ask, each once."""
        return tuple(dict.fromkeys(self._tree.conditions()))

    def unknown(self, context: Context) -> tuple[Condition, ...]:
        """The conditions for want of which the answer is unknown; empty when it is known."""
        if self.holds(context) is not None:
            return ()
        return tuple(dict.fromkeys(self._tree.unknown(context, _scope(self._vocabulary))))

    @cached_property
    def _tree(self) -> _Part:
        return _compile(self._when, self._vocabulary, count(1))


def compile_when(when: Mapping[str, Any], vocabulary: Mapping[str, Condition], code: bytes = b"") -> When:
    """Compile a verified mapping, as the constructor of `When` does."""
    return When(when, vocabulary, code)


def code_of(when: Mapping[str, Any], vocabulary: Mapping[str, Condition]) -> bytes:
    """What can be kept of a compiled mapping, for this version of Python."""
    return marshal.dumps(_compiled(_compile(when, vocabulary, count(1)).source))


def _compiled(source: str) -> CodeType:
    # Of a rule's text there are only literals in it, made by repr().
    text = f"def holds(context):\n operation = context.operation; answers = context.answers\n return {source}"
    module = compile(text, "<when>", "exec")
    return next(each for each in module.co_consts if isinstance(each, CodeType))


def _scope(vocabulary: Mapping[str, Condition]) -> dict[str, Any]:
    """What the compiled expressions refer to by name."""

    def ask(name: str, context: Context) -> object:
        value = context.answers[name] = vocabulary[name].answer(context)
        return value

    return {"UNKNOWN": UNKNOWN, "Name": Name, "ask": ask, "read": _Readers(), "member": _member}


class _Readers(dict[str, Callable[[Any], Any]]):
    """Readers of fields by path, made when first asked for."""

    def __missing__(self, path: str) -> Callable[[Any], Any]:
        self[path] = made = reader(path)
        return made


class _Part:
    """A part of the tree of a mapping.

    Attributes:
        source: an expression of the answer: True, False, or None for unknown.
        sure: the answer is never unknown.
        condition: the named condition that it asks for.
    """

    __slots__ = ("_holds", "condition", "parts", "source", "sure")

    def __init__(
        self, source: str, parts: tuple[_Part, ...] = (), *, sure: bool = False, condition: Condition | None = None
    ) -> None:
        self.source = source
        self.parts = parts
        self.sure = sure
        self.condition = condition
        self._holds: Holds | None = None

    def answer(self, context: Context, scope: dict[str, Any]) -> bool | None:
        """The answer of this part alone."""
        if self._holds is None:
            self._holds = FunctionType(_compiled(self.source), scope)
        found: bool | None = self._holds(context)
        return found

    def conditions(self) -> Iterator[Condition]:
        """The named conditions that it may ask."""
        if self.condition is not None:
            yield self.condition
        for part in self.parts:
            yield from part.conditions()

    def unknown(self, context: Context, scope: dict[str, Any]) -> Iterator[Condition]:
        """The conditions for want of which its answer, which is unknown, is so."""
        if self.condition is not None:
            yield self.condition
        for part in self.parts:
            if part.condition is not None:
                unknown = context.answers.get(part.condition.name, UNKNOWN) is UNKNOWN
            else:
                unknown = not part.sure and part.answer(context, scope) is None
            if unknown:
                yield from part.unknown(context, scope)


def _compile(when: Mapping[str, Any], vocabulary: Mapping[str, Condition], numbers: Numbers) -> _Part:
    """Cheap tests run first, whatever their order."""
    return _every(tuple(_part(path, when[path], vocabulary, numbers) for path in sorted(when, key=_cost)), numbers)


def _part(path: str, expected: Any, vocabulary: Mapping[str, Condition], numbers: Numbers) -> _Part:
    if path == "any":
        return _some(tuple(_compile(each, vocabulary, numbers) for each in expected), numbers)
    if path == "none":
        return _negated(_some(tuple(_compile(each, vocabulary, numbers) for each in expected), numbers), numbers)
    if path == "not":
        return _negated(_compile(expected, vocabulary, numbers), numbers)
    condition = vocabulary.get(path)
    return _field(path, expected, numbers) if condition is None else _named(condition, expected, numbers)


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


# --- parts ----------------------------------------------------------------------------------------------------------


def _field(path: str, expected: Any, numbers: Numbers) -> _Part:
    value = f"read[{path!r}](operation)" if "." in path else f"operation.{path}"
    return _Part(_test(value, expected, numbers), sure=True)


def _named(condition: Condition, expected: Any, numbers: Numbers) -> _Part:
    name, found = condition.name, _variable(numbers)
    value = f"answers[{name!r}] if {name!r} in answers else ask({name!r}, context)"
    return _Part(
        f"(None if ({found} := {value}) is UNKNOWN else {_test(found, expected, numbers)})", condition=condition
    )


def _every(parts: tuple[_Part, ...], numbers: Numbers) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _combined(parts, numbers, "and", "False", "True")


def _some(parts: tuple[_Part, ...], numbers: Numbers) -> _Part:
    return _combined(parts, numbers, "or", "True", "False")


def _combined(parts: tuple[_Part, ...], numbers: Numbers, operator: str, final: str, otherwise: str) -> _Part:
    """The parts joined by ``and`` or ``or``: one ``final`` answer decides, else an unknown one does."""
    sure = all(part.sure for part in parts)
    if sure or all(part.sure for part in parts[:-1]):
        # Python's own operators do, for they give the last answer as it is.
        return _Part(f"({f' {operator} '.join(part.source for part in parts)})", parts, sure=sure)
    tests, unknown = [], []
    for part in parts:
        if part.sure:
            tests.append(f"{part.source} is {final}")
        else:
            found = _variable(numbers)
            tests.append(f"({found} := {part.source}) is {final}")
            unknown.append(f"{found} is None")
    source = f"({final} if {' or '.join(tests)} else None if {' or '.join(unknown)} else {otherwise})"
    return _Part(source, parts)


def _negated(part: _Part, numbers: Numbers) -> _Part:
    if part.sure:
        return _Part(f"(not {part.source})", (part,), sure=True)
    found = _variable(numbers)
    return _Part(f"(None if ({found} := {part.source}) is None else not {found})", (part,))


# --- expectations ---------------------------------------------------------------------------------------------------


def _test(value: str, expected: Any, numbers: Numbers) -> str:
    """An expression, True or False: whether the value of another one is as expected."""
    if isinstance(expected, dict):
        found = _variable(numbers)
        first, *others = expected.items()
        tests = [_operator(f"({found} := {value})", *first, numbers)]
        tests.extend(_operator(found, *other, numbers) for other in others)
        return f"({' and '.join(tests)})"
    if expected is None or isinstance(expected, bool):
        return f"({value} is {expected})"
    found = _variable(numbers)
    if isinstance(expected, list):
        if all(isinstance(each, str) for each in expected):
            words = ", ".join(map(repr, expected))
            return f"((str({found}) if type({found} := {value}) is Name else {found}) in {{{words}}})"
        first, *others = expected
        tests = [_test(f"({found} := {value})", first, numbers), *(_test(found, each, numbers) for each in others)]
        return f"({' or '.join(tests)})"
    if isinstance(expected, str):
        return f"(({found} := {value}) == {expected!r} or type({found}) is Name and str({found}) == {expected!r})"
    return f"(({found} := {value}) == {expected!r} and {found} is not True and {found} is not False)"


_COMPARISONS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}


def _operator(value: str, name: str, operand: Any, numbers: Numbers) -> str:
    if name == "not":
        return f"(not {_test(value, operand, numbers)})"
    if name == "empty":
        return f"(bool({value}) is not {operand!r})"
    found = _variable(numbers)
    if name == "contains":
        member = _variable(numbers)
        test = _test(member, operand, numbers)
        return f"(bool({found} := {value}) and True in [{test} for {member} in map(member, {found})])"
    # null compares with nothing: a timeout that nobody set is neither long nor short.
    return f"(({found} := {value}) is not None and {found} {_COMPARISONS[name]} {operand!r})"


def _variable(numbers: Numbers) -> str:
    return f"v{next(numbers)}"


def _member(member: Any) -> Any:
    """What a member of a list is compared by: an option, which is a pair, by its name."""
    return member[0] if type(member) is tuple and member else member
