"""From the paths a user gives to histories: which migrations there are, whose they are, and in which order they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from dflint.app.directories import FileDirectory, join, open_directory
from dflint.model.errors import DflintError, InputError, SourceError
from dflint.model.migration import Runner
from dflint.plugin.manager import load
from dflint.plugin.sources import Claim, Source

#: How many directories above a given file or directory are asked whether they are a history it belongs to.
_ABOVE = 3

_NOT_WALKED = frozenset({"node_modules", "vendor", "venv", "virtualenv", "__pycache__", "site-packages"})

PSQL = "psql"

#: The runner of statements that were recorded.
TRACE = "trace"

#: How text without a file name is called.
STDIN = "<stdin>"


class History(NamedTuple):
    """The migrations of one directory, as one runner runs them.

    Attributes:
        directory: its root.
        runner: with the reason why it was taken.
        files: paths relative to the directory, in the order they run.
        source: the runner's source plugin.
        selected: those of the files that the user wants to be judged; the others are history, replayed and not judged.
        ignored: ``.sql`` files lying among the migrations that the runner does not run, sorted.
        text: path and content of a file whose text is given and not read from disk, None where there is none.
        after_baseline: the applied files are left out, for a snapshot holds what they made; all others are one change.
    """

    directory: FileDirectory
    runner: Runner
    files: tuple[str, ...]
    source: Source
    selected: frozenset[str]
    ignored: tuple[str, ...] = ()
    text: tuple[str, bytes] | None = None
    after_baseline: bool = False

    @property
    def last_selected(self) -> int:
        """The place in ``files`` of the last one to be judged; -1 when there is none."""
        for index in range(len(self.files) - 1, -1, -1):
            if self.files[index] in self.selected:
                return index
        return -1

    def path(self, file: str) -> str:
        """A file's path as it is printed."""
        return join(self.directory.path, file)

    def place(self, file: str) -> FileDirectory:
        """The directory in which a file of the history lies."""
        here = self.directory
        for folder in file.split("/")[:-1]:
            here = here.folder(folder) or here
        return here

    def read(self, file: str) -> bytes:
        """The content of a file of the history.

        Raises:
            SourceError: it cannot be read.
        """
        if self.text is not None and self.text[0] == file:
            return self.text[1]
        return self.place(file).load(file.rpartition("/")[2])


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
        SourceError: a directory cannot be listed.
    """
    finder = _Finder(sources, runner_override, on_error)
    for path in paths:
        if os.path.isdir(path):
            finder.directory(path)
        elif os.path.lexists(path):
            finder.file(path)
        else:
            raise InputError("no such file or directory", file=path, remedy="correct the path")
    return finder.histories()


def discover_text(
    text: bytes, path: str | None, sources: Sequence[Source], runner_override: tuple[str, str | None] | None = None
) -> History:
    """The history that a text belongs to: that of the file it stands for, existing or not.

    Args:
        text: of the file.
        path: of the file, None when it has none.
        sources: as in `discover`.
        runner_override: as in `discover`.

    Raises:
        InputError: the runner to take is unknown.
    """
    finder = _Finder(sources, runner_override, None)
    if path is None:
        finder.alone(STDIN)
    else:
        finder.file(path, text)
    history = finder.histories()[0]
    (selected,) = history.selected
    return history._replace(text=(selected, text))


def load_sources(references: Mapping[str, str]) -> list[Source]:
    """Load the runners' source plugins, in the order given.

    Raises:
        PluginError: one fails to load.
    """
    return [load(reference) for reference in references.values()]


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
        self._selected: dict[tuple[str, str], set[str]] = {}
        self._visited: set[tuple[int, int]] = set()
        self._known: dict[str, FileDirectory] = {}
        self._asked: dict[str, tuple[Claim, Source] | None] = {}
        self._claimed: dict[str, frozenset[str]] = {}

    def histories(self) -> list[History]:
        """All, in the order in which they were found."""
        return [history._replace(selected=frozenset(self._selected[key])) for key, history in self._found.items()]

    def directory(self, path: str) -> None:
        """A directory that the user gave: perhaps a part of a history above it, else walked."""
        given = open_directory(path, self._known)
        if self._ask(given) is None:
            above = given.parent
            inside = f"{given.name}/"
            for _ in range(_ABOVE):
                if above is None:
                    break
                claimed = self._ask(above)
                part = [file for file in claimed[0].files if file.startswith(inside)] if claimed else []
                if claimed is not None and part:
                    self._add(above, claimed, part)
                    self._walk_uncovered(given, [file[len(inside) :] for file in part], ())
                    return
                inside = f"{above.name}/{inside}"
                above = above.parent
        self._walk(given)

    def file(self, path: str, content: bytes | None = None) -> None:
        """A file that the user gave, perhaps with a content of its own."""
        name = os.path.basename(path)
        own = open_directory(os.path.dirname(path) or ".", self._known)
        if content is not None:
            own.give(name, content)
            self._asked.clear()
            self._claimed.clear()
        here: FileDirectory | None = own
        relative = name
        for _ in range(_ABOVE + 1):
            if here is None:
                break
            claimed = self._ask(here)
            if claimed is not None and relative in self._claimed[here.real]:
                self._add(here, claimed, (relative,))
                return
            relative = f"{here.name}/{relative}"
            here = here.parent
        self._add_unclaimed(own, name)

    def alone(self, name: str) -> None:
        """A text that is no file and has no history."""
        source = self._forced or self._psql
        here = open_directory(".", self._known)
        self._add(here, (Claim(self._default(source), (name,)), source), (name,))

    def _add_unclaimed(self, own: FileDirectory, name: str) -> None:
        owner = self._ask(own)
        source = self._forced or self._psql
        runner = self._default(source)
        if name.endswith(".json"):
            # A trace says by itself what ran in which transaction.
            runner = Runner(TRACE, reason="a trace names the transaction of each statement")
            self._add(own, (Claim(runner, (name,)), source), (name,))
            return
        if owner is not None and self._forced is None:
            # The runner leaves this file out of its history, which it is no part of then.
            runner = replace(runner, reason=f"{owner[1].name} owns the folder but does not run this file")
        files = source.files(own)
        if name not in files or owner is not None:
            files = (name,)
        self._add(own, (Claim(runner, files), source), (name,))

    # --- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, directory: FileDirectory) -> tuple[Claim, Source] | None:
        """Who claims a directory."""
        key = directory.real
        if key not in self._asked:
            claimed = self._asked[key] = self._ask_sources(directory)
            self._claimed[key] = frozenset(claimed[0].files) if claimed is not None else frozenset()
        return self._asked[key]

    def _ask_sources(self, directory: FileDirectory) -> tuple[Claim, Source] | None:
        if self._forced is not None:
            files = self._forced.files(directory)
            return (Claim(self._default(self._forced), files), self._forced) if files else None
        for source in self._sources:
            claim = source.claim(directory)
            if claim is not None and claim.files:
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
            self._add(directory, claimed, files)
            self._walk_uncovered(directory, files, claimed[0].covers)
            return
        files = self._psql.files(directory)
        if files and self._forced is None:
            self._add(directory, (Claim(self._default(self._psql), files), self._psql), files)
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
            return False  # through a link, or given twice
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

    def _add(self, directory: FileDirectory, claimed: tuple[Claim, Source], selected: Iterable[str]) -> None:
        claim, source = claimed
        key = (directory.real, source.name if len(claim.files) > 1 else f"{source.name}:{claim.files[:1]}")
        self._selected.setdefault(key, set()).update(selected)
        if key not in self._found:
            ignored = tuple(_left_out(directory, claim))
            self._found[key] = History(directory, claim.runner, claim.files, source, frozenset(), ignored)


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
