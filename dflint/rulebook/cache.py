"""Rules and facts, verified once and kept in one file under the user's cache directory.

Reading and verifying a hundred YAML files takes far longer than linting one migration. The cache is valid for exactly
the rule files, by name, size and time of change, and the dflint it was made with. It is never an error: unwritable,
missing or damaged, the YAML files are read instead.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

import dflint
from dflint.facts.records import Fact
from dflint.rulebook.rule import Rule

#: Changes when the content's layout does.
_FORMAT = 2


class Content(msgspec.Struct, frozen=True):
    """What the cache holds."""

    rules: list[Rule]
    facts: list[Fact]


def signature(files: Iterable[str], checks: Mapping[str, str]) -> bytes:
    """What the cached content depends on, in one line."""
    parts: list[object] = [_FORMAT, dflint.__version__, sys.version_info[:2], sorted(checks.items())]
    package = os.path.dirname(os.path.abspath(dflint.__file__))
    # A checkout changes without changing its version: what rules are verified against counts too.
    against = [os.path.join(package, *path) for path in (("facts",), ("rulebook",), ("model", "operations"))]
    for path in (*files, *(os.path.join(folder, name) for folder in against for name in _modules(folder))):
        try:
            found = os.stat(path)
        except OSError:
            parts.append((path, None))
        else:
            parts.append((os.path.abspath(path), found.st_size, found.st_mtime_ns))
    return msgspec.json.encode(parts)


def _modules(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".py"))
    except OSError:
        return []


def read(where: str | None, signed: bytes) -> Content | None:
    """The content cached under that signature; None when there is none."""
    if where is None:
        return None
    try:
        with open(_path(where, signed), "rb") as stream:
            data = stream.read()
        if not data.startswith(signed + b"\n"):
            return None
        return msgspec.msgpack.decode(memoryview(data)[len(signed) + 1 :], type=Content)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def write(where: str | None, signed: bytes, content: Content) -> None:
    """Keep the content, if that is possible; a reader sees all of it or nothing."""
    if where is None:
        return
    path = _path(where, signed)
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(signed + b"\n" + msgspec.msgpack.encode(content))
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)


def _path(where: str, signed: bytes) -> str:
    # The whole signature is compared on reading, so that a collision only costs time.
    return os.path.join(where, f"rules-{zlib.crc32(signed):08x}.bin")
