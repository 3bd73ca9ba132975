"""Prisma: ``<name>/migration.sql`` in a directory for each migration; forward only, no BEGIN."""

from __future__ import annotations

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.marks import at_least, package_version

_ALONE = (r"create (?:unique )?index concurrently\b", r"drop index concurrently\b")


class Prisma:
    """``prisma migrate``. From 7.4 on it runs CONCURRENTLY statements by themselves."""

    name = "prisma"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``migration_lock.toml``, or by its layout."""
        if directory.has("migration_lock.toml"):
            reason = "migration_lock.toml lies in the folder"
        else:
            layout = _layout(directory)
            if layout is None:
                return None
            reason = layout
        files = self.files(directory)
        asked = package_version(directory, "prisma", "@prisma/client")
        if asked is None:
            reason += "; no package.json tells the version, the newest known one is taken"
            return Claim(Runner(self.name, reason=reason), files)
        version, where = asked
        return Claim(Runner(self.name, version, reason=f"{reason}; {where} asks for {version}"), files)

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``<folder>/migration.sql`` by the folder's name."""
        found = []
        for name in directory.folders:
            folder = directory.folder(name)
            if folder is not None and folder.has("migration.sql"):
                found.append(f"{name}/migration.sql")
        return tuple(found)

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file as one string; from 7.4 on cut round CONCURRENTLY."""
        splits = at_least(file.runner.version, 7, 4)
        known = "from 7.4 on Prisma" if file.runner.version is None else f"Prisma {file.runner.version}"
        does = "runs CONCURRENTLY statements by themselves and the rest" if splits else "sends the file"
        section = Section(
            "up",
            Span(0, len(file.text)),
            "none",
            "string",
            reason=f"{known} {does} as one string, without BEGIN",
            alone=_ALONE if splits else (),
        )
        return Sections((section,))


def _layout(directory: Directory) -> str | None:
    """The mark when the first and the last folder hold ``migration.sql``, as Prisma and only Prisma lays them out.

    Drizzle 1.0 puts ``snapshot.json`` beside it. A name that does not begin with a time stamp is Prisma's only below
    a Prisma schema.
    """
    folders = [name for name in directory.folders if name[:1].isdigit()]
    if not folders:
        return None
    for name in (folders[0], folders[-1]):
        folder = directory.folder(name)
        if folder is None or not folder.has("migration.sql") or folder.has("snapshot.json"):
            return None
    schema = _schema_beside(directory)
    if schema is not None:
        return f"its folders hold migration.sql, and {schema} lies beside it"
    stamped = all(name[:14].isdigit() and name[14:15] == "_" for name in (folders[0], folders[-1]))
    return f"its folders are named and laid out as Prisma does: {folders[-1]}/migration.sql" if stamped else None


def _schema_beside(directory: Directory) -> str | None:
    parent = directory.parent
    if parent is None:
        return None
    if parent.has("schema.prisma"):
        return "schema.prisma"
    schema = parent.folder("schema")
    if schema is not None and any(name.endswith(".prisma") for name in schema.files):
        return "schema/"
    above = parent.parent
    return "prisma.config.ts" if above is not None and above.has("prisma.config.ts") else None


SOURCE: Source = Prisma()
