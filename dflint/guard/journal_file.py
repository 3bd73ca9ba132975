"""The journal on disk: what was tried, also when nothing could be written to the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from dflint.model.errors import InputError

DEFAULT_DIRECTORY = Path(".dflint/journal")


class JournalFile:
    """``<directory>/<run>.jsonl``: one JSON object a line, each on disk before the next thing is done.

    Never give it a connection string: `dflint.postgres.printable` has one without secrets.
    """

    def __init__(self, run_id: str, directory: Path = DEFAULT_DIRECTORY) -> None:
        self.path = directory / f"{run_id}.jsonl"
        self._run_id = run_id
        self._descriptor: int | None = None

    def append(self, kind: str, detail: Mapping[str, Any] | None = None, *, sync: bool = True) -> None:
        """Write one line.

        Args:
            kind: of what happened.
            detail: more about it, as JSON.
            sync: have it on disk before going on; False where the ledger tells the same.

        Raises:
            InputError: it cannot be written.
        """
        line = {"at": datetime.now(UTC).isoformat(), "run": self._run_id, "kind": kind, "detail": dict(detail or {})}
        content = msgspec.json.encode(line, enc_hook=str, order="sorted") + b"\n"
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            # One write of a whole line in append mode: two processes do not mix theirs.
            os.write(self._descriptor, content)
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            raise InputError(f"the journal cannot be written: {error.strerror}", file=str(self.path)) from error

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def lines(self) -> list[dict[str, Any]]:
        """What was written; a last line that was cut off in the middle is left out."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        whole, _, _ = content.rpartition(b"\n")
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in whole.split(b"\n") if line]

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if new:
            _sync_directory(self.path.parent)
        return descriptor

    def __del__(self) -> None:
        self.close()


def _sync_directory(directory: Path) -> None:
    """The name of a new file is on disk only when its directory is."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
