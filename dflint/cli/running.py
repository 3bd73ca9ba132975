"""The one place that runs an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end.

    SIGINT and SIGTERM cancel it once, so that it clears up; while it does, further ones are not heard.

    Raises:
        KeyboardInterrupt: it was cancelled by a signal.
    """
    return asyncio.run(_until_signalled(coroutine))


async def _until_signalled(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    task = asyncio.ensure_future(coroutine)
    loop = asyncio.get_running_loop()
    heard = False

    def stop() -> None:
        nonlocal heard
        if not heard:
            heard = True
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if heard:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
