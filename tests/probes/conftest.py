"""The `bench` fixture, on which probes are run; and which probes run when.

In the ordinary test run every probe runs on the newest major, and a share of them on each of the others, another share
on each. The exhaustive run has them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from zlib import crc32

import pytest

from dflint.facts.probes import NEWEST, Probe
from tests.probes.bench import Bench
from tests.servers import Servers

#: On an older major one probe of so many is run.
_SHARE = 5


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        probe, major = given.get("probe"), given.get("pg")
        if isinstance(probe, Probe) and isinstance(major, int) and not _is_ordinary(probe, major):
            item.add_marker(pytest.mark.exhaustive)


def _is_ordinary(probe: Probe, major: int) -> bool:
    return major == NEWEST or (crc32(probe.id.encode()) + major) % _SHARE == 0


@pytest.fixture(scope="module")
def bench(pg_servers: Servers) -> Iterator[Bench]:
    # It asks for the servers only to be closed before them.
    with closing(Bench()) as bench:
        yield bench
