"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.executing import Database
from tests.servers import TestServer


@pytest.fixture
def db(pg: TestServer, tmp_path: Path) -> Iterator[Database]:
    """A fresh database on a server of the marked major."""
    from tests.faults.executing import Database

    database = Database(pg, tmp_path)
    yield database
    database.close()
