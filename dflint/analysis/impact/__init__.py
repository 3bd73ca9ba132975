"""What a change does to everything else.

`impact` is the door: an operation and a catalog give an `Impact`. Dropping follows the server's own rules; what a text
names, and is looked up when it runs, breaks later.
"""

from __future__ import annotations

from dflint.analysis.impact.effects import command_of, impact

__all__ = ["command_of", "impact"]
