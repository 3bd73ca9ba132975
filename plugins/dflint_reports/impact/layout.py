"""Where the boxes of a tree go: columns from left to right by their distance from the target, nothing overlapping.

The children of a box stand right of it, one below the other, in bands that no other box enters; so no line crosses
another. Leaves with the same effect share a frame of several columns, to which one line leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from msgspec import Struct, field

from dflint.model.impact import DependentEffect
from dflint_reports.impact.tree import Node

#: In units of the picture, which are pixels at its natural size.
BOX_HEIGHT: Final = 42
_GAP, _LINE_GAP = 10, 64
_PADDING, _HEADER = 12, 26
#: A box is halfway down what is right of it, but not further down than this: it is to be seen without scrolling.
_ABOVE = 180
#: So many leaves with the same effect share a frame.
_FRAMED = 3
_ROWS, _COLUMNS = 5, 4


class Box(Struct, eq=False):
    """A node at its place.

    Attributes:
        number: of the box, in the order in which the picture is read.
        parent: the box that the line comes from; None of the target.
        frame: the frame that it stands in.
    """

    node: Node
    number: int
    x: float
    y: float
    parent: Box | None = None
    frame: Frame | None = None

    def way(self) -> Iterator[Box]:
        """The box and all boxes before it, up to the target."""
        box: Box | None = self
        while box is not None:
            yield box
            box = box.parent


class Frame(Struct, eq=False):
    """Leaves with the same effect."""

    number: int
    effect: DependentEffect | None
    count: int
    x: float
    y: float
    width: float
    height: float
    parent: Box


class Picture(Struct, eq=False):
    """Boxes and frames at their places; the target is the first box."""

    box_width: float
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    width: float = 0
    height: float = 0


def arrange(root: Node, box_width: float) -> Picture:
    """Find a place for every box.

    Args:
        root: of a tree that was folded: it is not deep.
        box_width: of all boxes.
    """
    picture = Picture(box_width)
    picture.height = _place(picture, root, 0, 0, None)
    right_ends = [box.x + box_width for box in picture.boxes] + [frame.x + frame.width for frame in picture.frames]
    picture.width = max(right_ends)
    return picture


class _Group(Struct, eq=False):
    """Children that stand together: one with what is behind it, or leaves with the same effect."""

    nodes: list[Node]

    @property
    def framed(self) -> bool:
        return len(self.nodes) > 1

    @property
    def columns(self) -> int:
        return min(_COLUMNS, -(-len(self.nodes) // _ROWS))

    @property
    def rows(self) -> int:
        return -(-len(self.nodes) // self.columns)

    def height(self) -> float:
        if not self.framed:
            return _height(self.nodes[0])
        return _HEADER + self.rows * (BOX_HEIGHT + _GAP) - _GAP + _PADDING


def _groups(node: Node) -> list[_Group]:
    """The children, the strongest effects first; those with something behind them before leaves."""
    found = list[_Group]()
    for _, members in groupby(node.children, key=lambda child: child.effect):
        alike = list(members)
        found += [_Group([child]) for child in alike if child.children]
        leaves = [child for child in alike if not child.children]
        if len(leaves) >= _FRAMED:
            found.append(_Group(leaves))
        else:
            found += [_Group([leaf]) for leaf in leaves]
    return found


def _height(node: Node) -> float:
    """The height of the band that a box needs for itself and everything right of it."""
    groups = _groups(node)
    return max(BOX_HEIGHT, sum(group.height() for group in groups) + _GAP * (len(groups) - 1))


def _place(picture: Picture, node: Node, x: float, y: float, parent: Box | None) -> float:
    """Place a box and everything right of it in a band that begins at ``y``; the band's height."""
    height = _height(node)
    above = min((height - BOX_HEIGHT) / 2, _ABOVE)
    box = Box(node, len(picture.boxes), x, y + above, parent)
    picture.boxes.append(box)
    groups = _groups(node)
    taken = sum(group.height() for group in groups) + _GAP * (len(groups) - 1)
    right, top = x + picture.box_width + _LINE_GAP, y + (height - taken) / 2
    for group in groups:
        if group.framed:
            _place_framed(picture, group, right, top, box)
        else:
            _place(picture, group.nodes[0], right, top, box)
        top += group.height() + _GAP
    return height


def _place_framed(picture: Picture, group: _Group, x: float, y: float, parent: Box) -> None:
    width = group.columns * (picture.box_width + _GAP) - _GAP + 2 * _PADDING
    effect = group.nodes[0].effect
    count = sum(1 for node in group.nodes for each in node.objects if each.effect == effect)
    frame = Frame(len(picture.frames), effect, count, x, y, width, group.height(), parent)
    picture.frames.append(frame)
    for place, node in enumerate(group.nodes):
        column, row = divmod(place, group.rows)
        left = x + _PADDING + column * (picture.box_width + _GAP)
        top = y + _HEADER + row * (BOX_HEIGHT + _GAP)
        picture.boxes.append(Box(node, len(picture.boxes), left, top, parent, frame))
