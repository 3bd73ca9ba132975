"""The objects of an impact as a tree from the target, small enough to be looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct, field

from dflint.model.impact import STRONGEST_FIRST, DependentEffect, Evidence, Impact
from dflint_reports.impact.labels import kind_of
from dflint_reports.wording import count

#: How many boxes somebody can take in.
MOST_BOXES: Final = 60
#: And how many of them from left to right.
_DEEPEST = 12
#: Of the kinds of objects in a fold, so many are named.
_NAMED = 3


class Node(Struct, eq=False):
    """An object, or a fold: several objects with all that is behind them.

    Attributes:
        identity: printed; "" of a fold.
        effect: None of the target, and of objects that only lie on the way to others.
        children: what is reached from it.
        folded: what a fold stands for.
    """

    identity: str
    effect: DependentEffect | None = None
    evidence: tuple[Evidence, ...] = ()
    children: list[Node] = field(default_factory=list)
    folded: tuple[Node, ...] = ()

    @property
    def is_fold(self) -> bool:
        """Whether it stands for several objects."""
        return bool(self.folded)

    @property
    def hidden(self) -> list[Node]:
        """The dependents that a fold stands for, those behind others included; first the ones that it names."""
        return [node for node in _below(self.folded) if node.effect is not None and not node.is_fold]

    @property
    def objects(self) -> list[Node]:
        """Itself, or all dependents that it stands for."""
        return self.hidden if self.is_fold else [self]

    @property
    def named(self) -> list[Node]:
        """The objects at which a fold begins; what is behind them is not among them."""
        found = list[Node]()
        waiting = list(self.folded)
        while waiting:
            node = waiting.pop(0)
            if node.is_fold:
                waiting = [*node.folded, *waiting]
            else:
                found.append(node)
        return found

    @property
    def kinds(self) -> str:
        """What a fold stands for: ``12 indexes, 3 triggers``."""
        kinds = Counter(kind_of(node.identity) for node in self.named).most_common()
        parts = [_count(number, kind) for kind, number in kinds[:_NAMED]]
        rest = sum(number for _, number in kinds[_NAMED:])
        return ", ".join([*parts, f"{rest:,} more"] if rest else parts)

    @property
    def behind(self) -> int:
        """How many dependents of a fold are behind those that `kinds` counts."""
        return len(self.hidden) - sum(1 for node in self.named if node.effect is not None)

    def drawn(self) -> Iterator[Node]:
        """The node and everything below it that is drawn, from the top down."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)


def tree(impact: Impact, most: int = MOST_BOXES) -> Node:
    """The tree of an impact, with at most so many boxes; every dependent is a box or in exactly one fold.

    What matters least is folded first, and objects of one kind before those of several.

    Args:
        most: at least 8.
    """
    root = _whole(impact)
    _fold_deep(root)
    for alike in (_effect_and_kind, _effect):
        for effect in reversed(STRONGEST_FIRST):
            _fold(root, most, effect, alike)
    for node in root.drawn():
        node.children.sort(key=_order)
    return root


def _whole(impact: Impact) -> Node:
    """All objects, each once, under the one before it on the way from the target."""
    root = Node(impact.target)
    nodes = {impact.target: root}
    details = {dependent.identity: dependent for dependent in impact.dependents}
    for dependent in sorted(impact.dependents, key=lambda each: len(each.via)):
        place = root
        for identity in (*dependent.via, dependent.identity):
            node = nodes.get(identity)
            if node is None:
                known = details.get(identity)
                node = nodes[identity] = (
                    Node(identity) if known is None else Node(identity, known.effect, known.evidence)
                )
                place.children.append(node)
            place = node
    return root


def _fold_deep(root: Node) -> None:
    """Fold what is further to the right than anybody would scroll."""
    level = [root]
    for _ in range(_DEEPEST - 1):
        level = [child for node in level for child in node.children]
    for node in level:
        ranks = _strongest(list(node.drawn()))
        alike: dict[int, list[Node]] = {}
        for child in node.children:
            alike.setdefault(ranks[id(child)], []).append(child)
        node.children = [_folded(members, STRONGEST_FIRST[-rank]) for rank, members in alike.items()]


def _fold(root: Node, most: int, effect: DependentEffect, alike: Callable[[Node], object]) -> None:
    """Fold siblings that are alike, and of which none has a stronger effect behind it, while there are too many boxes.

    Leaves first, many before few; then groups with something behind them, from the outside inwards.
    """
    drawn = list(root.drawn())
    too_many = len(drawn) - most
    if too_many <= 0:
        return
    strongest = _strongest(drawn)
    depths = _depths(root)
    groups = list[tuple[bool, int, int, Node, list[Node]]]()
    for parent in drawn:
        found: dict[object, list[Node]] = {}
        for child in parent.children:
            found.setdefault(alike(child), []).append(child)
        for members in found.values():
            if max(strongest[id(member)] for member in members) == _rank(effect):
                deep = any(member.children for member in members)
                groups.append((deep, -depths[id(parent)] if deep else 0, -len(members), parent, members))
    for _, _, _, parent, members in sorted(groups, key=lambda group: group[:3]):
        if too_many <= 0:
            return
        saved = sum(1 for _ in _drawn(members)) - 1
        if saved > 0:
            gone = set(map(id, members))
            parent.children = [child for child in parent.children if id(child) not in gone]
            parent.children.append(_folded(members, effect))
            too_many -= saved


def _folded(members: list[Node], effect: DependentEffect) -> Node:
    return (
        members[0]
        if len(members) == 1 and not members[0].children
        else Node("", effect, folded=tuple(sorted(members, key=_order)))
    )


def _strongest(drawn: list[Node]) -> dict[int, int]:
    """For each node the rank of the strongest effect on it or behind it; children come after their parents."""
    found: dict[int, int] = {}
    for node in reversed(drawn):
        found[id(node)] = max([_rank(node.effect), *(found[id(child)] for child in node.children)])
    return found


def _depths(root: Node) -> dict[int, int]:
    found = {id(root): 0}
    for node in root.drawn():
        found.update((id(child), found[id(node)] + 1) for child in node.children)
    return found


def _drawn(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield from node.drawn()


def _below(nodes: Iterable[Node]) -> Iterator[Node]:
    """All nodes, and those they stand for, and all behind them."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children
        waiting += node.folded


def _rank(effect: DependentEffect | None) -> int:
    """More is worse; an object that only lies on the way counts least."""
    return 0 if effect is None else len(STRONGEST_FIRST) - STRONGEST_FIRST.index(effect)


def _effect_and_kind(node: Node) -> object:
    return node.effect, kind_of(node.identity)


def _effect(node: Node) -> object:
    return node.effect


def _order(node: Node) -> tuple[int, bool, str, str]:
    return -_rank(node.effect), node.is_fold, kind_of(node.identity), node.identity


def _count(number: int, kind: str) -> str:
    if number != 1:
        plural = {"index": "indexes", "policy": "policies", "foreign key": "foreign keys"}.get(kind)
        if kind.endswith("index") and plural is None:
            plural = f"{kind}es"
        if plural is not None:
            return f"{number:,} {plural}"
    return count(number, kind)
