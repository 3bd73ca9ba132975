"""Flyway: ``V<version>__name.sql``, ``R__name.sql`` and ``U<version>__name.sql``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dflint.model.migration import Notice, Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source
from dflint_sources.lines import refused
from dflint_sources.marks import find_above, place

#: Statements for which Flyway drops the transaction of the whole script. REINDEX of one table or index and
#: DETACH PARTITION, both CONCURRENTLY, are not among them.
_UNWRAPS = (
    r"(?:create|drop) (?:database|tablespace|subscription)\b",
    r"alter system\b",
    r"(?:create|drop)(?: unique)? index concurrently\b",
    r"reindex(?: verbose)? (?:schema|database|system)\b",
    r"vacuum\b",
    r"discard all\b",
)


class _Settings(NamedTuple):
    """What the configuration says, as far as it matters here."""

    versioned: str = "V"
    undo: str = "U"
    repeatable: str = "R"
    separator: str = "__"
    suffix: str = ".sql"
    group: bool = False
    mixed: bool = False
    in_transaction: bool = True


class Flyway:
    """Flyway, any edition."""

    name = "flyway"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by its file names, which have a letter and a double underscore, or by its folder, ``db/migration``."""
        configuration = None
        fixed = directory.name == "migration" and directory.parent is not None and directory.parent.name == "db"
        if fixed:
            reason = "the folder is db/migration, where Flyway looks"
        else:
            named = next((name for name in directory.files if _looks_versioned(name)), None)
            configuration = _configuration(directory)
            if named is None and (configuration is None or not _names(directory, _settings(directory))):
                return None
            reason = f"{named} is named as only Flyway wants it" if named else ""
        configuration = configuration or _configuration(directory)
        if configuration is not None:
            reason = f"{place(*configuration)} configures Flyway"
        files = self.files(directory)
        return Claim(Runner(self.name, reason=reason), files) if files else None

    def files(self, directory: Directory) -> tuple[str, ...]:
        """Versioned migrations by version, each followed by its undo, then the repeatable ones by name.

        Baselines (``B…``) and callbacks are left out: they do not run, or not once, on a database that is in use.
        """
        settings = _settings(directory)
        found = []
        repeatable = []
        for path in _walk(directory, "", 0):
            name = path.rpartition("/")[2]
            kind, version, description = _parse(name, settings)
            if kind == "R":
                repeatable.append((description, path))
            elif kind:
                found.append((_version_key(version), kind == "U", path))
        return (*(path for _, _, path in sorted(found)), *(path for _, path in sorted(repeatable)))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file. A side file ``<name>.conf`` may take the transaction away."""
        settings = _settings(file.directory)
        name = file.path.rpartition("/")[2]
        direction = "down" if _parse(name, settings)[0] == "U" else "up"
        span = Span(0, len(file.text))
        notices: list[Notice] = []
        own = _own_setting(file.directory, f"{name}.conf", notices)
        in_transaction = settings.in_transaction if own is None else own
        if not in_transaction:
            where = "the configuration" if own is None else f"{name}.conf"
            section = Section(
                "down" if direction == "down" else "up",
                span,
                "none",
                "statement",
                reason=f"{where} says executeInTransaction=false",
                marker=Span(0, 0),
            )
            return Sections((section,), tuple(notices))
        section = Section(
            "down" if direction == "down" else "up",
            span,
            "batch" if settings.group else "section",
            "statement",
            reason="Flyway runs " + ("all pending migrations in one transaction" if settings.group else _EACH),
            unwraps=_UNWRAPS if own is None else (),
            mixed_refused=own is None and not settings.mixed,
        )
        return Sections((section,), tuple(notices))


_EACH = "each migration in a transaction, unless it finds a statement that cannot run in one"


def _looks_versioned(name: str) -> bool:
    return (
        name[:1] == "V"
        and "__" in name
        and name[-4:].lower() == ".sql"
        and re.match(r"V[0-9]+(?:[._][0-9]+)*__", name) is not None
    )


def _names(directory: Directory, settings: _Settings) -> bool:
    return any(_parse(name, settings)[0] in ("V", "R") for name in directory.files)


def _parse(name: str, settings: _Settings) -> tuple[str, str, str]:
    """Kind (V, U, R or empty), version, description of a file name."""
    if not name.lower().endswith(settings.suffix.lower()):
        return "", "", ""
    stem = name[: len(name) - len(settings.suffix)]
    kinds = (("V", settings.versioned), ("U", settings.undo), ("R", settings.repeatable))
    for kind, prefix in sorted(kinds, key=lambda pair: -len(pair[1])):
        if not stem.startswith(prefix):
            continue
        version, mark, description = stem[len(prefix) :].partition(settings.separator)
        if kind == "R":
            return (kind, "", description) if mark and not version else ("", "", "")
        is_version = re.fullmatch(r"[0-9]+(?:[._][0-9]+)*", version) is not None
        return (kind, version, description) if is_version else ("", "", "")
    return "", "", ""


def _version_key(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.split(r"[._]", version)]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _walk(directory: Directory, prefix: str, depth: int) -> Iterator[str]:
    """Files here and below: Flyway's locations are recursive."""
    for name in directory.files:
        yield prefix + name
    for name in directory.folders if depth < 8 else ():
        below = None if name.startswith(".") else directory.folder(name)
        if below is not None:
            yield from _walk(below, f"{prefix}{name}/", depth + 1)


def _configuration(directory: Directory) -> tuple[Directory, str] | None:
    return find_above(directory, "flyway.toml", "flyway.conf")


def _settings(directory: Directory) -> _Settings:
    """The nearest ``flyway.toml`` or ``flyway.conf``; Flyway's defaults where there is none."""
    found = _configuration(directory)
    if found is None:
        return _Settings()
    content = (found[0].read(found[1]) or b"").decode("utf-8", "replace")
    values = _toml(content) if found[1].endswith(".toml") else _properties(content)
    suffixes = values.get("sqlmigrationsuffixes", "").split(",")[0].strip()
    return _Settings(
        values.get("sqlmigrationprefix", "V"),
        values.get("undosqlmigrationprefix", "U"),
        values.get("repeatablesqlmigrationprefix", "R"),
        values.get("sqlmigrationseparator") or "__",
        suffixes or ".sql",
        values.get("group", "").lower() == "true",
        values.get("mixed", "").lower() == "true",
        values.get("executeintransaction", "").lower() != "false",
    )


def _properties(content: str) -> dict[str, str]:
    values = {}
    for line in content.splitlines():
        key, mark, value = line.partition("=")
        if mark and not key.lstrip().startswith("#"):
            values[key.strip().removeprefix("flyway.").lower()] = value.strip()
    return values


def _toml(content: str) -> dict[str, str]:
    import tomllib

    try:
        section = tomllib.loads(content).get("flyway", {})
    except (ValueError, RecursionError):
        return {}
    values = {}
    for key, value in section.items() if isinstance(section, dict) else ():
        values[key.lower()] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return values


def _own_setting(directory: Directory, name: str, notices: list[Notice]) -> bool | None:
    """``executeInTransaction`` of a script's side file; None when it says nothing."""
    content = directory.read(name) if directory.has(name) else None
    own: bool | None = None
    for line in (content or b"").decode("utf-8", "replace").splitlines():
        key, mark, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not mark or key.startswith("#"):
            continue
        if key == "executeInTransaction" and value.lower() in ("true", "false"):
            own = value.lower() == "true"
        elif key.lower().removeprefix("flyway.") == "executeintransaction":
            message = f"Flyway takes only executeInTransaction=true or =false in {name}, and refuses {key}={value}"
            notices.append(refused(message, Span(0, 0)))
    return own


SOURCE: Source = Flyway()
