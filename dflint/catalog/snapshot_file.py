"""A catalog as two files: the schema, to be kept under version control, and its statistics beside it.

The schema file is one JSON document, one object a line, sorted by identity, without anything that changes while the
schema does not, so that a diff of two of them reads as what changed. The header has a hash of everything, and each line
ends with a checksum of its own: what was changed by hand, or badly merged, is found and named.
"""

from __future__ import annotations

import re

# The short import: hashlib would load OpenSSL.
from _blake2 import blake2b
from binascii import crc32
from collections.abc import Iterator
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
from immutables import Map
from msgspec import Struct

from dflint.catalog.canonical import encode_all
from dflint.catalog.layout import DetailMaps, layout
from dflint.catalog.snapshot_error import AGAIN, SnapshotError
from dflint.catalog.statistics_file import dump_statistics, set_statistics, without_estimates
from dflint.model.catalog import Catalog
from dflint.model.dependencies import with_reverse_maps
from dflint.model.garbage import no_garbage_collection

FORMAT = "dflint-snapshot"
SCHEMA_VERSION = 1

_HEADER_END = re.compile(rb',"hash":"([0-9a-f]*)","objects":\[\r?\n\Z')
_LINE_END = re.compile(rb',"hash":"([0-9a-f]*)"\}\Z')
_END = b"\n]}\n"
_ENCODER = msgspec.json.Encoder()


# --- writing ----------------------------------------------------------------------------------------------------------


def dump(catalog: Catalog) -> tuple[bytes, bytes]:
    """Write a catalog.

    Returns:
        The content of the schema file and that of the statistics file. The same catalog gives the same bytes, in
        whatever order its objects were found.

    Raises:
        SnapshotError: an object cannot be written, for an expression in it is nested too deeply.
    """
    with no_garbage_collection(keeping=True):
        # What is said of one identity stands together, the object first.
        families = sorted(layout().families, key=lambda family: not family.says_what_exists)
        groups: dict[type[Struct], list[tuple[str, Any]]] = {}
        for family in families:
            for pair in family.items(catalog):
                groups.setdefault(type(pair[1]), []).append(pair)
        lines = [line for kind, pairs in groups.items() for line in _lines(kind, pairs)]
        lines.sort(key=itemgetter(0))
        start = _header(catalog)
        rest = b",".join([line for _, line in lines]) + _END
        root = _root(start, rest)
        schema = b'%b,"hash":"%b","objects":[%b' % (start, root, rest)
        return schema, dump_statistics(groups, root.decode())


def _lines(kind: type[Struct], pairs: list[tuple[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Identity and line of each object of one class."""
    identities = [identity for identity, _ in pairs]
    texts = encode_all(kind, identities, [without_estimates(thing) for _, thing in pairs])
    if "id" not in kind.__struct_fields__:
        # Every object begins with its tag.
        tag = len(texts[0]) - len(texts[0].partition(b",")[2])
        texts = [
            b'%b"id":%b,%b' % (text[:tag], _ENCODER.encode(identity), text[tag:])
            for identity, text in zip(identities, texts, strict=True)
        ]
    for identity, text in zip(identities, texts, strict=True):
        yield identity, b'\n%b,"hash":"%08x"}' % (text[:-1], crc32(text[:-1]))


def _header(catalog: Catalog) -> bytes:
    """The first line without hash and what follows it."""
    told: dict[str, Any] = {"format": FORMAT, "schema_version": SCHEMA_VERSION}
    for field in layout().header:
        told[_header_name(field)] = getattr(catalog, field)
    told["absent"] = {
        family.field: absent
        for family in layout().families
        if isinstance(found := getattr(catalog, family.field), Map)
        and (absent := sorted([key for key, value in found.items() if value is None], key=_ENCODER.encode))
    }
    return _ENCODER.encode(told)[:-1]


def _header_name(field: str) -> str:
    return "pg_version" if field == "version" else field


def _root(start: bytes, rest: bytes | memoryview) -> bytes:
    """The hash of the whole file: of the first line's beginning, and of all other lines."""
    state = blake2b(start, digest_size=20)
    state.update(rest)
    return state.hexdigest().encode()


# --- reading ----------------------------------------------------------------------------------------------------------


def load(schema: bytes, stats: bytes | None = None) -> Catalog:
    """Read a catalog back: what `dump` was given, with the basis "snapshot".

    Args:
        schema: the content of the schema file.
        stats: that of the statistics file; without it sizes and numbers of rows are unknown.

    Raises:
        SnapshotError: either is no such file, has another version, or was changed since it was written; with its line.
    """
    with no_garbage_collection(keeping=True):
        header, objects = _checked(schema)
        things = _decoded(objects)
        if stats is not None:
            set_statistics(stats, things)
        return _assembled(header, things)


class Header(Struct, frozen=True):
    """What a schema file says of itself.

    Attributes:
        hash: of everything in it.
        pg_version: major version of the server, None when not known.
        incomplete: why answers from it may be wrong; empty is good.
    """

    hash: str
    pg_version: int | None
    incomplete: tuple[str, ...]


def read_header(schema: bytes) -> Header:
    """The header of a schema file. It is quick: neither hash nor objects are looked at.

    Raises:
        SnapshotError: it is no snapshot, or has another version.
    """
    start, root = _split_header(schema)
    header = _decode_header(start)
    return Header(root.decode(), header.version, header.incomplete)


def _checked(schema: bytes) -> tuple[Any, memoryview]:
    """The header and the list of objects, their hash found right."""
    start, root = _split_header(schema)
    if schema.startswith(b"\r", schema.index(b"\n") - 1):
        # A checkout under Windows; inside strings JSON has no bare line ends.
        schema = schema.replace(b"\r\n", b"\n")
    header = _decode_header(start)
    if not schema.endswith(_END):
        raise SnapshotError("it ends too early", line=schema.count(b"\n") + 1, remedy=AGAIN)
    # Views: the file may have tens of megabytes, and is not copied.
    rest = memoryview(schema)[schema.index(b"\n") :]
    if _root(start, rest) != root:
        raise _changed(schema)
    return header, memoryview(schema)[schema.index(b"\n") - 1 : -len(b"}\n")]


def _split_header(schema: bytes) -> tuple[bytes, bytes]:
    """The first line up to its hash, and the hash."""
    first = schema[: schema.find(b"\n") + 1]
    end = _HEADER_END.search(first)
    if end is None:
        raise _not_as_written(schema)
    return first[: end.start()], end[1]


def _decode_header(start: bytes) -> Any:
    try:
        version = msgspec.json.decode(start + b"}", type=_Versioned)
        if version.format != FORMAT:
            raise SnapshotError(f"it is no snapshot but {version.format!r}", line=1)
        _check_version(version.schema_version)
        return msgspec.json.decode(start + b"}", type=header_type())
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"its header is malformed: {error}", line=1, remedy=AGAIN) from error


def _check_version(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise SnapshotError(
            f"it has schema_version {version}, which this dflint does not know (it reads {SCHEMA_VERSION})",
            line=1,
            remedy=f"update dflint, or {AGAIN}",
        )
    if version < SCHEMA_VERSION:
        raise SnapshotError(
            f"it has schema_version {version}, which is too old (this dflint reads {SCHEMA_VERSION})",
            line=1,
            remedy=AGAIN,
        )


class _Versioned(Struct):
    format: str
    schema_version: int


@cache
def header_type() -> type[Struct]:
    """The type of the document without its hash and its objects."""
    absent: Any = [
        (family.field, list[family.key], [])  # type: ignore[name-defined]  # made of values
        for family in layout().families
        if not isinstance(family, DetailMaps)
    ]
    fields: Any = [*layout().header.items(), ("absent", msgspec.defstruct("AbsentNames", absent))]
    return msgspec.defstruct("Header", fields, rename=_header_name)


def line_type() -> Any:
    """The union of the types of lines, without what the writer adds to each: ``id`` and ``hash``."""
    return layout().line


@cache
def _decoder() -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder(list[line_type()])  # type: ignore[misc]  # made of values


def _decoded(objects: memoryview) -> list[Any]:
    try:
        return _decoder().decode(objects)
    except msgspec.MsgspecError as error:
        raise _undecodable(str(error)) from error
    except RecursionError:
        raise SnapshotError("it has an expression that is nested too deeply") from None


def _assembled(header: Any, things: list[Any]) -> Catalog:
    by_class: dict[type, list[Any]] = {}
    for thing in things:
        by_class.setdefault(type(thing), []).append(thing)
    values: dict[str, Any] = {field: getattr(header, field) for field in layout().header}
    for family in layout().families:
        own = [thing for each in family.classes for thing in by_class.get(each, ())]
        found: Any = family.gather(own)
        if isinstance(family, DetailMaps):
            values[family.field] = found
        else:
            found.update(dict.fromkeys(getattr(header.absent, family.field)))
            values[family.field] = Map(found)
    return with_reverse_maps(Catalog(basis="snapshot", **values))


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _not_as_written(schema: bytes) -> SnapshotError:
    """The error for a file whose first line is not as `dump` writes it."""
    try:
        document = msgspec.json.decode(schema, type=_Versioned)
    except msgspec.ValidationError:
        return SnapshotError("it is no snapshot", remedy="name a file that dflint snapshot take wrote")
    except msgspec.MsgspecError as error:
        conflict = re.search(rb"^(<{7}|={7}|>{7})", schema, re.MULTILINE)
        if conflict is not None:
            line = schema.count(b"\n", 0, conflict.start()) + 1
            return SnapshotError("it has a conflict marker of a merge", line=line, remedy=AGAIN)
        return SnapshotError(f"it is no snapshot: {error}", remedy="name a file that dflint snapshot take wrote")
    if document.format != FORMAT:
        return SnapshotError(f"it is no snapshot but {document.format!r}", line=1)
    return SnapshotError("it was reformatted: an object must stand on one line", line=1, remedy=AGAIN)


def _changed(schema: bytes) -> SnapshotError:
    """The error for lines that are not what the header's hash says, with the first line that is wrong."""
    for number, line in enumerate(schema[: -len(_END)].split(b"\n")[1:], start=2):
        text = line.removesuffix(b",")
        end = _LINE_END.search(text)
        if end is None or b"%08x" % crc32(text[: end.start()]) != end[1]:
            return SnapshotError("this line was changed after the snapshot was taken", line=number, remedy=AGAIN)
    return SnapshotError(
        "its hash is wrong: the header was changed, or lines were added, removed or moved", line=1, remedy=AGAIN
    )


def _undecodable(message: str) -> SnapshotError:
    """The error for a line that the model cannot hold: msgspec names its place in the list."""
    place = re.search(r"`\$\[(\d+)\]", message)
    return SnapshotError(
        f"this dflint cannot read it: {message}", line=None if place is None else int(place[1]) + 2, remedy=AGAIN
    )
