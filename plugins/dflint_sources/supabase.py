"""Supabase CLI: ``supabase/migrations/<digits>_name.sql``, each file one pipelined batch."""

from __future__ import annotations

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.marks import at_least, package_version
from dflint_sources.names import digits_before, sql_files

_ALONE = (
    r"create (?:unique )?index concurrently\b",
    r"drop index concurrently\b",
    r"reindex (?:\([^)]*\) ?)?(?:index|table|schema|database|system)? ?concurrently\b",
    r"vacuum\b",
    r"alter system\b",
    r"cluster\b",
)


class Supabase:
    """The Supabase command line. What its batch may hold depends on its version."""

    name = "supabase"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by its fixed layout, ``supabase/migrations``."""
        if directory.name != "migrations":
            return None
        parent = directory.parent
        if parent is None or parent.name != "supabase":
            return None
        files = self.files(directory)
        if not files:
            return None
        reason = "the folder is supabase/migrations"
        asked = package_version(directory, "supabase")
        if asked is None:
            reason += "; no package.json tells the version, the newest known one is taken"
            return Claim(Runner(self.name, reason=reason), files)
        return Claim(Runner(self.name, asked[0], reason=f"{reason}; {asked[1]} asks for {asked[0]}"), files)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``<digits>_name.sql``, sorted as text; an old ``_init.sql`` that comes first is skipped."""
        found = sorted(name for name in sql_files(directory.files) if _version(name))
        if found and _is_old_init(found[0]):
            del found[0]
        return tuple(found)

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file."""
        version = file.runner.version
        flushes = at_least(version, 2, 109)
        # From 2.115 on the batch has no transaction block; a correction is proposed and in no known version.
        bare = at_least(version, 2, 115)
        shown = "the newest known Supabase CLI" if version is None else f"Supabase CLI {version}"
        how = (
            "runs CONCURRENTLY, VACUUM, CLUSTER and ALTER SYSTEM by themselves and the rest" if flushes else "sends it"
        )
        section = Section(
            "up",
            Span(0, len(file.text)),
            "none",
            "pipeline",
            reason=f"{shown} {how} as one batch",
            alone=_ALONE if flushes else (),
            transaction_block=not bare,
        )
        return Sections((section,))


def _version(name: str) -> str:
    digits = digits_before(name)
    return digits if digits and name[len(digits) : len(digits) + 1] == "_" else ""


def _is_old_init(name: str) -> bool:
    return name.endswith("_init.sql") and len(name) == 23 and _version(name) < "20211209000000"


SOURCE: Source = Supabase()
