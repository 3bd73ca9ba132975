"""Work without garbage collection.

The project's values have no cycles. Looking for some among hundreds of thousands of them, or in every parse tree, takes
longer than making them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection(*, keeping: bool = False) -> Iterator[None]:
    """Collect no garbage for as long as the context lasts.

    Args:
        keeping: what was made meanwhile stays, as a rule, so that no later collection has to look at it either.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if keeping:
                gc.freeze()
            gc.enable()
