"""Writes the JSON Schemas of the machine formats beside this file. A test says when that is due."""

from __future__ import annotations

from pathlib import Path

from dflint_reports.lint_document import schema

if __name__ == "__main__":
    Path(__file__).with_name("lint.schema.json").write_bytes(schema())
