"""Directories of the file system as runners' source plugins see them: read when asked for, and once."""

from __future__ import annotations

import os

from dflint.model.errors import SourceError


class FileDirectory:
    """A directory on disk. It implements `dflint.plugin.Directory`.

    Attributes:
        path: with ``/``, relative to the working directory where it lies in it, else as the user gave it.
        error: why it cannot be listed, once it has been tried; None when it can.
    """

    __slots__ = ("_contents", "_files", "_folders", "_given", "_known", "_names", "_real", "_subs", "error", "path")

    def __init__(self, path: str, real: str, known: dict[str, FileDirectory]) -> None:
        """Use `open_directory`.

        Args:
            path: as it is printed.
            real: absolute, for the operating system.
            known: the directories opened so far by their real paths, so that none is listed twice.
        """
        self.path = path
        self.error: OSError | None = None
        self._real = real
        self._known = known
        self._files: tuple[str, ...] | None = None
        self._names: frozenset[str] = frozenset()
        self._folders: tuple[str, ...] = ()
        self._subs: dict[str, FileDirectory | None] = {}
        self._contents: dict[str, bytes | None] = {}
        self._given: dict[str, bytes] = {}
        known[real] = self

    def __repr__(self) -> str:
        return f"FileDirectory({self.path!r})"

    @property
    def name(self) -> str:
        """Its own name."""
        return os.path.basename(self._real)

    @property
    def real(self) -> str:
        """Its absolute path."""
        return self._real

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its regular files and of links that lead nowhere, sorted; none when it cannot be listed."""
        if self._files is None:
            self._list()
        return self._files or ()

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of its sub-directories, sorted; none when it cannot be listed."""
        if self._files is None:
            self._list()
        return self._folders

    def _list(self) -> None:
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(self._real) as entries:
                for entry in entries:
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif entry.is_file() or entry.is_symlink():
                        files.append(entry.name)
        except OSError as error:
            self.error = error
        self._names = frozenset((*files, *self._given))
        self._files = tuple(sorted(self._names))
        folders.sort()
        self._folders = tuple(folders)
        self._subs = dict.fromkeys(folders)

    def has(self, name: str) -> bool:
        """Whether a file of that name lies in it."""
        if self._files is None:
            self._list()
        return name in self._names

    def folder(self, name: str) -> FileDirectory | None:
        """The sub-directory of that name."""
        if self._files is None:
            self._list()
        if name not in self._subs:
            return None
        sub = self._subs[name]
        if sub is None:
            real = os.path.join(self._real, name)
            sub = self._known.get(real) or FileDirectory(join(self.path, name), real, self._known)
            self._subs[name] = sub
        return sub

    @property
    def parent(self) -> FileDirectory | None:
        """The directory above, None at the root of the file system."""
        above = os.path.dirname(self._real)
        if above == self._real:
            return None
        return self._known.get(above) or FileDirectory(_shown_above(self.path, above), above, self._known)

    def read(self, name: str) -> bytes | None:
        """The content of the file of that name, kept; None when there is none or it cannot be read."""
        if name not in self._contents:
            try:
                self._contents[name] = self.load(name)
            except SourceError:
                self._contents[name] = None
        return self._contents[name]

    def load(self, name: str) -> bytes:
        """The content of a file, read anew.

        Raises:
            SourceError: it is missing or cannot be read.
        """
        given = self._given.get(name)
        if given is not None:
            return given
        try:
            with open(f"{self._real}/{name}", "rb", buffering=0) as stream:
                return stream.read()
        except FileNotFoundError as error:
            missing = "the link leads nowhere" if os.path.islink(os.path.join(self._real, name)) else "no such file"
            raise SourceError(missing, file=join(self.path, name), remedy="correct the path") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(
                f"cannot be read: {reason}", file=join(self.path, name), remedy="allow it to be read, or leave it out"
            ) from error

    def give(self, name: str, content: bytes) -> None:
        """Put a content in the place of the file's own, whether or not there is such a file."""
        self._given[name] = content
        self._files = None


def open_directory(path: str, known: dict[str, FileDirectory] | None = None) -> FileDirectory:
    """The directory at a path. It is listed when it is first asked.

    Args:
        path: of a directory.
        known: the directories opened so far, to be shared by all that belong to one run.
    """
    known = {} if known is None else known
    real = os.path.abspath(path)
    return known.get(real) or FileDirectory(shown_path(path), real, known)


def shown_path(path: str) -> str:
    """A path as it is printed: with ``/``, relative when it lies in the working directory, ``.`` for that itself."""
    absolute = os.path.abspath(path)
    here = os.getcwd()
    if absolute == here:
        return "."
    if absolute.startswith(here + os.sep):
        return absolute[len(here) + 1 :].replace(os.sep, "/")
    return (absolute if os.path.isabs(path) else os.path.normpath(path)).replace(os.sep, "/")


def join(directory: str, name: str) -> str:
    """A directory's path and a path below it, as one."""
    if directory == ".":
        return name
    return f"{directory}{name}" if directory.endswith("/") else f"{directory}/{name}"


def _shown_above(path: str, real: str) -> str:
    """The path of the directory above: relative paths stay relative."""
    if os.path.isabs(path):
        return shown_path(real)
    return ".." if path == "." else os.path.normpath(join(path, "..")).replace(os.sep, "/")
