"""Outcomes of histories judged before, kept between runs.

Migrations are written once and judged at every commit. An outcome is kept under a hash of everything it depends on:
every byte of the history's files up to the last one judged, how its runner cuts them up, the rules, the settings and
dflint itself. The cache is never an error: unwritable, missing or damaged, the history is judged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

import msgspec

import dflint
from dflint.app.discovery import History
from dflint.app.loading import LoadedFile
from dflint.app.outcome import Outcome

#: Entries beyond which the oldest half is dropped.
_MANY = 4_000


class OutcomeCache:
    """The outcomes kept in one directory."""

    def __init__(self, directory: str | None, base: bytes) -> None:
        """Use a directory.

        Args:
            directory: None for no cache.
            base: what all outcomes of the run depend on: rules, settings.
        """
        self._directory = directory
        self._base = base

    def key(self, history: History, files: Sequence[LoadedFile]) -> str:
        """What identifies the history's outcome; "" when it is not to be kept."""
        if self._directory is None or any(file.error is not None for file in files):
            return ""
        # The short import: hashlib would load OpenSSL.
        from _blake2 import blake2b

        state = blake2b(self._base, digest_size=20)
        state.update(
            msgspec.json.encode(
                [history.directory.path, history.runner, sorted(history.selected), [file.path for file in files]]
            )
        )
        for file in files:
            assert file.source is not None
            state.update(msgspec.msgpack.encode((len(file.source.text), file.cut.sections, file.cut.notices)))
            state.update(file.source.original)
        return str(state.hexdigest())

    def get(self, key: str) -> Outcome | None:
        """The outcome kept under a key, None when there is none."""
        if not key or self._directory is None:
            return None
        try:
            with open(self._path(key), "rb") as stream:
                return msgspec.msgpack.decode(stream.read(), type=Outcome)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome, if that is possible; a reader sees all of it or nothing."""
        if not key or self._directory is None:
            return
        path = self._path(key)
        temporary = f"{path}.{os.getpid()}"
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as stream:
                stream.write(msgspec.msgpack.encode(outcome))
            os.replace(temporary, path)
        except OSError:
            return

    def tidy(self) -> None:
        """Drop the oldest half when there are too many."""
        if self._directory is None:
            return
        try:
            with os.scandir(self._directory) as entries:
                found = list(entries)
            if len(found) > _MANY:
                found.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in found[: len(found) // 2]:
                    os.unlink(entry.path)
        except OSError:
            return

    def _path(self, key: str) -> str:
        assert self._directory is not None
        return os.path.join(self._directory, key)


def program_signature(modules: Iterable[str]) -> bytes:
    """What identifies dflint and the given modules' packages: version, Python, and each file by size and time.

    Args:
        modules: names of imported modules whose directories count, too.
    """
    parts: list[object] = [dflint.__version__, sys.version_info[:3]]
    roots = [os.path.dirname(os.path.abspath(dflint.__file__))]
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            roots.append(os.path.dirname(os.path.abspath(file)))
    for root in roots:
        for directory, folders, names in os.walk(root):
            folders[:] = sorted(folder for folder in folders if folder != "__pycache__")
            for name in sorted(names):
                status = os.stat(os.path.join(directory, name))
                parts.append((directory, name, status.st_size, status.st_mtime_ns))
    return msgspec.msgpack.encode(parts)
