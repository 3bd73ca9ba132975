"""Reading probe files: strict, and everything that is wrong is told at once. Linting never does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dflint.facts import yaml_loader
from dflint.facts.fields import Field, Reader, integer, text, texts
from dflint.facts.probes import NEWEST, OLDEST, SCHEMA, Probe
from dflint.facts.yaml_loader import Document, Path
from dflint.model.errors import RuleError, RuleErrors

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)?")


def _sqlstate(value: Any) -> str | None:
    good = isinstance(value, str) and _SQLSTATE.fullmatch(value)
    return None if good else 'a SQLSTATE in quotes, such as "0A000"'


def _error(value: Any) -> str | None:
    """A SQLSTATE, or a mapping from majors, or ranges of them, to SQLSTATEs."""
    if not isinstance(value, dict) or not value:
        return _sqlstate(value)
    for majors, state in value.items():
        if _majors(majors) is None:
            return f"by major ({OLDEST} … {NEWEST}, or a range such as 13-14), not by {majors!r}"
        if _sqlstate(state) is not None:
            return _sqlstate(state)
    return None


def _majors(written: str) -> range | None:
    """The majors that ``15`` or ``13-14`` means."""
    first, _, last = written.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        return None
    majors = range(int(first), int(last or first) + 1)
    return majors if majors and majors[0] >= OLDEST and majors[-1] <= NEWEST else None


def _settings(value: Any) -> str | None:
    good = isinstance(value, dict) and value and all(_SETTING.fullmatch(name) for name in value)
    return None if good and all(isinstance(each, str | int) for each in value.values()) else "a mapping of settings"


_PROBE_FIELDS: Mapping[str, Field] = {
    "id": Field(text, required=True),
    "proves": Field(texts),
    "since": Field(integer),
    "until": Field(integer),
    "setup": Field(text),
    "settings": Field(_settings),
    "before": Field(text),
    "sql": Field(text, required=True),
    "teardown": Field(text),
    "error": Field(_error),
    "note": Field(text),
}
_FILE_FIELDS: Mapping[str, Field] = {
    "schema": Field(lambda value: None if value == SCHEMA else str(SCHEMA), required=True),
    "probes": Field(lambda value: None if isinstance(value, list) else "a list of probes", required=True),
}


def read_probes(files: Iterable[str | os.PathLike[str]]) -> list[Probe]:
    """The probes of these files, in order.

    Raises:
        RuleErrors: everything that is wrong, each with file and line.
    """
    problems: list[RuleError] = []
    places: dict[str, str] = {}
    probes: list[Probe] = []
    for file in files:
        document = _document(os.fspath(file), problems)
        if document is not None:
            probes.extend(_read(document, problems, places))
    if problems:
        raise RuleErrors(problems)
    return probes


def _document(file: str, problems: list[RuleError]) -> Document | None:
    try:
        with open(file, encoding="utf-8") as stream:
            return yaml_loader.load(stream.read(), file)
    except RuleError as error:
        problems.append(error)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problems.append(RuleError(f"cannot be read: {reason}", file=file))
    return None


def _read(document: Document, problems: list[RuleError], places: dict[str, str]) -> Iterable[Probe]:
    reader = Reader(document, problems)
    root = reader.mapping((), document.data, _FILE_FIELDS, "a probe file")
    for position, raw in enumerate(root.get("probes", ())):
        probe = _probe(reader, ("probes", position), raw, places)
        if probe is not None:
            yield probe


def _probe(reader: Reader, path: Path, raw: Any, places: dict[str, str]) -> Probe | None:
    before = len(reader.problems)
    good = reader.mapping(path, raw, _PROBE_FIELDS, "a probe")
    place = f"{reader.document.file}:{reader.document.line(path)}"
    identifier = good.get("id")
    if identifier is not None:
        if not _ID.fullmatch(identifier):
            reader.problem((*path, "id"), f"{identifier!r} is no id", "ids are kebab-case: add-column-default-now")
        if identifier in places:
            reader.problem((*path, "id"), f"the probe {identifier!r} is already in {places[identifier]}")
        places[identifier] = place
    since, until = good.get("since", OLDEST), good.get("until", NEWEST)
    if not OLDEST <= since <= until <= NEWEST:
        reader.problem(path, f"since and until must lie between {OLDEST} and {NEWEST}")
    if len(reader.problems) > before:
        return None
    if "proves" in good:
        good["proves"] = tuple(good["proves"])
    if isinstance(error := good.get("error"), dict):
        good["error"] = {major: state for key, state in error.items() for major in _majors(key) or ()}
    good["settings"] = {name: str(value) for name, value in good.get("settings", {}).items()}
    return Probe(**good, place=place)
