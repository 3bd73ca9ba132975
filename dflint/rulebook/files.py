"""Where rule files are. Kept apart from reading them, which a run with a fresh cache never does."""

from __future__ import annotations

import os
from collections.abc import Iterable

from dflint.model.errors import RuleError

#: Directories of this name hold what proves the facts, for tests on servers; no run reads them.
PROBES = "probes"


def built_in_rules() -> str:
    """The directory of the rules that come with dflint: in the wheel inside the package, in a checkout beside it."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "_rules")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "rules")


def rule_files(paths: Iterable[str]) -> list[str]:
    """All rule and fact files below the given directories (or the files themselves), sorted within each.

    Raises:
        RuleError: a path does not exist.
    """
    found: dict[str, None] = {}
    for path in paths:
        if os.path.isfile(path):
            found[path] = None
        elif os.path.isdir(path):
            found.update(dict.fromkeys(sorted(_below(path))))
        else:
            raise RuleError("no such rule file or directory", file=path)
    return list(found)


def _below(directory: str) -> Iterable[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != PROBES:
                    yield from _below(entry.path)
            elif entry.name.endswith((".yaml", ".yml")):
                yield entry.path
