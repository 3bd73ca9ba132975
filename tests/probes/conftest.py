"""The `bench` fixture, on which probes are run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.probes.bench import Bench
from tests.servers import Servers


@pytest.fixture(scope="module")
def bench(pg_servers: Servers) -> Iterator[Bench]:
    # It asks for the servers only to be closed before them.
    with closing(Bench()) as bench:
        yield bench
