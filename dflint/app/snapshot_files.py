"""Snapshot files on disk: the schema, and its statistics beside it. Nothing here needs a server or its driver."""

from __future__ import annotations

import os

from msgspec import Struct

from dflint.catalog.snapshot_error import SnapshotError, StatisticsError
from dflint.catalog.snapshot_file import Header, dump, load, read_header
from dflint.catalog.statistics_file import belongs_to
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError

#: Where `dflint snapshot take` writes.
DEFAULT_FILE = "schema.dflint.json"


def statistics_path(path: str) -> str:
    """The statistics file of a schema file: ``schema.dflint.stats.json`` for ``schema.dflint.json``."""
    return f"{path.removesuffix('.json')}.stats.json"


class SnapshotFiles(Struct, frozen=True):
    """The content of a snapshot's files.

    Attributes:
        path: of the schema file, as the user wrote it.
        schema: its content.
        stats: that of the statistics file, None where there is none.
    """

    path: str
    schema: bytes
    stats: bytes | None

    @property
    def header(self) -> Header:
        """What the schema file says of itself; its hash is not checked.

        Raises:
            SnapshotError: it is no snapshot, or has another version.
        """
        try:
            return read_header(self.schema)
        except SnapshotError as error:
            raise self._placed(error) from None

    @property
    def signature(self) -> str:
        """What identifies the content of both files."""
        # The short import: hashlib would load OpenSSL.
        from _blake2 import blake2b

        state = blake2b(self.schema, digest_size=20)
        state.update(b"no statistics" if self.stats is None else self.stats)
        return str(state.hexdigest())

    def load(self) -> Catalog:
        """The catalog.

        Raises:
            SnapshotError: one of the files cannot be used; with its path and line.
        """
        try:
            return load(self.schema, self.stats)
        except SnapshotError as error:
            raise self._placed(error) from None

    def stale_statistics(self) -> bool:
        """Whether the statistics were taken with another schema file.

        Raises:
            SnapshotError: one of the files cannot be used.
        """
        try:
            return self.stats is not None and belongs_to(self.stats) != self.header.hash
        except SnapshotError as error:
            raise self._placed(error) from None

    def _placed(self, error: SnapshotError) -> SnapshotError:
        if error.file is None:
            error.file = statistics_path(self.path) if isinstance(error, StatisticsError) else self.path
        return error


def open_snapshot(path: str) -> SnapshotFiles:
    """Read the files of a snapshot. Statistics that are not there are no error.

    Args:
        path: of the schema file.

    Raises:
        InputError: it cannot be read.
    """
    schema = _content(path)
    if schema is None:
        raise InputError("no such snapshot file", file=path, remedy="write one with dflint snapshot take")
    return SnapshotFiles(path, schema, _content(statistics_path(path)))


def save_snapshot(catalog: Catalog, path: str) -> None:
    """Write a catalog to the files of a snapshot; a reader sees the old ones or the new ones.

    Raises:
        SnapshotError: it cannot be expressed.
        InputError: the files cannot be written.
    """
    for place, content in zip((path, statistics_path(path)), dump(catalog), strict=True):
        temporary = f"{place}.{os.getpid()}"
        try:
            with open(temporary, "wb") as stream:
                stream.write(content)
            os.replace(temporary, place)
        except OSError as error:
            raise InputError(f"the snapshot cannot be written: {error.strerror}", file=place) from error


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
