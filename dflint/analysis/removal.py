"""What goes when objects are dropped, by the rules of the server's own dependency.c.

The server follows the needs from what is dropped to what needs it, and remembers how it came to each object. What it
came to by a normal need alone it drops with CASCADE only; everything else goes in silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from dflint.analysis.graph import Graph, Link
from dflint.model.impact import Evidence

#: How the server came to an object: it is named by the command or goes as a part of what is; by a need of that kind;
#: from a part of it.
Way = Literal["named", "part", "normal", "auto", "internal", "extension", "partition", "reverse"]

_WAYS: Final[dict[str, Way]] = {
    "n": "normal",
    "a": "auto",
    "x": "auto",
    "i": "internal",
    "e": "extension",
    "P": "partition",
    "S": "partition",
}
_SILENT: Final = frozenset[Way]({"auto", "internal", "extension", "partition"})
#: Objects that something of a table's is listed in: that goes, they stay.
_STAY: Final = ("publication:",)


class Reached(Struct):
    """One object that goes.

    Attributes:
        ways: how it was come to.
        via: identities on the way from what is named to it.
        evidence: what shows the last step.
    """

    ways: set[Way]
    via: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def silent(self) -> bool:
        """Whether it goes without CASCADE."""
        return not _SILENT.isdisjoint(self.ways) or "named" in self.ways


class Removal(Struct):
    """What goes with the named objects.

    Attributes:
        reached: by identity, the named ones and columns of dropped relations included.
        owners: what must be dropped in place of a named object that is a part of it: the server refuses.
    """

    reached: dict[str, Reached]
    owners: dict[str, str]

    @property
    def refused(self) -> bool:
        """Whether the server refuses to drop the named objects without CASCADE."""
        return bool(self.owners) or any(not each.silent for name, each in self.listed())

    def listed(self) -> Iterable[tuple[str, Reached]]:
        """What goes beside the named objects, without the columns of relations that go."""
        return [(name, each) for name, each in self.reached.items() if not {"named", "part"} & each.ways]


def removal(graph: Graph, named: Iterable[str]) -> Removal:
    """What goes when the server drops these objects together.

    Args:
        graph: what needs what.
        named: printed identities; several where a command drops several itself, such as a column of a table and of
            its children.
    """
    return _Walk(graph).run(tuple(named))


class _Walk:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: dict[str, Reached] = {}
        self._queue = deque[str]()

    def run(self, named: tuple[str, ...]) -> Removal:
        for each in named:
            self._reach(each, "named", (), ())
        owners = dict[str, str]()
        while self._queue:
            identity = self._queue.popleft()
            for owner, evidence in self._owners(identity):
                if "named" in self._found[identity].ways:
                    if owner not in self._found:
                        owners[identity] = owner
                else:
                    self._reach(owner, "reverse", self._onward(identity), evidence)
            self._follow(identity)
        for identity, reached in self._found.items():
            partitioned = [name for name, link in self._graph.needed_by(identity) if "P" in link.needs]
            if partitioned and "partition" not in reached.ways:
                owners[identity] = partitioned[0]
        return Removal(self._found, owners)

    def _owners(self, identity: str) -> list[tuple[str, tuple[Evidence, ...]]]:
        """What the object is a part of, and cannot go without."""
        needed = self._graph.needed_by(identity)
        return [(name, link.evidence) for name, link in needed if "i" in link.needs or "e" in link.needs]

    def _follow(self, identity: str) -> None:
        if identity.startswith(_STAY):
            return
        onward = self._onward(identity)
        for column in self._graph.columns(identity):
            self._reach(column, "part", onward, ())
        for dependent, link in self._graph.dependents(identity):
            for way in _ways(link):
                self._reach(dependent, way, onward, link.evidence)

    def _onward(self, identity: str) -> tuple[str, ...]:
        """The way from what is named to whatever needs this object."""
        found = self._found[identity]
        return found.via if {"named", "part"} & found.ways else (*found.via, identity)

    def _reach(self, identity: str, way: Way, via: tuple[str, ...], evidence: tuple[Evidence, ...]) -> None:
        known = self._found.get(identity)
        if known is not None:
            known.ways.add(way)
            return
        self._found[identity] = Reached({way}, via, evidence)
        self._queue.append(identity)


def _ways(link: Link) -> list[Way]:
    return [_WAYS[need] for need in link.needs if need in _WAYS]
