"""Paths to fields of operations, verified against the types."""

from __future__ import annotations

import types
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from dflint.model.names import Name
from dflint.model.operations.base import Operation


class Shape(NamedTuple):
    """What kind of value a path leads to.

    Attributes:
        kind: bool, int, text, words, name, list, struct or any.
        optional: None is possible.
        words: the words a text may be, empty for any.
        type: of a struct; of the members of a list.
    """

    kind: Literal["bool", "int", "text", "words", "name", "list", "struct", "any"]
    optional: bool = False
    words: tuple[str, ...] = ()
    type: Any = None


class NoFieldError(Exception):
    """A path names a field that does not exist; ``name`` of ``known``."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


def shape_of(operation: type[Operation], path: str) -> Shape:
    """What ``path`` leads to on that type of operation.

    Raises:
        NoFieldError: it leads nowhere.
    """
    hint: Any = operation
    optional = in_list = False
    shape = Shape("struct", type=operation)
    for step in path.split("."):
        hints = _fields(hint)
        if step not in hints:
            raise NoFieldError(step, list(hints))
        shape = _shape(hints[step])
        optional = optional or shape.optional
        if shape.kind == "list":
            in_list = True
        hint = shape.type
    if in_list:
        member = _shape(shape.type) if shape.kind == "list" else shape
        return Shape("list", optional, member.words, member.type)
    return shape._replace(optional=optional)


def _fields(owner: Any) -> dict[str, Any]:
    if owner is Name:
        fields: tuple[str, ...] = Name._fields
    elif isinstance(owner, type) and issubclass(owner, Struct):
        fields = owner.__struct_fields__
    else:
        return {}
    hints = get_type_hints(owner)
    found = {name: hints[name] for name in fields}
    if isinstance(owner, type) and issubclass(owner, Operation):
        found["kind"] = found["target_kind"] = str
    return found


def _shape(hint: Any) -> Shape:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        members = [member for member in arguments if member is not type(None)]
        optional = len(members) < len(arguments)
        if len(members) == 1:
            return _shape(members[0])._replace(optional=optional)
        return Shape("any", optional)
    if origin is Literal:
        return Shape("words", words=tuple(str(word) for word in arguments))
    if origin in (tuple, frozenset):
        return Shape("list", type=arguments[0] if len(arguments) == 1 or arguments[-1] is Ellipsis else None)
    plain: dict[Any, Shape] = {bool: Shape("bool"), int: Shape("int"), str: Shape("text")}
    if hint in plain:
        return plain[hint]
    if hint is Name:
        return Shape("name", type=Name)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return Shape("struct", type=hint)
    return Shape("any")
