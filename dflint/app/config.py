"""The configuration: ``dflint.toml``, or ``[tool.dflint]`` of ``pyproject.toml``; the nearest, nothing is merged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from dflint.app.request import NEWEST_VERSION, OLDEST_VERSION, LintRequest, Severity
from dflint.model.errors import ConfigError, ConfigErrors, nearest

OWN_FILE = "dflint.toml"
PROJECT_FILE = "pyproject.toml"

FailLevel = Literal["error", "warning", "info", "never"]
#: Keys that lead from the settings to a value.
Steps = tuple[str, ...]
#: Where something is wrong, what, and perhaps a remedy.
Complaint = tuple[Steps, str, str | None]

Text = Annotated[str, Meta(min_length=1, description="text")]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="text like module:function")]
Version = Annotated[
    int,
    Meta(
        ge=OLDEST_VERSION,
        le=NEWEST_VERSION,
        description=f"a PostgreSQL major version from {OLDEST_VERSION} to {NEWEST_VERSION}",
    ),
]


class Baseline(Struct, frozen=True):
    """The cut line: everything up to and including migration ``before`` is applied history."""

    before: Text


class Config(Struct, frozen=True, kw_only=True, rename="kebab"):
    """The settings of a project, as its configuration file has them. None: the file does not say.

    Paths are still as written, relative to ``directory``.
    """

    select: tuple[Text, ...] = ()
    ignore: tuple[Text, ...] = ()
    fail_level: FailLevel | None = None
    severity: dict[str, Severity] = {}
    pg_version: Version | None = None
    catalog: Text | None = None
    runner: Text | None = None
    assume_in_transaction: bool = False
    baseline: Baseline | None = None
    exclude: tuple[Text, ...] = ()
    require_suppression_reason: bool = False
    plugins: tuple[Text, ...] = ()
    rule_paths: tuple[Text, ...] = ()
    checks: dict[str, Reference] = {}
    processes: Annotated[int, Meta(ge=1, description="a number above 0")] | None = None
    databases: dict[str, Text] = {}


class Project(Struct, frozen=True):
    """A configuration and where it was found.

    Attributes:
        directory: absolute; of the configuration file, or the working directory when there is none.
        file: the configuration file, as it is printed; None when there is none.
    """

    config: Config
    directory: str
    file: str | None = None

    def request(self) -> LintRequest:
        """What the configuration alone asks of a lint run."""
        config = self.config
        runner, _, version = (config.runner or "").partition("@")
        return LintRequest(
            runner=runner or None,
            runner_version=version or None,
            assume_in_transaction=config.assume_in_transaction,
            pg_version=config.pg_version,
            catalog=None if config.catalog is None else os.path.normpath(os.path.join(self.directory, config.catalog)),
            select=config.select,
            ignore=config.ignore,
            severity=config.severity,
            baseline=None if config.baseline is None else config.baseline.before,
            require_suppression_reason=config.require_suppression_reason,
            exclude=config.exclude,
            plugins=config.plugins,
            rule_paths=tuple(os.path.normpath(os.path.join(self.directory, path)) for path in config.rule_paths),
            checks=config.checks,
            processes=config.processes or 1,
            project=self.directory,
        )


def load(start: str, named: str | None = None) -> Project:
    """Find and read the configuration.

    Args:
        start: the path to begin at; its directory and those above it are searched, up to the root of the repository.
        named: a configuration file the user named; nothing is searched then.

    Raises:
        ConfigError: it cannot be read, is malformed, or says something it must not; `ConfigErrors` when there is more
            than one thing wrong.
    """
    path = find(start) if named is None else named
    if path is None:
        return Project(Config(), os.getcwd())
    content = _read(path)
    own = os.path.basename(path) != PROJECT_FILE
    table = _table(content, path, own=own)
    if table is None:
        raise ConfigError("there is no [tool.dflint] in it", file=path, remedy="add it, or name another file")
    complaints = list(_complaints((), table, Config))
    if complaints:
        raise _refused(complaints, path, content, () if own else ("tool", "dflint"))
    return Project(msgspec.convert(table, Config), os.path.dirname(os.path.abspath(path)), path)


def find(start: str) -> str | None:
    """The nearest configuration file, relative to the working directory where it lies in or above it.

    Raises:
        ConfigError: a directory has both ``dflint.toml`` and ``[tool.dflint]``.
    """
    directory = os.path.abspath(start)
    if not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    while True:
        own, project = os.path.join(directory, OWN_FILE), os.path.join(directory, PROJECT_FILE)
        in_project = os.path.isfile(project) and _speaks_of_dflint(project)
        if os.path.isfile(own):
            if in_project:
                raise ConfigError(
                    f"there is a {OWN_FILE} and a [tool.dflint] beside it",
                    file=_printed(own),
                    remedy="keep one of them",
                )
            return _printed(own)
        if in_project:
            return _printed(project)
        parent = os.path.dirname(directory)
        if parent == directory or os.path.exists(os.path.join(directory, ".git")):
            return None
        directory = parent


def _speaks_of_dflint(path: str) -> bool:
    content = _read(path)
    # Looked for before TOML is read: most projects have a pyproject.toml that is none of our business.
    return b"dflint" in content and _table(content, _printed(path), own=False) is not None


def _printed(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error


def _table(content: bytes, path: str, *, own: bool) -> dict[str, Any] | None:
    """The settings; None when a ``pyproject.toml`` has none."""
    import tomllib

    try:
        document: dict[str, Any] = tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        before = content.count(b"\n", 0, error.start)
        raise ConfigError("not UTF-8", file=path, line=before + 1, remedy="convert the file to UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        message, line, column = _syntax_error(str(error), content)
        raise ConfigError(f"not valid TOML: {message}", file=path, line=line, column=column) from error
    if own:
        return document
    tool = document.get("tool")
    table = tool.get("dflint") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _syntax_error(text: str, content: bytes) -> tuple[str, int, int | None]:
    """Message and place out of the text of tomllib's error, which keeps them nowhere else."""
    import re

    found = re.search(r" \(at line (\d+), column (\d+)\)$", text)
    if found is not None:
        return text[: found.start()], int(found[1]), int(found[2])
    return text.removesuffix(" (at end of document)"), len(content.splitlines()), None


def _refused(complaints: Sequence[Complaint], path: str, content: bytes, root: Steps) -> ConfigError:
    from dflint.app.key_lines import KeyLines

    lines = KeyLines(content, root)
    errors = [
        ConfigError(message, file=path, line=lines.line(steps), remedy=remedy) for steps, message, remedy in complaints
    ]
    return errors[0] if len(errors) == 1 else ConfigErrors(errors)


def _complaints(steps: Steps, value: Any, expected: Any) -> Iterator[Complaint]:
    """What is wrong with a value that ``steps`` lead to."""
    expected = _without_none(expected)
    origin, members = get_origin(expected), get_args(expected)
    if origin is dict and isinstance(value, dict):
        for key, member in value.items():
            yield from _complaints((*steps, key), member, members[1])
    elif origin is tuple and isinstance(value, list):
        for member in value:
            yield from _complaints(steps, member, members[0])
    elif origin is None and issubclass(expected, Struct) and isinstance(value, dict):
        fields = {field.encode_name: field for field in msgspec.structs.fields(expected)}
        for key, member in value.items():
            if key in fields:
                yield from _complaints((*steps, key), member, fields[key].type)
            else:
                yield (*steps, key), f"unknown key {key!r}", nearest(key, fields)
        for key, field in fields.items():
            if field.required and key not in value:
                yield steps, f"{'.'.join(steps)} needs {key!r}", None
    else:
        try:
            msgspec.convert(value, expected)
        except msgspec.ValidationError:
            yield steps, f"{'.'.join(steps)} must be {_described(expected)}, not {_shown(value)}", None


def _without_none(expected: Any) -> Any:
    """TOML has no null: what may be None is left out."""
    members = get_args(expected)
    return members[0] if NoneType in members else expected


def _described(expected: Any) -> str:
    origin = get_origin(expected)
    if origin is Annotated:
        return str(get_args(expected)[1].description)
    if origin is Literal:
        return "one of " + ", ".join(repr(member) for member in get_args(expected))
    if expected is bool:
        return "true or false"
    return "a list" if origin is tuple else "a table"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else repr(value)
