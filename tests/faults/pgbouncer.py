"""PgBouncer before a server: the one that is installed, or Debian's package, fetched once into the cache directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dflint.model import user_cache
from dflint.postgres.identity import identities
from dflint.postgres.scratch import _free_port

PACKAGES = ("pgbouncer", "libc-ares2", "libevent-2.1-7")


@cache
def program() -> Path | None:
    """PgBouncer's program; None where there is none and Debian's packages cannot be had."""
    found = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is not None:
        return Path(found)
    directory = user_cache.directory()
    if directory is None:
        return None
    home = Path(directory) / "pgbouncer"
    if not (home / "usr/sbin/pgbouncer").exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        with contextlib.suppress(subprocess.CalledProcessError), tempfile.TemporaryDirectory() as scratch:
            _fetch(Path(scratch), home)
    return home / "usr/sbin/pgbouncer" if (home / "usr/sbin/pgbouncer").exists() else None


def _fetch(scratch: Path, home: Path) -> None:
    download = ["apt-get", "download", *PACKAGES]
    if subprocess.run(download, cwd=scratch, capture_output=True, check=False).returncode != 0 and os.geteuid() == 0:
        subprocess.run(["apt-get", "update"], capture_output=True, check=True)
        subprocess.run(download, cwd=scratch, capture_output=True, check=True)
    unpacked = scratch / "unpacked"
    for package in scratch.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(unpacked, home)


@contextmanager
def pooled(dsn: str, folder: Path, mode: str, **settings: str) -> Iterator[str]:
    """A connection string that goes through a PgBouncer.

    Args:
        dsn: of the server, by its socket.
        folder: for its files.
        mode: ``session`` or ``transaction``.
        settings: more of its configuration.
    """
    found = program()
    assert found is not None
    server = conninfo_to_dict(dsn)
    given = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(_free_port()),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        "default_pool_size": "4",
        "ignore_startup_parameters": "extra_float_digits,options",
        "server_login_retry": "1",
        "logfile": str(folder / "pgbouncer.log"),
        **settings,
    }
    target = f"host={server['host']} port={server['port']} dbname={server['dbname']} user={server['user']}"
    lines = ["[databases]", f"{server['dbname']} = {target}", "[pgbouncer]", *(f"{k} = {v}" for k, v in given.items())]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    libraries = found.parents[1] / "lib/x86_64-linux-gnu"
    # As whoever runs the server; never as root, which it refuses.
    command = identities()[0].command(str(found), "-q", str(folder / "pgbouncer.ini"), libraries=str(libraries))
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    through = make_conninfo(dsn, host="127.0.0.1", port=given["listen_port"], options="")
    try:
        _wait(process, through)
        yield through
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], dsn: str) -> None:
    for _ in range(300):
        assert process.poll() is None, "PgBouncer ended"
        try:
            psycopg.connect(dsn, connect_timeout=3).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("PgBouncer does not answer")
