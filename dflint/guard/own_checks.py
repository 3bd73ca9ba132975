"""Checks that users write: a query that must say true, a program that must succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from dflint.plugin.validators import Check, Situation, Verdict

#: Of a program's output so much is kept, in characters.
_KEPT = 2000


def assertion(query: str) -> Check:
    """A check that runs one query, whose single value must be true."""

    async def check(situation: Situation) -> Verdict:
        rows = await situation.queries.rows(query)
        if len(rows) != 1 or len(rows[0]) != 1 or not isinstance(rows[0][0], bool):
            return Verdict(None, f"the query gives no single true or false: {query}", {"rows": len(rows)})
        return Verdict(rows[0][0], "the query says true" if rows[0][0] else f"the query says false: {query}")

    return check


def command(words: Sequence[str]) -> Check:
    """A check that runs a program, which must exit with 0."""

    async def check(situation: Situation) -> Verdict:  # noqa: ARG001  # the program knows its database itself
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            return Verdict(None, f"{words[0]} cannot be run: {error.strerror}")
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        said = output.decode("utf-8", "replace")[-_KEPT:]
        status = process.returncode
        if status:
            return Verdict(False, f"{words[0]} exited with {status}", {"status": status, "output": said})
        return Verdict(True, f"{words[0]} succeeded", {"status": 0, "output": said})

    return check
