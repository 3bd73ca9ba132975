from __future__ import annotations

from pathlib import Path

import pytest

from dflint.postgres.scratch import Scratch


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a template, which takes most of the time to make."""
    directory = tmp_path_factory.mktemp("cache")
    with Scratch(cache=directory):
        pass
    return directory / "templates"


@pytest.fixture
def home(tmp_path: Path, templates: Path) -> Path:
    """What XDG_CACHE_HOME may name: a cache with a template, and with a registry of its own."""
    cache = tmp_path / "home" / "dflint" / "postgres"
    cache.mkdir(parents=True)
    (cache / "templates").symlink_to(templates)
    return tmp_path / "home"
