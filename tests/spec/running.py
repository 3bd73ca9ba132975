"""Running the specification's code blocks as they are written.

They are in ``blocks/``, to the letter. Only the word ``dataflow`` in their import lines becomes ``dflint``.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

BLOCKS = Path(__file__).parent / "blocks"
_IMPORT = re.compile(r"^(\s*(?:from|import)\s+)dataflow\b", re.MULTILINE)


def source(name: str) -> str:
    """The text of a block as it is run."""
    return _IMPORT.sub(r"\1dflint", (BLOCKS / f"{name}.txt").read_text(encoding="utf-8"))


async def run(name: str, **prelude: Any) -> dict[str, Any]:
    """Run a block at the top level of a module, where ``await`` is allowed.

    Args:
        name: of its file.
        prelude: the names that it finds.

    Returns:
        The module's names afterwards.
    """
    code = compile(source(name), f"{name}.txt", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"__name__": name, **prelude}
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result
    return names
