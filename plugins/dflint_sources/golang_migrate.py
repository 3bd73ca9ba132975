"""golang-migrate: pairs of ``.up.sql`` and ``.down.sql``, each file one string with no transaction round it."""

from __future__ import annotations

import re

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.marks import here_and_above, place
from dflint_sources.names import direction, numbered

_MODULE = b"github.com/golang-migrate/migrate"


class GolangMigrate:
    """golang-migrate. Its file names are used by others too, so that they mark nothing by themselves."""

    name = "golang-migrate"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``go.mod`` requiring it, or ``atlas.hcl`` writing its format, above files of its naming."""
        files = self.files(directory)
        if not files:
            return None
        for here in here_and_above(directory):
            module = here.read("go.mod") if here.has("go.mod") else None
            if module is not None and _requires(module):
                reason = f"{place(here, 'go.mod')} requires golang-migrate"
                return Claim(Runner(self.name, reason=reason), files)
            atlas = here.read("atlas.hcl") if here.has("atlas.hcl") else None
            if atlas is not None and re.search(rb"format\s*=\s*\"?golang-migrate", atlas):
                reason = f"{place(here, 'atlas.hcl')} writes migrations in golang-migrate's format"
                return Claim(Runner(self.name, reason=reason), files)
        return None

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``<number>_name.up.sql`` and ``.down.sql``, by number."""
        found = numbered(directory.files)
        return tuple(name for _, _, name in found if name.endswith((".up.sql", ".down.sql")))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file."""
        reason = "golang-migrate opens no transaction and sends the file as one string"
        section = Section(direction(file.path), Span(0, len(file.text)), "none", "string", reason=reason)
        return Sections((section,))


def _requires(module: bytes) -> bool:
    return any(_MODULE in line and b"// indirect" not in line for line in module.split(b"\n"))


SOURCE: Source = GolangMigrate()
