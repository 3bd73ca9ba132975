"""Plain psql: any folder of ``*.sql`` files. It claims nothing; it is what remains when no runner left a mark."""

from __future__ import annotations

from dflint.model.migration import Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.names import direction, natural, sql_files


class Psql:
    """``psql -f``: each statement commits by itself, backslash commands are legal."""

    name = "psql"

    def claim(self, directory: Directory) -> Claim | None:  # noqa: ARG002
        """Never: files that bear a number and nothing else are no mark."""
        return None

    def files(self, directory: Directory) -> tuple[str, ...]:
        """All ``*.sql`` files, numbers in names taken as numbers."""
        return natural(sql_files(directory.files))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file, by the statement."""
        turn = direction(file.path)
        return Sections((Section(turn, Span(0, len(file.text)), reason="psql commits each statement by itself"),))


SOURCE: Source = Psql()
