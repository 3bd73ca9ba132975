"""The trace file. Additive changes only within a schema version.

It is indented, so that a statement has a line of its own which a finding can point to.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dflint import __version__
from dflint.model.errors import InputError
from dflint.model.trace import FORMAT, Trace

_TITLE = "Trace of dflint"
_REMEDY = "record it again with this version of dflint"


class TraceDocument(Trace, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A trace as it is kept in a file."""

    format: Literal["dflint-trace"]
    schema_version: Literal[1]
    dflint: Annotated[str, Meta(description="version of the dflint that wrote it")]


def dump(trace: Trace) -> bytes:
    """The content of a trace file."""
    content: dict[str, Any] = {"format": FORMAT, "schema_version": 1}
    rest = {**msgspec.to_builtins(trace, order="sorted"), "dflint": __version__}
    content.update(sorted(rest.items()))
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def is_trace(content: bytes) -> bool:
    """Whether a file's content is that of a trace, of whatever schema version: its format says so in the first key."""
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"{"):
        return False
    key, _, value = start[1:].partition(b":")
    return key.strip() == b'"format"' and value.lstrip().startswith(b'"dflint-trace"')


def load(content: bytes, path: str) -> Trace:
    """Read the content of a trace file.

    Args:
        path: of the file, for errors.

    Raises:
        InputError: it is no trace, or one of a schema version that is not known.
    """
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=TraceDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"not a trace that this dflint can read: {error}", file=path, remedy=_REMEDY) from error


def schema() -> bytes:
    """The JSON Schema of trace files."""
    generated = msgspec.json.schema(TraceDocument)
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE, **generated}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
