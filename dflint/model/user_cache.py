"""Where the user's caches are."""

from __future__ import annotations

import os
import sys


def directory() -> str | None:
    """Dflint's directory for caches, which need not exist yet; None when the user has none."""
    home = os.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(home):
        if sys.platform == "win32":
            home = os.environ.get("LOCALAPPDATA", "")
        else:
            home = os.path.join(os.path.expanduser("~"), "Library/Caches" if sys.platform == "darwin" else ".cache")
    return os.path.join(home, "dflint") if os.path.isabs(home) else None
