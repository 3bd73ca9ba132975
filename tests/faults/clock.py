"""A server whose clock can be turned, without turning the machine's."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster

#: Loaded into the server before its C library: what asks for the time of day gets it with an offset.
_SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
    static volatile long *shared;
    if (!shared) {
        int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
        void *mapped = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED)
            return 0;
        close(file);
        shared = mapped;
    }
    return *shared;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds)
        *seconds = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """The clock of one server."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.turn(0)

    def turn(self, seconds: int) -> None:
        """Let it be ahead of the machine's by so much; less than 0: behind."""
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as stream:
            stream.write(struct.pack("l", seconds))


@contextmanager
def turnable(major: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cluster, Clock]]:
    """A server, and its clock. Skips where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/proc/self/maps").exists():
        pytest.skip("turning a server's clock needs a C compiler, and Linux")
    with tempfile.TemporaryDirectory() as name:
        # Whoever the server runs as has to be able to read it.
        os.chmod(name, 0o755)
        folder = Path(name)
        (folder / "shim.c").write_text(_SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", "shim.so", "shim.c"], cwd=folder, check=True)
        clock = Clock(folder / "offset")
        with monkeypatch.context() as patched:
            patched.setenv("LD_PRELOAD", str(folder / "shim.so"))
            patched.setenv("CLOCK_OFFSET", str(folder / "offset"))
            cluster = Cluster(major).__enter__()
        try:
            yield cluster, clock
        finally:
            cluster.__exit__(None, None, None)
