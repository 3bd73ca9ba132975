"""What is there before the first file that is judged: nothing known, or a snapshot of the database as it is now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

from dflint.app.discovery import History
from dflint.app.loading import applied_files
from dflint.app.snapshot_files import SnapshotFiles, open_snapshot
from dflint.catalog.snapshot_file import Header
from dflint.model.catalog import Catalog
from dflint.model.finding import CatalogUse, ReadError


class StartingPoint:
    """A snapshot that judging starts from."""

    def __init__(self, path: str) -> None:
        """Read the snapshot's files; the objects in them only when they are asked for.

        Raises:
            DflintError: they cannot be read.
        """
        relative = os.path.relpath(path)
        self._files: SnapshotFiles = open_snapshot(path if relative.startswith("..") else relative)
        self.header: Header = self._files.header

    @cached_property
    def signature(self) -> str:
        """What identifies the snapshot's content."""
        return self._files.signature

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog.

        Raises:
            DflintError: the snapshot was changed since it was written.
        """
        return self._files.load()

    @property
    def use(self) -> CatalogUse:
        """What a report says of it."""
        return CatalogUse(self._files.path, self.header.pg_version, self.header.incomplete)

    def gaps(self) -> list[ReadError]:
        """Why answers may be wrong: what could not be read when the snapshot was taken."""
        return [
            ReadError(self._files.path, 1, None, f"the snapshot is incomplete: {reason}", "take it again")
            for reason in self.header.incomplete
        ]


def pending(histories: Sequence[History], baseline: str | None) -> tuple[list[History], int]:
    """The histories without what a snapshot already holds.

    A snapshot shows the database as it is now. Files up to the baseline are applied; where a history does not have
    the baseline, every file is that the user did not name.

    Returns:
        The histories, and how many files up to the baseline were left out.
    """
    found: list[History] = []
    left_out = 0
    for history in histories:
        applied = applied_files(history.files, baseline)
        left = history.files[applied:] if applied else tuple(f for f in history.files if f in history.selected)
        found.append(history._replace(files=left, selected=history.selected & {*left}, after_baseline=applied > 0))
        left_out += applied
    return found, left_out
