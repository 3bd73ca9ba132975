"""Renaming a table without breaking anything.

The server follows a renamed table by its number: views, foreign keys, indexes, triggers, policies and privileges stay
as they are. Only texts that name the table break. `analyse` finds them and edits them; `script` gives the statements.
"""

from __future__ import annotations

from dflint.analysis.rename.edits import BodyEdit
from dflint.analysis.rename.impact import RenameImpact, UnsafeRename, analyse
from dflint.analysis.rename.script import Script, script

__all__ = ["BodyEdit", "RenameImpact", "Script", "UnsafeRename", "analyse", "script"]
