"""Where a program's code uses what a change touches: SQL files, and SQL and names of tables in Python."""

from __future__ import annotations

from dflint.analysis.code_use.searching import CodeSearch

__all__ = ["CodeSearch"]
