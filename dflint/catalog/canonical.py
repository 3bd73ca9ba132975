"""One text for equal objects.

The encoder leaves a field out when its value *is* the default, the very object; a text that a server sent is another
one than the equal text of the model. Where the encoder wrote such a default, objects are encoded once more with the
defaults put in place, so that equal catalogs give equal files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dflint.catalog.snapshot_error import SnapshotError

_ENCODER = msgspec.json.Encoder()


def encode_all(kind: type[Struct], identities: Sequence[str], things: Sequence[Struct]) -> list[bytes]:
    """The JSON of objects of one class, the same for equal ones.

    Args:
        kind: the class.
        identities: what the objects are called in errors.

    Raises:
        SnapshotError: one is nested too deeply, or a text in it cannot be written as UTF-8.
    """
    try:
        together = _ENCODER.encode_lines(things)
    except (RecursionError, UnicodeEncodeError):
        return [_encode(kind, identity, thing) for identity, thing in zip(identities, things, strict=True)]
    if any(trace in together for trace in _traces(kind)):
        return [_encode(kind, identity, thing) for identity, thing in zip(identities, things, strict=True)]
    # A line end in a text is written as \\n: each object is one line.
    return together.split(b"\n")[:-1]


def _encode(kind: type[Struct], identity: str, thing: Struct) -> bytes:
    try:
        text = _ENCODER.encode(thing)
        if any(trace in text for trace in _traces(kind)):
            return _ENCODER.encode(_canonical(thing))
        return text
    except RecursionError:
        raise SnapshotError(f"{identity} cannot be written: it has an expression that is nested too deeply") from None
    except UnicodeEncodeError as error:
        raise SnapshotError(f"{identity} cannot be written: {error.reason}") from error


@cache
def _traces(kind: Any) -> tuple[bytes, ...]:
    """What the text has where a default of the class, or of what it is made of, was written."""
    return tuple({_trace(field) for each in _made_of(kind, set()) for field in _ambiguous(each)})


def _trace(field: msgspec.structs.FieldInfo) -> bytes:
    return _ENCODER.encode({field.encode_name: field.default})[1:-1]


@cache
def _ambiguous(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields whose default may be equal to another object."""
    return tuple(
        field
        for field in msgspec.structs.fields(kind)
        if field.default is not msgspec.NODEFAULT and field.default and not isinstance(field.default, (bool, int))
    )


def _made_of(hint: Any, seen: set[Any]) -> Iterator[Any]:
    """The classes of structs that values of a type may hold, itself included."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        if hint not in seen:
            seen.add(hint)
            yield hint
            for field in msgspec.structs.fields(hint):
                yield from _made_of(field.type, seen)
    elif get_origin(hint) in (Union, UnionType, tuple):
        for member in get_args(hint):
            yield from _made_of(member, seen)


def _canonical(value: Any) -> Any:
    """The value with every default in place; itself when there is nothing to do."""
    if type(value) is tuple:
        members = tuple([_canonical(member) for member in value])
        return members if any(one is not other for one, other in zip(members, value, strict=True)) else value
    if not isinstance(value, Struct):
        return value
    changes = {}
    for name in value.__struct_fields__:
        old = getattr(value, name)
        new = _canonical(old)
        if new is not old:
            changes[name] = new
    for field in _ambiguous(type(value)):
        if changes.get(field.name, getattr(value, field.name)) == field.default:
            changes[field.name] = field.default
    return replace(value, **changes) if changes else value
