"""What a migration runner's source plugin is: it finds migration files, orders them, and says how each is run."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from dflint.model.migration import Notice, Runner, Section


class Directory(Protocol):
    """A directory, read lazily. Paths use ``/`` and are relative to the working directory where possible."""

    @property
    def path(self) -> str:
        """Its path, ``.`` for the working directory."""

    @property
    def name(self) -> str:
        """Its own name, also when `path` is ``.``; empty at the root of the file system."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its regular files, sorted."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of its sub-directories, sorted."""

    def has(self, name: str) -> bool:
        """Whether a regular file of that name lies in it."""

    def folder(self, name: str) -> Directory | None:
        """The sub-directory of that name; None when there is none."""

    @property
    def parent(self) -> Directory | None:
        """The directory above, None at the root of the file system."""

    def read(self, name: str) -> bytes | None:
        """The content of the file of that name; None when there is none or it cannot be read."""


class Claim(NamedTuple):
    """A history: a directory that one runner owns.

    Attributes:
        runner: with the reason, which names the mark that was found.
        files: paths of the migrations relative to the directory, with ``/``, in the order they run. Files that only
            undo (``*.down.sql``) are listed where they belong; their sections say ``down``.
        covers: names of sub-directories that belong to the history although none of its files lies there, such as
            sqitch's ``verify``.
    """

    runner: Runner
    files: tuple[str, ...]
    covers: tuple[str, ...] = ()


class MigrationFile(NamedTuple):
    """A migration file that a source is asked about.

    Attributes:
        path: relative to the history's root, with ``/``.
        text: UTF-8, without byte order mark. Offsets of sections and notices are byte offsets in it.
        directory: where the file lies; side files such as ``metadata.toml`` are read through it.
        runner: as claimed or as the user said.
        had_bom: the file began with a byte order mark, which some runners' markers do not survive.
    """

    path: str
    text: bytes
    directory: Directory
    runner: Runner
    had_bom: bool = False


class Sections(NamedTuple):
    """How a runner cuts up one file. Text in no section never runs (a header before the first marker, say)."""

    sections: tuple[Section, ...]
    notices: tuple[Notice, ...] = ()


class Source(Protocol):
    """A migration runner."""

    @property
    def name(self) -> str:
        """The runner's name as ``--runner`` takes it, such as ``goose``."""

    def claim(self, directory: Directory) -> Claim | None:
        """Claim the directory as this runner's history if it carries the runner's own mark.

        A mark is a configuration file, a directory layout with its fixed name, or a marker in a file. A number
        before a name is no mark.
        """

    def files(self, directory: Directory) -> tuple[str, ...]:
        """The migrations of a directory that the user says is this runner's, as in `Claim.files`."""

    def sections(self, file: MigrationFile) -> Sections:
        """Cut up one file. Never raises for odd content: it says so in a notice."""
