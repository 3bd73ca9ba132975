"""Strict YAML: what is written is what is read, and everything knows its line.

YAML has traps: duplicate keys win silently, ``on`` and ``no`` become booleans, ``0.10`` becomes ``0.1``, ``1:30``
becomes 90. Here only ``true``, ``false``, ``null`` and plain integers are more than text, keys are always text,
duplicates are errors, and anchors, merge keys and tags do not exist.

PyYAML is imported only when a file is really read: a lint run normally finds everything in the cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from dflint.model.errors import RuleError, nearest

#: Keys and list positions that lead from a document's root to a value.
Path = tuple[str | int, ...]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}
#: What PyYAML takes plain text, lists and mappings for.
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "seq", "map")
)


class Document:
    """A YAML file as plain dicts, lists, text, integers and booleans, with the line of each part.

    Attributes:
        file: its path, as errors show it.
        data: the value at the root.
    """

    __slots__ = ("_lines", "data", "file")

    def __init__(self, file: str, data: Any, lines: dict[Path, int]) -> None:
        self.file = file
        self.data = data
        self._lines = lines

    def line(self, path: Path) -> int:
        """The 1-based line where the value at ``path``, or the nearest thing around it, is written."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error(self, path: Path, message: str, remedy: str | None = None) -> RuleError:
        """An error about the value at ``path``, to be raised or collected."""
        return RuleError(message, file=self.file, line=self.line(path), remedy=remedy)

    def unknown(self, path: Path, what: str, name: str, known: Iterable[str]) -> RuleError:
        """An error about a name that does not exist, with the nearest one that does."""
        return self.error(path, f"unknown {what} {name!r}", nearest(name, known))


def load(text: str, file: str) -> Document:
    """Read one YAML document.

    Raises:
        RuleError: it is malformed or uses something this loader refuses; with file and line.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise RuleError(
            f"not valid YAML: {reason}",
            file=file,
            line=None if mark is None else mark.line + 1,
            column=None if mark is None else mark.column + 1,
        ) from error
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        raise RuleError(f"not valid YAML: {error}".splitlines()[0], file=file, line=line) from error
    if root is None:
        raise RuleError("the file is empty", file=file, line=1)
    return _Builder(file).document(root)


class _Builder:
    """Turns PyYAML's nodes into plain values."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: dict[Path, int] = {}
        self._seen: set[int] = set()

    def document(self, root: Any) -> Document:
        data = self._value(root, ())
        return Document(self._file, data, self._lines)

    def _value(self, node: Any, path: Path) -> Any:
        # A key's line serves its value better than the value's own: `when:` and not the first line below it.
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise self._refused(node, "anchors and aliases are not allowed", "write the value out")
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            raise self._refused(node, f"the tag {node.tag!r} is not allowed", "take it out")
        if node.id == "scalar":
            return _scalar(node)
        if node.id == "sequence":
            return [self._value(item, (*path, position)) for position, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                raise self._refused(key_node, "a key must be plain text", None)
            key = key_node.value
            if key == "<<":
                raise self._refused(key_node, "merge keys are not allowed", "write the fields out")
            if key in mapping:
                first = self._lines[(*path, key)]
                raise self._refused(key_node, f"the key {key!r} is already in line {first}", "remove one of them")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = self._value(value_node, (*path, key))
        return mapping

    def _refused(self, node: Any, message: str, remedy: str | None) -> RuleError:
        mark = node.start_mark
        return RuleError(message, file=self._file, line=mark.line + 1, column=mark.column + 1, remedy=remedy)


def _scalar(node: Any) -> str | int | bool | None:
    text: str = node.value
    if node.style:  # quoted, or a block; None or "" for plain text, depending on the loader
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) and text != "-0" else text
