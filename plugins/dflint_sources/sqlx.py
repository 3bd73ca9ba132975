"""sqlx: one string and one transaction for each file, unless it begins with ``-- no-transaction``."""

from __future__ import annotations

import re

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import without_effect
from dflint_sources.marks import find_above, first_or_last, here_and_above, place
from dflint_sources.names import direction, numbered

_OPT_OUT = b"-- no-transaction"


class Sqlx:
    """The migrations of sqlx, the Rust library, and of its command line."""

    name = "sqlx"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``-- no-transaction`` in a migration, ``sqlx.toml``, ``.sqlx``, or sqlx in ``Cargo.toml``."""
        files = self.files(directory)
        if not files:
            return None
        reason = self._mark(directory, files)
        return None if reason is None else Claim(Runner(self.name, reason=reason), files)

    def _mark(self, directory: Directory, files: tuple[str, ...]) -> str | None:
        marked = first_or_last(directory, files, lambda content: content.startswith(_OPT_OUT))
        if marked is not None:
            return f"{marked} begins with -- no-transaction"
        if "migration" not in directory.name.lower():
            return None
        found = find_above(directory, "sqlx.toml")
        if found is not None:
            return f"{place(*found)} configures sqlx"
        for here in here_and_above(directory):
            if here.folder(".sqlx") is not None:
                return f"{place(here, '.sqlx')} holds sqlx's query data"
            cargo = here.read("Cargo.toml") if here.has("Cargo.toml") else None
            if cargo is not None and _depends_on_sqlx(cargo):
                return f"{place(here, 'Cargo.toml')} names sqlx, and the folder is called {directory.name}"
        return None

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``<number>_name.sql``, ``.up.sql`` or ``.down.sql``, by number."""
        return tuple(name for number, _, name in numbered(directory.files) if number > 0)

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file. The opt-out must be its very first bytes."""
        text, turn = file.text, direction(file.path)
        span = Span(0, len(text))
        if text.startswith(_OPT_OUT) and not file.had_bom:
            reason = "the file begins with -- no-transaction"
            marker = Span(0, len(_OPT_OUT))
            return Sections((Section(turn, span, "none", "string", reason=reason, marker=marker),))
        section = Section(turn, span, "section", "string", reason="sqlx runs each file in a transaction")
        found = re.search(rb"(?mi)^[^\S\n]*--[^\S\n]*no[-_ ]transaction\b", text)
        if found is None:
            return Sections((section,))
        if file.had_bom and text.startswith(_OPT_OUT):
            cause = "a byte order mark stands before it: save the file without one"
        elif found.start() == 0:
            cause = "it must read exactly -- no-transaction"
        else:
            cause = "it must be the first bytes of the file: move it up, before blank lines and comments"
        notice = without_effect(f"sqlx does not see this marker, {cause}", Span(found.start(), found.end()))
        return Sections((section,), (notice,))


def _depends_on_sqlx(cargo: bytes) -> bool:
    return re.search(rb"(?m)^\s*(?:sqlx\s*(?:=|\.)|\[[\w.\-]*dependencies\.sqlx\])", cargo) is not None


SOURCE: Source = Sqlx()
