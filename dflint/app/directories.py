"""Directories of the file system as runners' source plugins see them: read when asked for, and once."""

from __future__ import annotations

import os

from dflint.model.errors import InputError


class FileDirectory:
    """A directory on disk. It implements `dflint.plugin.Directory`.

    Attributes:
        path: with ``/``, relative to the working directory where it lies in it, else as the user gave it.
        error: why it cannot be listed, once it has been tried; None when it can.
    """

    __slots__ = ("_contents", "_files", "_folders", "_parent", "_real", "_subs", "error", "path")

    def __init__(self, path: str, real: str, parent: FileDirectory | None = None) -> None:
        """Use `open_directory`.

        Args:
            path: as it is printed.
            real: absolute, for the operating system.
            parent: the directory above, when it is known.
        """
        self.path = path
        self.error: OSError | None = None
        self._real = real
        self._parent = parent
        self._files: tuple[str, ...] | None = None
        self._folders: tuple[str, ...] = ()
        self._subs: dict[str, FileDirectory] = {}
        self._contents: dict[str, bytes | None] = {}

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
        self._files = tuple(sorted(files))
        self._folders = tuple(sorted(folders))

    def folder(self, name: str) -> FileDirectory | None:
        """The sub-directory of that name."""
        sub = self._subs.get(name)
        if sub is None:
            if name not in self.folders:
                return None
            sub = FileDirectory(join(self.path, name), os.path.join(self._real, name), self)
            self._subs[name] = sub
        return sub

    @property
    def parent(self) -> FileDirectory | None:
        """The directory above, None at the root of the file system."""
        if self._parent is None:
            above = os.path.dirname(self._real)
            if above == self._real:
                return None
            self._parent = FileDirectory(shown_path(above), above)
        return self._parent

    def read(self, name: str) -> bytes | None:
        """The content of the file of that name, kept; None when there is none or it cannot be read."""
        if name not in self._contents:
            try:
                with open(os.path.join(self._real, name), "rb") as stream:
                    self._contents[name] = stream.read()
            except (OSError, ValueError):
                self._contents[name] = None
        return self._contents[name]

    def forget(self) -> None:
        """Let go of what was read here and above, so that a long run does not hold it."""
        here: FileDirectory | None = self
        while here is not None:
            here._contents.clear()
            here = here._parent


def open_directory(path: str) -> FileDirectory:
    """The directory at a path.

    Raises:
        InputError: there is none, or it cannot be listed.
    """
    directory = FileDirectory(shown_path(path), os.path.abspath(path))
    if not directory.files and directory.error is not None:
        error = directory.error
        if isinstance(error, FileNotFoundError):
            raise InputError("no such directory", file=path, remedy="correct the path")
        raise InputError(
            f"the directory cannot be listed: {error.strerror}", file=directory.path, remedy="allow it to be read"
        )
    return directory


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
