"""Looking for a runner's marks: in the migrations themselves, and in the directories above them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dflint.plugin import Directory

#: How many directories above the migrations are looked at.
ABOVE = 3


def here_and_above(directory: Directory) -> Iterator[Directory]:
    """The directory, then the three above it; nothing above a repository's root."""
    here: Directory | None = directory
    for _ in range(ABOVE + 1):
        if here is None:
            return
        yield here
        if here.has(".git") or here.folder(".git") is not None:
            return
        here = here.parent


def find_above(directory: Directory, *names: str) -> tuple[Directory, str] | None:
    """The nearest directory, this one included, that holds a file of one of the names."""
    for here in here_and_above(directory):
        for name in names:
            if here.has(name):
                return here, name
    return None


def place(directory: Directory, name: str) -> str:
    """A file's path as users know it."""
    return name if directory.path == "." else f"{directory.path}/{name}"


def first_or_last(directory: Directory, names: Sequence[str], test: Callable[[bytes], bool]) -> str | None:
    """The first or else the last of the names whose content passes a test. No other file is read."""
    for name in dict.fromkeys((names[0], names[-1])) if names else ():
        content = directory.read(name)
        if content is not None and test(content):
            return name
    return None


def package_version(directory: Directory, *packages: str) -> tuple[str, str] | None:
    """The version of an npm package that the nearest ``package.json`` naming it asks for, and the file's path.

    Of a range it is the lower end: an older version never promises more than a newer one.
    """
    for here in here_and_above(directory):
        content = here.read("package.json") if here.has("package.json") else None
        if content is None:
            continue
        version = _asked_for(content, packages)
        if version:
            return version, place(here, "package.json")
    return None


def _asked_for(content: bytes, packages: tuple[str, ...]) -> str | None:
    import json  # hardly any project has such a file

    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    for group in ("devDependencies", "dependencies"):
        asked = document.get(group)
        if not isinstance(asked, dict):
            continue
        for package in packages:
            found = re.match(r"[\^~>=v\s]*([0-9]+(?:\.[0-9]+)*)", str(asked.get(package, "")))
            if found:
                return found[1]
    return None


def at_least(version: str | None, *minimum: int) -> bool:
    """Whether a version is the minimum or newer. None is the newest known; what is no number counts as 0."""
    if version is None:
        return True
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version.partition("-")[0])[:3])
    return numbers + (0,) * (3 - len(numbers)) >= minimum + (0,) * (3 - len(minimum))
