"""The statistics file of a snapshot: what the server estimates, an object a line.

It stands beside the schema file, because numbers of rows change while the schema does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from dflint.catalog.identities import printed
from dflint.catalog.layout import ObjectMap, layout
from dflint.catalog.snapshot_error import AGAIN, StatisticsError

FORMAT = "dflint-snapshot-statistics"
SCHEMA_VERSION = 1


@cache
def estimate_fields(kind: Any) -> tuple[str, ...]:
    """The fields of an object class that are estimates."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if _is_estimate(field.type))


def _is_estimate(hint: Any) -> bool:
    return any(isinstance(each, msgspec.Meta) and (each.extra or {}).get("estimate") for each in get_args(hint)[1:])


def without_estimates(thing: Any) -> Any:
    """The object without its estimates."""
    kind: Any = type(thing)
    fields = estimate_fields(kind)
    return replace(thing, **dict.fromkeys(fields)) if fields else thing


def dump_statistics(groups: Mapping[type[Struct], Sequence[tuple[str, Any]]], root: str) -> bytes:
    """Write what is estimated.

    Args:
        groups: printed identity and object, by the objects' class.
        root: the hash of the schema file that it belongs to.
    """
    line_type, lines = _line_type(), list[Any]()
    for kind, pairs in groups.items():
        fields = estimate_fields(kind)
        for identity, thing in pairs if fields else ():
            known = {name: value for name in fields if (value := getattr(thing, name)) is not None}
            if known:
                lines.append(line_type(identity, **known))
    lines.sort(key=attrgetter("id"))
    start = msgspec.json.encode({"format": FORMAT, "schema_version": SCHEMA_VERSION, "schema": root})
    texts = msgspec.json.Encoder().encode_lines(lines).split(b"\n")[:-1]
    body = b",".join([b"\n" + text for text in texts])
    return b'%b,"objects":[%b\n]}\n' % (start[:-1], body)


def set_statistics(stats: bytes, things: Iterable[Any]) -> None:
    """Give objects that were just read, and that nobody else has seen, their estimates.

    Statistics of objects that are not among them are left out: the two files may be of different days.

    Raises:
        StatisticsError: it is no such file, or has another version.
    """
    found = {line.id: line for line in _read(stats).objects}
    classes = {each: estimate_fields(each) for family in _estimated() for each in family.classes}
    for thing in things:
        fields = classes.get(type(thing))
        if fields:
            line = found.get(printed(thing))
            if line is not None:
                for field in fields:
                    force_setattr(thing, field, getattr(line, field))


def belongs_to(stats: bytes) -> str:
    """The hash of the schema file that a statistics file was written with.

    Raises:
        StatisticsError: it is no such file, or has another version.
    """
    root: str = _read(stats).schema
    return root


def _read(stats: bytes) -> Any:
    try:
        document: Any = msgspec.json.decode(stats, type=document_type())
    except msgspec.MsgspecError as error:
        raise StatisticsError(f"these are no statistics of a snapshot: {error}", remedy=AGAIN) from error
    if document.format != FORMAT or document.schema_version != SCHEMA_VERSION:
        told = f"{document.format!r}, schema_version {document.schema_version}"
        raise StatisticsError(f"these are no statistics that this dflint knows but {told}", line=1, remedy=AGAIN)
    return document


@cache
def _estimated() -> tuple[ObjectMap, ...]:
    """The maps with objects that have estimates."""
    families = [family for family in layout().families if isinstance(family, ObjectMap)]
    return tuple(family for family in families if any(map(estimate_fields, family.classes)))


@cache
def _line_type() -> type[Struct]:
    names = sorted({field for family in _estimated() for kind in family.classes for field in estimate_fields(kind)})
    fields: Any = [("id", str), *((name, int | None, None) for name in names)]
    return msgspec.defstruct("Statistics", fields, frozen=True, omit_defaults=True)


@cache
def document_type() -> type[Struct]:
    """The type of the whole file."""
    fields: Any = [("format", str), ("schema_version", int), ("schema", str), ("objects", list[_line_type()])]  # type: ignore[misc]  # made of values
    return msgspec.defstruct("SnapshotStatistics", fields)
