"""Diesel: a directory for each migration with ``up.sql``, ``down.sql`` and perhaps ``metadata.toml``."""

from __future__ import annotations

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import without_effect
from dflint_sources.marks import find_above, place
from dflint_sources.names import direction


class Diesel:
    """Diesel's migrations: one transaction for each, sent as one string."""

    name = "diesel"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by its layout, ``<version>_name/up.sql``, which no configuration changes."""
        numbered = [name for name in directory.folders if name[:1].isdigit()]
        if not numbered:
            return None
        for name in (numbered[0], numbered[-1]):
            folder = directory.folder(name)
            if folder is None or not folder.has("up.sql"):
                return None
        found = find_above(directory, "diesel.toml")
        reason = f"its folders hold up.sql, as {numbered[-1]} does"
        if found is not None:
            reason = f"{place(*found)} configures Diesel, and {reason}"
        return Claim(Runner(self.name, reason=reason), self.files(directory))

    def files(self, directory: Directory) -> tuple[str, ...]:
        """``<version>_name/up.sql``, each followed by its ``down.sql``, by version."""
        found: list[str] = []
        for name in sorted(directory.folders, key=_version):
            folder = None if name.startswith(".") else directory.folder(name)
            if folder is not None and folder.has("up.sql"):
                found.append(f"{name}/up.sql")
                if folder.has("down.sql"):
                    found.append(f"{name}/down.sql")
        return tuple(found)

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file; ``run_in_transaction = false`` in the metadata beside it takes the transaction away."""
        span = Span(0, len(file.text))
        turn = direction(file.path)
        notices: list[Notice] = []
        if file.directory.has("metadata.toml") and not _in_transaction(file, notices):
            reason = "metadata.toml says run_in_transaction = false"
            section = Section(turn, span, "none", "string", reason=reason, marker=Span(0, 0))
        else:
            section = Section(turn, span, "section", "string", reason="Diesel runs each migration in a transaction")
        return Sections((section,), tuple(notices))


def _version(name: str) -> tuple[str, str]:
    return name.partition("_")[0].replace("-", ""), name


def _in_transaction(file: MigrationFile, notices: list[Notice]) -> bool:
    import tomllib

    content = file.directory.read("metadata.toml") or b""
    try:
        metadata = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        notices.append(without_effect(f"metadata.toml is not valid TOML: {error}", Span(0, 0)))
        return True
    value = metadata.get("run_in_transaction")
    if isinstance(value, bool):
        return value
    if value is not None:
        message = f"run_in_transaction in metadata.toml must be true or false without quotes, not {value!r}"
        notices.append(without_effect(message, Span(0, 0)))
    elif b"transaction" in content:
        message = "metadata.toml has no key run_in_transaction at its top level, the only one Diesel reads"
        notices.append(without_effect(message, Span(0, 0)))
    return True


SOURCE: Source = Diesel()
