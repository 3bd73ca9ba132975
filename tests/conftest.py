"""The `pg` fixture: a test that asks for it runs on real servers of the majors that its mark names.

    @pytest.mark.majors("all")          # "newest" (as without the mark), "oldest", "ends", or numbers: majors(13, 14)
    def test_something(pg):
        dsn = pg.new_database()

Tests of a major that is not here are deselected, not skipped, and the summary names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests import servers
from tests.fetch_servers import MAJORS

_DESELECTED = pytest.StashKey["Counter[int]"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "majors(choice): the PostgreSQL majors that the pg fixture stands for")
    config.stash[_DESELECTED] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pg" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("majors")
        (choice, *more) = mark.args if mark is not None else ("newest",)
        majors = servers.CHOICES[choice] if isinstance(choice, str) else (choice, *more)
        metafunc.parametrize("pg", majors, indirect=True, ids=[f"pg{major}" for major in majors])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {major for major in MAJORS if servers.installation(major) is None}
    out = [item for item in items if isinstance(item, pytest.Function) and _major(item) in missing]
    if out:
        config.hook.pytest_deselected(items=out)
        config.stash[_DESELECTED].update(_major(item) for item in out)
        items[:] = [item for item in items if item not in set(out)]


def _major(item: pytest.Function) -> Any:
    return item.callspec.params.get("pg") if hasattr(item, "callspec") else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    # With xdist the tests are collected in other processes, each of which knows all of them.
    if hasattr(session.config, "workeroutput"):
        counted: Counter[int] = session.config.stash[_DESELECTED]
        session.config.workeroutput["deselected"] = dict(counted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    counted: Counter[int] = node.config.stash[_DESELECTED]
    counted |= Counter(getattr(node, "workeroutput", {}).get("deselected", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for major, count in sorted(terminalreporter.config.stash[_DESELECTED].items()):
        terminalreporter.write_line(
            f"PostgreSQL {major} is not here, {count} tests deselected: python -m tests.fetch_servers {major}",
            yellow=True,
        )


@pytest.fixture(scope="session")
def pg_servers() -> Iterator[servers.Servers]:
    """The servers of this test process, started when first asked for."""
    yield from servers.running()


@pytest.fixture
def pg(request: pytest.FixtureRequest, pg_servers: servers.Servers) -> Iterator[servers.TestServer]:
    """A server of one of the marked majors; databases made with `new_database` go with the test."""
    server = servers.TestServer(pg_servers.start(request.param))
    yield server
    server.drop_databases()
