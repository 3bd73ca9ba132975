"""Workers as processes: what they say, and how they are ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RUN = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
PATIENCE_S = 60


class Worker:
    """A running worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []

    async def until(self, what: str, **more: Any) -> dict[str, Any]:
        """Read on until it says this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                self.said.append(json.loads(line))
                if {"what": what, **more}.items() <= self.said[-1].items():
                    return self.said[-1]
        raise AssertionError(f"it ended before it said {what!r}: {self.said}")

    def wake(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Its exit status, after the rest of what it says."""
        async with asyncio.timeout(PATIENCE_S):
            assert self.process.stdout is not None
            while line := await self.process.stdout.readline():
                self.said.append(json.loads(line))
            return await self.process.wait()


@asynccontextmanager
async def worker(
    dsn: str, run: str, action: str, *arguments: str, through: tuple[str, ...] = ()
) -> AsyncIterator[Worker]:
    """A worker while the context lasts; ``through`` is a command that runs it."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    process = await asyncio.create_subprocess_exec(
        *through,
        sys.executable,
        "-m",
        "tests.faults.worker",
        dsn,
        run,
        action,
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
