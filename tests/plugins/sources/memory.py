"""Directories in memory, and a view of what a source makes of a file that reads well in a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dflint.model.migration import Runner, Section
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint.plugin.manager import load
from dflint_sources import dflint_sources


class MemoryDirectory:
    """A tree given as {path: content}. It counts what is read."""

    def __init__(self, tree: Mapping[str, bytes], path: str = ".", root: MemoryDirectory | None = None) -> None:
        self._tree = tree
        self.path = path
        self._root = root or self
        self.reads: list[str] = []

    @property
    def name(self) -> str:
        return "" if self.path == "." else self.path.rpartition("/")[2]

    @property
    def _prefix(self) -> str:
        return "" if self.path == "." else f"{self.path}/"

    @property
    def files(self) -> tuple[str, ...]:
        below = [path[len(self._prefix) :] for path in self._tree if path.startswith(self._prefix)]
        return tuple(sorted(path for path in below if "/" not in path))

    @property
    def folders(self) -> tuple[str, ...]:
        below = [path[len(self._prefix) :] for path in self._tree if path.startswith(self._prefix)]
        return tuple(sorted({path.partition("/")[0] for path in below if "/" in path}))

    def has(self, name: str) -> bool:
        return name in self.files

    def folder(self, name: str) -> MemoryDirectory | None:
        return MemoryDirectory(self._tree, self._prefix + name, self._root) if name in self.folders else None

    @property
    def parent(self) -> MemoryDirectory | None:
        if self.path == ".":
            return None
        return MemoryDirectory(self._tree, self.path.rpartition("/")[0] or ".", self._root)

    def read(self, name: str) -> bytes | None:
        self._root.reads.append(self._prefix + name)
        return self._tree.get(self._prefix + name)


def source(name: str) -> Source:
    """The source of a runner."""
    loaded: Source = load(dflint_sources()[name])
    return loaded


def tree(files: Mapping[str, str | bytes], at: str = ".") -> MemoryDirectory:
    """A directory of a tree; contents may be text."""
    content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    root = MemoryDirectory(content)
    return root if at == "." else MemoryDirectory(content, at, root)


def claim(name: str, files: Mapping[str, str | bytes], at: str = ".") -> Claim | None:
    """What a runner claims of a directory in a tree."""
    return source(name).claim(tree(files, at))


class Cut(NamedTuple):
    """A section as tests compare it: direction, wrapping, wire, and its text without white space round it."""

    direction: str
    wrapping: str
    wire: str
    text: str


def sections(
    name: str,
    text: str | bytes,
    path: str = "001_a.sql",
    *,
    directory: Directory | None = None,
    version: str | None = None,
    had_bom: bool = False,
) -> Sections:
    """What a runner makes of one file."""
    content = text.encode() if isinstance(text, str) else text
    beside = directory if directory is not None else tree({path: content})
    return source(name).sections(MigrationFile(path, content, beside, Runner(name, version), had_bom))


def cut(name: str, text: str, path: str = "001_a.sql", directory: Directory | None = None) -> list[Cut]:
    """The sections of one file, for golden comparison."""
    found = sections(name, text, path, directory=directory).sections
    return [Cut(one.direction, one.wrapping, one.wire, piece(text, one).strip()) for one in found]


def piece(text: str, section: Section) -> str:
    """The text of a section."""
    return text.encode()[section.span.start : section.span.end].decode()


def notices(name: str, text: str, path: str = "001_a.sql", *, had_bom: bool = False) -> list[tuple[str, str]]:
    """Rule and marked text of each notice."""
    content = text.encode()
    found = sections(name, text, path, had_bom=had_bom).notices
    return [(one.rule, content[one.span.start : one.span.end].decode().strip()) for one in found]
