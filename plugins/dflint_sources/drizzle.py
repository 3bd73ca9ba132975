"""Drizzle: all pending migrations in one transaction, cut at ``--> statement-breakpoint``."""

from __future__ import annotations

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import pieces
from dflint_sources.names import natural, sql_files

_BREAKPOINT = b"--> statement-breakpoint"


class Drizzle:
    """drizzle-kit's migrations, in the layout with a journal and in that of 1.0 without one."""

    name = "drizzle"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``meta/_journal.json``, or by ``snapshot.json`` beside each ``migration.sql``."""
        if _journal(directory) is not None:
            reason = "meta/_journal.json lies in the folder"
        elif _has_snapshots(directory):
            reason = "its folders hold migration.sql and snapshot.json"
        else:
            return None
        return Claim(Runner(self.name, reason=reason), self.files(directory), ("meta",))

    def files(self, directory: Directory) -> tuple[str, ...]:
        """What the journal lists, in its order; without a journal ``<folder>/migration.sql`` by name.

        A journal that lists none of the files there is taken as lost, and all of them as migrations.
        """
        journal = _journal(directory)
        if journal is not None:
            present = set(directory.files)
            listed = [f"{tag}.sql" for tag in _tags(journal)]
            run = tuple(dict.fromkeys(name for name in listed if name in present))
            return run or natural(sql_files(directory.files))
        found = []
        for name in directory.folders:
            folder = directory.folder(name)
            if folder is not None and folder.has("migration.sql"):
                found.append(f"{name}/migration.sql")
        return tuple(found) or natural(sql_files(directory.files))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file, in pieces."""
        span = Span(0, len(file.text))
        section = Section(
            "up",
            span,
            "batch",
            "string",
            reason="Drizzle runs all pending migrations in one transaction",
            chunks=pieces(file.text, span, _BREAKPOINT),
        )
        return Sections((section,))


def _journal(directory: Directory) -> bytes | None:
    meta = directory.folder("meta")
    return meta.read("_journal.json") if meta is not None and meta.has("_journal.json") else None


def _tags(journal: bytes) -> list[str]:
    try:
        import json

        entries = json.loads(journal)["entries"]
        return [str(entry["tag"]) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _has_snapshots(directory: Directory) -> bool:
    folders = [name for name in directory.folders if name[:14].isdigit() and name[14:15] == "_"]
    if not folders:
        return False
    for name in (folders[0], folders[-1]):
        folder = directory.folder(name)
        if folder is None or not folder.has("migration.sql") or not folder.has("snapshot.json"):
            return False
    return True


SOURCE: Source = Drizzle()
