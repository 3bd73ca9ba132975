"""From the paths a user gives to histories: which migrations there are, whose they are, and in which order they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from dflint.app.directories import FileDirectory, join, open_directory, shown_path
from dflint.model.errors import DflintError, InputError, SourceError
from dflint.model.migration import Runner
from dflint.plugin.sources import Claim, Source

#: How many directories above a given file or directory are asked whether they are a history it belongs to.
_ABOVE = 3

_NOT_WALKED = frozenset({"node_modules", "vendor", "venv", "virtualenv", "__pycache__", "site-packages"})

PSQL = "psql"


class History(NamedTuple):
    """The migrations of one directory, as one runner runs them.

    Attributes:
        directory: its root.
        runner: with the reason why it was taken.
        files: paths relative to the directory, in the order they run.
        source: the runner's source plugin.
        selected: those of the files that the user wants to be judged; the others are history, replayed and not judged.
        ignored: ``.sql`` files lying among the migrations that the runner does not run, sorted.
    """

    directory: FileDirectory
    runner: Runner
    files: tuple[str, ...]
    source: Source
    selected: frozenset[str]
    ignored: tuple[str, ...] = ()

    def path(self, file: str) -> str:
        """A file's path as it is printed."""
        return join(self.directory.path, file)

    def place(self, file: str) -> FileDirectory:
        """The directory in which a file of the history lies."""
        here = self.directory
        for name in file.split("/")[:-1]:
            below = here.folder(name)
            if below is None:
                break
            here = below
        return here


def discover(
    paths: Iterable[str],
    sources: Sequence[Source],
    runner_override: tuple[str, str | None] | None = None,
    on_error: Callable[[DflintError], None] | None = None,
) -> list[History]:
    """Find the histories.

    A directory is walked: what no runner claims is plain psql, one history for each directory that holds ``.sql``
    files. Hidden directories, ``node_modules``, ``vendor`` and virtual environments are walked only when given. A file
    selects itself in the history it belongs to, looked for in its directory and the three above.

    Args:
        paths: files and directories, as the user gave them.
        sources: in the order in which they are asked; one of them is named psql.
        runner_override: name and version of the runner to take, whatever the marks say.
        on_error: told of a directory that cannot be listed; without it the error is raised.

    Raises:
        InputError: a path does not exist, or the runner to take is unknown.
    """
    finder = _Finder(sources, runner_override, on_error)
    for path in paths:
        if os.path.isdir(path):
            finder.directory(open_directory(path))
        elif os.path.lexists(path):
            finder.file(path)
        else:
            raise InputError("no such file or directory", file=path, remedy="correct the path")
    return finder.histories()


class _Finder:
    """What has been found so far."""

    def __init__(
        self,
        sources: Sequence[Source],
        override: tuple[str, str | None] | None,
        on_error: Callable[[DflintError], None] | None,
    ) -> None:
        self._sources = sources
        self._psql = next(source for source in sources if source.name == PSQL)
        self._forced = None if override is None else _named(sources, override[0])
        self._version = None if override is None else override[1]
        self._on_error = on_error
        self._found: dict[tuple[str, str], History] = {}
        self._visited: set[tuple[int, int]] = set()
        self._opened: dict[str, FileDirectory] = {}

    def histories(self) -> list[History]:
        """All, in the order in which they were found."""
        return list(self._found.values())

    def directory(self, given: FileDirectory) -> None:
        """A directory that the user gave: perhaps a part of a history above it, else walked."""
        if self._ask(given) is None:
            above = given.parent
            inside = f"{given.name}/"
            for _ in range(_ABOVE):
                if above is None:
                    break
                claimed = self._ask(above)
                if claimed is not None:
                    part = frozenset(file for file in claimed[0].files if file.startswith(inside))
                    if part:
                        self._add(above, claimed, part)
                        self._walk_uncovered(given, [file[len(inside) :] for file in part], ())
                        return
                inside = f"{above.name}/{inside}"
                above = above.parent
        self._walk(given)

    def file(self, path: str) -> None:
        """A file that the user gave."""
        name = os.path.basename(path)
        own = self._open(os.path.dirname(path) or ".")
        here: FileDirectory | None = own
        relative = name
        for _ in range(_ABOVE + 1):
            if here is None:
                break
            claimed = self._ask(here)
            if claimed is not None and relative in claimed[0].files:
                self._add(here, claimed, frozenset({relative}))
                return
            relative = f"{here.name}/{relative}"
            here = here.parent
        source = self._forced or self._psql
        files = source.files(own)
        runner = self._default(source)
        # A file that a runner left out of its history, or of another ending, stands for itself.
        alone = name not in files or self._ask(own) is not None
        self._add(own, (Claim(runner, (name,) if alone else files), source), frozenset({name}))

    def _open(self, path: str) -> FileDirectory:
        key = shown_path(path)
        if key not in self._opened:
            self._opened[key] = open_directory(path)
        return self._opened[key]

    # --- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, directory: FileDirectory) -> tuple[Claim, Source] | None:
        """Who claims a directory."""
        if self._forced is not None:
            files = self._forced.files(directory)
            return (Claim(self._default(self._forced), files), self._forced) if files else None
        for source in self._sources:
            claim = source.claim(directory)
            if claim is not None:
                return claim, source
        return None

    def _default(self, source: Source) -> Runner:
        if self._forced is not None:
            return Runner(source.name, self._version, reason="--runner says so")
        return Runner(source.name, assumed=True, reason="no runner left its mark here")

    # --- walking --------------------------------------------------------------------------------------------------

    def _walk(self, directory: FileDirectory) -> None:
        if not self._enter(directory):
            return
        claimed = self._ask(directory)
        if claimed is not None:
            files = claimed[0].files
            self._add(directory, claimed, frozenset(files))
            self._walk_uncovered(directory, files, claimed[0].covers)
            return
        files = self._psql.files(directory)
        if files and self._forced is None:
            self._add(directory, (Claim(self._default(self._psql), files), self._psql), frozenset(files))
        self._walk_uncovered(directory, (), ())

    def _walk_uncovered(self, directory: FileDirectory, files: Iterable[str], covers: Sequence[str]) -> None:
        covered = {file.partition("/")[0] for file in files if "/" in file}
        covered.update(covers)
        for name in directory.folders:
            if name in covered or name in _NOT_WALKED or name.startswith("."):
                continue
            below = directory.folder(name)
            if below is not None and "pyvenv.cfg" not in below.files:
                self._walk(below)

    def _enter(self, directory: FileDirectory) -> bool:
        """Whether a directory can be listed and has not been walked before, perhaps through a link."""
        try:
            status = os.stat(directory.real)
        except OSError as error:
            self._complain(directory, error)
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in self._visited:
            return False
        self._visited.add(identity)
        if not directory.files and directory.error is not None:
            self._complain(directory, directory.error)
            return False
        return True

    def _complain(self, directory: FileDirectory, error: OSError) -> None:
        problem = SourceError(
            f"the directory cannot be listed: {error.strerror}",
            file=directory.path,
            remedy="allow it to be read, or leave it out",
        )
        if self._on_error is None:
            raise problem
        self._on_error(problem)

    def _add(self, directory: FileDirectory, claimed: tuple[Claim, Source], selected: frozenset[str]) -> None:
        claim, source = claimed
        key = (directory.real, source.name if len(claim.files) > 1 else f"{source.name}:{claim.files[:1]}")
        known = self._found.get(key)
        if known is not None:
            self._found[key] = known._replace(selected=known.selected | selected)
            return
        ignored = tuple(_left_out(directory, claim))
        self._found[key] = History(directory, claim.runner, claim.files, source, selected, ignored)


def _left_out(directory: FileDirectory, claim: Claim) -> Iterator[str]:
    """``.sql`` files beside the migrations that the runner does not run."""
    run = set(claim.files)
    for name in directory.files:
        if name.endswith(".sql") and name not in run:
            yield name


def _named(sources: Sequence[Source], name: str) -> Source:
    for source in sources:
        if source.name == name:
            return source
    known = ", ".join(sorted(source.name for source in sources))
    raise InputError(f"no runner is called {name!r}", remedy=f"one of {known}")
