"""PostgreSQL's programs, run as somebody whom they accept, from where that somebody can read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from dflint.model.errors import ServerError
from dflint.plugin.servers import Installation
from dflint.postgres.identity import Identity
from dflint.postgres.unprivileged_exec import NO_IDENTITY


class Programs(Struct, frozen=True):
    """Programs that can be run.

    Attributes:
        identity: as whom.
        bindir: where they are.
        libraries: a directory that their loader searches first, or None.
    """

    identity: Identity
    bindir: Path
    libraries: str | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs one of them."""
        return self.identity.command(str(self.bindir / program), *arguments, libraries=self.libraries)

    def give(self, path: Path) -> None:
        """Let them own one of our folders, and all in it."""
        if self.identity.owner is not None:
            os.chown(path, *self.identity.owner)
            for folder, folders, files in os.walk(path):
                for name in (*folders, *files):
                    os.chown(os.path.join(folder, name), *self.identity.owner, follow_symlinks=False)


def environment(libraries: str | None = None) -> dict[str, str]:
    """The environment for programs: nothing of the user's libpq settings, locale or time zone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_")) and name != "LANG"}
    kept |= {"LC_ALL": "C", "TZ": "UTC"}
    if libraries is not None:
        kept["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (libraries, kept.get("LD_LIBRARY_PATH"))))
    return kept


class Trial:
    """Finds out as whom an installation's programs can be run, while something else is done."""

    def __init__(self, installation: Installation, candidates: Sequence[Identity]) -> None:
        """Begin with the first candidate; whoever we are ourselves needs no trial."""
        self._installation = installation
        self._candidates = list(candidates)
        self._running: subprocess.Popen[str] | None = None
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.communicate()

    def _begin(self) -> None:
        identity = self._candidates[0]
        if identity.name != "own":
            program = os.path.join(self._installation.bindir, "postgres")
            self._running = subprocess.Popen(
                identity.command(program, "--version", libraries=self._installation.libraries),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment(),
                cwd="/",
            )

    def outcome(self, make_folder: Callable[[], Path]) -> Programs:
        """The programs, as they can be run.

        Args:
            make_folder: makes an empty folder that everybody can reach, should they have to be copied into one.

        Raises:
            ServerError: nobody may run them.
        """
        while True:
            message = ""
            status = 0
            if self._running is not None:
                message = self._running.communicate()[1].strip()
                status = self._running.returncode
                self._running = None
            identity = self._candidates.pop(0)
            if status != NO_IDENTITY:
                break
            if not self._candidates:
                raise ServerError(
                    f"PostgreSQL does not run as this user, and becoming another is forbidden here: {message}",
                    remedy="run dflint as an ordinary user, or name a server with --db",
                )
            self._begin()
        installation = self._installation
        if status == 0:
            return Programs(identity, Path(installation.bindir), installation.libraries)
        # We can run them, whoever that identity is cannot: they lie where only root reads, such as below /root.
        return _copied(installation, identity, make_folder())


def _copied(installation: Installation, identity: Identity, folder: Path) -> Programs:
    """Copy PostgreSQL's whole tree: its programs find all else by the way from their own place."""
    bindir = Path(installation.bindir)
    tree = _opened_copy(bindir.parent, folder / "postgresql")
    libraries = None
    if installation.libraries is not None:
        libraries = str(_opened_copy(Path(installation.libraries), folder / "libraries"))
    folder.chmod(0o755)
    return Programs(identity, tree / bindir.name, libraries)


def _opened_copy(source: Path, target: Path) -> Path:
    """A copy that everybody may read: it is no secret."""
    shutil.copytree(source, target, symlinks=True)
    for path, _, names in os.walk(target):
        os.chmod(path, 0o755)  # noqa: S103 - as above
        for file in (os.path.join(path, name) for name in names):
            if not os.path.islink(file):
                os.chmod(file, 0o755 if os.access(file, os.X_OK) else 0o644)
    return target
