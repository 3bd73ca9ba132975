"""Reading the files of a history, before anything is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dflint.app.discovery import History
from dflint.model.errors import DflintError
from dflint.model.finding import ReadError
from dflint.plugin.sources import MigrationFile, Sections
from dflint.sql.source_text import SourceText


class LoadedFile(NamedTuple):
    """A file's text and how its runner cuts it up, or the reason why there is none."""

    path: str
    source: SourceText | None = None
    cut: Sections = Sections(())
    error: ReadError | None = None


def load_file(history: History, path: str) -> LoadedFile:
    """Read one file of a history. What cannot be read is an error in the result."""
    printed = history.path(path)
    try:
        content = history.read(path)
        if content.lstrip()[:1] == b"{":
            from dflint.trace.trace_file import is_trace

            if is_trace(content):
                from dflint.app.recorded import recorded

                return LoadedFile(path, *recorded(printed, content))
        source = SourceText(printed, content)
        file = MigrationFile(path, source.text, history.place(path), history.runner, source.had_bom)
        return LoadedFile(path, source, history.source.sections(file))
    except DflintError as error:
        return LoadedFile(
            path, error=ReadError(error.file or printed, error.line, error.column, error.message, error.remedy)
        )


def wanted_files(history: History) -> Sequence[str]:
    """The files that judging needs, in order: up to the last one selected; later ones cannot matter."""
    return history.files[: history.last_selected + 1]


def applied_files(files: Sequence[str], baseline: str | None) -> int:
    """How many files at the front are applied history: all up to the migration that the baseline names."""
    if baseline is None:
        return 0
    return max((index + 1 for index, path in enumerate(files) if _is_migration(path, baseline)), default=0)


def _is_migration(path: str, wanted: str) -> bool:
    """Whether a path is the migration that a baseline names: by path, name, name without ending, or leading number."""
    if path == wanted:
        return True
    for name in path.split("/"):
        if name == wanted or name.partition(".")[0] == wanted:
            return True
        digits = name.lstrip("VvUu")
        number = digits[: len(digits) - len(digits.lstrip("0123456789"))]
        if number and number == wanted:
            return True
    return False
