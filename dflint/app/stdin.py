"""Text from standard input as a file of a history."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dflint.app.directories import FileDirectory, open_directory
from dflint.app.discovery import History, discover
from dflint.model.migration import Runner
from dflint.plugin.sources import Source


class _Overlay(FileDirectory):
    """A directory in which one file has another content, or exists although it is not on disk."""
