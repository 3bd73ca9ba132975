"""The use case of ``dflint impact --code``: which files of a program use what a change touches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from dflint.analysis.code_use import CodeSearch
from dflint.app.queries import NAMES_GO
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.model.impact import Impact
from dflint.model.uses import CodeUses
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser

#: Directories that hold no code of the program's own.
_SKIPPED: Final = frozenset(
    """.git .hg .svn .tox .nox .mypy_cache .pytest_cache .ruff_cache .eggs __pycache__ node_modules site-packages
    """.split()
)
#: What marks a virtual environment, whatever it is called.
_ENVIRONMENT: Final = "pyvenv.cfg"
_LARGEST: Final = 10_000_000


def code_uses(impact: Impact, paths: tuple[str, ...], catalog: Catalog, search_path: tuple[str, ...]) -> CodeUses:
    """The uses in SQL and Python files below directories.

    Version control, caches, virtual environments, node_modules and links to directories are left out.

    Raises:
        InputError: a path does not exist.
    """
    search = CodeSearch(impact, catalog, Parser(load_library()), search_path)
    for path in paths:
        if not os.path.lexists(path):
            raise InputError("there is no such file or directory", file=path)
        for file in _files(path, search):
            _search(file, search)
    return search.result()


def _files(path: str, search: CodeSearch) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
        return

    def failed(error: OSError) -> None:
        search.not_read(str(error.filename), error.strerror or "it cannot be listed")

    for folder, folders, files in os.walk(path, onerror=failed):
        if _ENVIRONMENT in files and folder != path:
            folders.clear()
            continue
        folders[:] = sorted(each for each in folders if each not in _SKIPPED)
        for name in sorted(files):
            if name.endswith((".sql", ".py")):
                yield os.path.join(folder, name)


def _search(file: str, search: CodeSearch) -> None:
    try:
        # A pipe or device would be waited for, or never end.
        if not os.path.isfile(file):
            search.not_read(file, "it is no regular file")
            return
        if os.path.getsize(file) > _LARGEST:
            search.not_read(file, f"it is larger than {_LARGEST:,} bytes")
            return
        with open(file, "rb") as stream:
            content = stream.read()
    except OSError as error:
        search.not_read(file, error.strerror or "it cannot be read")
        return
    if file.endswith(".sql"):
        search.sql(file, content)
    else:
        search.python(file, content, _application(file))


def _application(file: str) -> str | None:
    """Django's application: the directory that has models.py, or the package ``models``."""
    folder, name = os.path.split(os.path.abspath(file))
    if name == "models.py":
        return os.path.basename(folder).lower()
    parent, package = os.path.split(folder)
    return os.path.basename(parent).lower() if package == "models" else None


def breaks_code(impact: Impact, found: CodeUses) -> bool:
    """Whether a place that certainly uses what is changed fails, or means something else, after the change."""
    return impact.operation in NAMES_GO and any(use.certainty == "certain" for use in found.uses)
