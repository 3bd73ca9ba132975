"""The data directory that initdb makes, made once for each version of PostgreSQL and copied for every server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from dflint.model.errors import ServerError
from dflint.postgres.programs import Programs, environment
from dflint.postgres.providers import Usable

#: The database superuser of every server.
SUPERUSER = "postgres"


class Made(msgspec.Struct, frozen=True):
    """What is written down when a template is complete.

    Attributes:
        password: of the superuser. Who may open the folder of a server's socket is let in without; who comes over TCP
            needs it, since everybody on the machine can reach a port.
        files: how many files there are: caches are cleared in parts.
    """

    password: str
    files: int


def arguments(major: int) -> tuple[str, ...]:
    """What initdb is called with."""
    access = ("--username", SUPERUSER, "--auth-local", "trust", "--auth-host", "scram-sha-256")
    # Small WAL segments halve the directory.
    layout = ("--encoding", "UTF8", "--locale", "C", "--no-sync", "--wal-segsize", "1")
    checksums = ("--no-data-checksums",) if major >= 18 else ()
    return access + layout + checksums


def instantiate(
    server: Usable, programs: Callable[[], Programs], cache: Path, target: Path, make_folder: Callable[[], Path]
) -> str:
    """Make a new data directory at ``target``, of our own; the superuser's password.

    Args:
        server: which PostgreSQL.
        programs: how it is run; only asked when there is no template yet.
        cache: the directory that outlives the run.
        target: the data directory, which does not exist yet.
        make_folder: makes an empty folder that goes with the server, for initdb to work in.

    Raises:
        ServerError: initdb failed.
    """
    directory = cache / "templates"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = hashlib.sha256("\0".join((server.full_version, *arguments(server.major))).encode()).hexdigest()[:16]
    home = directory / key
    with (directory / f"{key}.lock").open("w") as lock:
        # Many may copy at a time; whoever makes or replaces the template is alone.
        fcntl.flock(lock, fcntl.LOCK_SH)
        made = _copied(home, target)
        if made is None:
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = _copied(home, target) or _make(server, programs(), home, make_folder(), target)
    return made.password


def _copied(home: Path, target: Path) -> Made | None:
    """Copy a template; None when there is none, or not all of it."""
    try:
        made = msgspec.json.decode((home / "made.json").read_bytes(), type=Made)
        if copy_tree(home / "data", target) == made.files:
            return made
    except (OSError, msgspec.MsgspecError):
        pass
    shutil.rmtree(target, ignore_errors=True)
    return None


def _make(server: Usable, programs: Programs, home: Path, workplace: Path, target: Path) -> Made:
    shutil.rmtree(home, ignore_errors=True)
    password = secrets.token_urlsafe(24)
    (workplace / "password").write_text(password, "ascii")
    programs.give(workplace)
    _initdb(server, programs, workplace)
    # Beside the template, then renamed: there is all of it or nothing.
    unfinished = home.with_name(f"{home.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    made = Made(password, copy_tree(workplace / "data", unfinished / "data"))
    (unfinished / "made.json").write_bytes(msgspec.json.encode(made))
    unfinished.rename(home)
    copy_tree(home / "data", target)
    return made


def _initdb(server: Usable, programs: Programs, folder: Path) -> None:
    files = ("--pwfile", str(folder / "password"), "--pgdata", str(folder / "data"))
    done = subprocess.run(
        programs.command("initdb", *arguments(server.major), *files),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise ServerError(
            f"initdb of {server.full_version} from {server.installation.origin} failed: "
            f"{(done.stderr.strip() or done.stdout.strip())[-2000:]}"
        )


def copy_tree(source: Path, target: Path) -> int:
    """Copy a folder of plain files and folders, private to this user; how many files it has.

    Raises:
        OSError: it could not be copied.
    """
    files = 0
    folders = [(os.fspath(source), os.fspath(target))]
    while folders:
        here, there = folders.pop()
        os.mkdir(there, 0o700)
        with os.scandir(here) as entries:
            for entry in entries:
                path = os.path.join(there, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, path))
                else:
                    _copy_file(entry.path, path)
                    files += 1
    return files


def _copy_file(source: str, target: str) -> None:
    if sys.platform != "linux":
        shutil.copyfile(source, target)
        return
    # Half the time of shutil's: there are a thousand files, most of them small.
    reader = os.open(source, os.O_RDONLY)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while os.sendfile(writer, reader, None, 1 << 30):
                pass
        finally:
            os.close(writer)
    finally:
        os.close(reader)
