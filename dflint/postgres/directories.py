"""Where servers keep their files: templates and the registry in the user's cache, data where it is quickest."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from dflint.model import user_cache
from dflint.model.errors import ServerError

#: Longest path of a Unix socket that all systems take, in bytes: sun_path less its closing NUL, smallest on macOS.
LONGEST_SOCKET = 103

#: What a file system in memory must have free, bytes: a server takes 40 MB before anybody has written a row.
_ROOM_IN_MEMORY = 2 << 30


def cache_directory() -> Path:
    """What outlives a run: templates and the registry of servers."""
    home = user_cache.directory()
    if home is not None:
        path = Path(home) / "postgres"
        with suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _writable(path):
            return path
    # A user without a home: a folder of their own that survives the run, and that nobody else may have made.
    path = Path(tempfile.gettempdir()) / f"dflint-{os.geteuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise ServerError(f"{path} belongs to somebody else", remedy="set XDG_CACHE_HOME to a directory of your own")
    return path / "postgres"


def scratch_root(*, in_memory: bool | None, reachable_by_others: bool) -> Path:
    """The directory in which a server's folder is made.

    Args:
        in_memory: whether the data is to be kept in memory; None: where there is room for it.
        reachable_by_others: another user has to get there.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    if in_memory is not False and _writable(memory) and (in_memory or _free(memory) >= _ROOM_IN_MEMORY):
        return memory
    for candidate in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - the same
        path = Path(candidate)
        if _writable(path) and not (reachable_by_others and _closed_to_others(path)):
            return path
    raise ServerError("no directory for temporary files can be written", remedy="set TMPDIR")


def socket_root(folder: Path) -> Path:
    """The directory for the server's socket: its folder, or where the path is short enough."""
    for candidate in (folder, Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - a folder of our own is made in it
        longest = candidate / "dflint-0123456789ab" / ".s.PGSQL.65535"
        if len(os.fsencode(longest)) <= LONGEST_SOCKET and (candidate == folder or _writable(candidate)):
            return candidate
    raise ServerError("no directory with a path short enough for a socket can be written", remedy="set TMPDIR")


def _writable(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


def _closed_to_others(path: Path) -> bool:
    resolved = path.resolve()
    return any(not directory.stat().st_mode & 0o001 for directory in (resolved, *resolved.parents))
