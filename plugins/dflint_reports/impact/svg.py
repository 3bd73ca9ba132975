"""An impact as a picture that is one file: SVG without scripts and without anything from elsewhere.

Hovering a box, or going to it with the tabulator key, shows the way from the target to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dflint.model.impact import DependentEffect, Impact
from dflint.model.uses import ImpactReport
from dflint.plugin import Output
from dflint_reports.impact.labels import cells, kind_of, name_of, schema_of, shortened, wrapped
from dflint_reports.impact.layout import BOX_HEIGHT, Box, Frame, Picture, arrange
from dflint_reports.impact.style import CELL, FONT, SMALL_CELL, colors, css_class
from dflint_reports.impact.tree import Node, tree
from dflint_reports.impact.wording import MEANING, SHORT, counts, headline, shown_by, steps, verdict
from dflint_reports.markup import xml_text
from dflint_reports.visible import visible

#: Of a name so many columns are shown at most; all of it when the mouse is over it.
_WIDEST_NAME: Final = 34
_NARROWEST_NAME: Final = 18
_INSET: Final = 11
_MARGIN: Final = 24
_HEADER_LINE: Final = 20
_NARROWEST: Final = 720
#: A tooltip holds so many lines of what a fold stands for, or of evidence.
_TOOLTIP: Final = 40

_STYLE: Final = f"""
svg.impact {{ background: var(--page); font-family: {FONT}; }}
.impact text {{ fill: var(--ink); font-size: 13px; }}
.impact .head {{ font-size: 15px; font-weight: 700; }}
.impact .small, .impact .head + .small {{ font-size: 11px; }}
.impact .faint {{ fill: var(--faint); }}
.impact .box rect {{ fill: var(--fill); stroke: var(--line); stroke-width: 1.5; }}
.impact .box text {{ fill: var(--text); }}
.impact .box .stack {{ fill: var(--page); stroke-width: 1; }}
.impact .breaks_later :is(.card, .chip) {{ stroke-width: 3; }}
.impact .edge {{ fill: none; stroke: var(--line); stroke-width: 1.5; }}
.impact .unknown rect.card, .impact .unknown rect.chip, .impact .edge.unknown, .impact .frame.unknown rect
{{ stroke-dasharray: 5 4; }}
.impact .frame rect {{ fill: none; stroke: var(--line); stroke-opacity: 0.55; stroke-width: 1; }}
.impact .frame text {{ fill: var(--text); font-size: 11px; font-weight: 700; }}
.impact .chip {{ fill: var(--fill); stroke: var(--line); stroke-width: 1.5; }}
.impact .box {{ cursor: pointer; outline: none; }}
.impact .box:hover rect.card, .impact .box:focus rect.card {{ stroke-width: 3.5; }}
.impact:has(.box:hover) :is(.box, .edge, .frame), .impact:has(.box:focus) :is(.box, .edge, .frame) {{ opacity: 0.25; }}
"""

#: What a box links to, if anything.
Link = Callable[[Box], str | None]


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """The picture."""
    picture = picture_of(report.impact)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + drawing(report.impact, picture, alone=True)


def picture_of(impact: Impact) -> Picture:
    """The arranged boxes of an impact; all as wide as the longest label needs."""
    root = tree(impact)
    schema = schema_of(impact.target)
    widest = max(max(cells(name), round(cells(kind) * SMALL_CELL / CELL)) for kind, name in _labels(root, schema))
    room = min(max(widest, _NARROWEST_NAME), _WIDEST_NAME)
    return arrange(root, room * CELL + 2 * _INSET)


def _labels(root: Node, schema: str | None) -> Iterator[tuple[str, str]]:
    for node in root.drawn():
        yield label(node, schema)


def label(node: Node, schema: str | None, *, is_target: bool = False) -> tuple[str, str]:
    """What is written on a box: the small line, and the large one."""
    if node.is_fold:
        named = node.named
        large = name_of(named[0].identity, schema) if len(named) == 1 else node.kinds
        behind = f" + {node.behind:,} behind" if node.behind else ""
        said = "" if node.effect is None else f" · {SHORT[node.effect]}"
        # A number that lost its first digits would be another number.
        return f"{len(node.hidden):,} folded{said}", shortened(large, _WIDEST_NAME - cells(behind)) + behind
    said = "target" if is_target else "on the way" if node.effect is None else SHORT[node.effect]
    return f"{kind_of(node.identity)} · {said}", name_of(node.identity, schema)


def drawing(impact: Impact, picture: Picture, *, alone: bool, link: Link = lambda _box: None) -> str:
    """The ``svg`` element.

    Args:
        alone: it is a document of its own, with title, legend and style.
        link: what boxes link to.
    """
    room = max(picture.width, _NARROWEST - 2 * _MARGIN)
    head = list(_head(impact, int(room / CELL))) if alone else []
    top = _MARGIN + len(head) * _HEADER_LINE + (12 if head else 0)
    width = max(picture.width + 2 * _MARGIN, _NARROWEST if alone else 0)
    height = picture.height + top + _MARGIN
    title = xml_text(headline(impact))
    lines = []
    lines.append(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="impact" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="group" aria-label="{title}">'
    )
    if alone:
        lines.append(f"<title>{title}</title>")
        lines.append(f"<style>{colors()}{style(picture)}</style>")
        lines.append(f'<rect width="{width:g}" height="{height:g}" style="fill: var(--page)"/>')
        lines += [line.format(y=_MARGIN + number * _HEADER_LINE + 4) for number, line in enumerate(head)]
    room = picture.box_width - 2 * _INSET
    lines.append(f'<clipPath id="inside"><rect x="{_INSET}" y="0" width="{room:g}" height="{BOX_HEIGHT}"/></clipPath>')
    lines.append(f'<g transform="translate({_MARGIN} {top:g})">')
    lines += [_frame(frame) for frame in picture.frames]
    lines += _edges(picture)
    schema = schema_of(impact.target)
    for box in picture.boxes:
        lines += _box(box, picture.box_width, schema, link(box))
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def style(picture: Picture) -> str:
    """The rules for a picture, and for the way to each of its boxes."""
    rules = [_STYLE]
    for box in picture.boxes:
        way = list(box.way())
        shown = [f"#n{each.number}" for each in way] + [f"#{_edge(each)}" for each in way[:-1]]
        shown += [f"#f{each.frame.number}" for each in way if each.frame is not None]
        on = f".impact:has(#n{box.number}:hover)", f".impact:has(#n{box.number}:focus)"
        rules.append(", ".join(f"{each} :is({', '.join(shown)})" for each in on) + " { opacity: 1; }\n")
    return "".join(rules)


def _head(impact: Impact, room: int) -> Iterator[str]:
    """What was asked, the answer, the legend, and what may be missing; each line with a place for its ``y``.

    Args:
        room: columns of a line.
    """

    def line(text: str, cls: str) -> str:
        content = xml_text(text).replace("{", "{{").replace("}", "}}")
        return f'<text x="{_MARGIN}" y="{{y:g}}" class="{cls}">{content}</text>'

    yield line(shortened(headline(impact), room * 13 // 15), "head")
    for text in wrapped(verdict(impact), room, 2):
        yield line(text, "")
    x = float(_MARGIN)
    chips = list[str]()
    for effect, number in counts(impact):
        said = f"{number:,} {_legend(effect)}"
        chips.append(
            f'<g class="{effect}"><rect class="chip" x="{x:g}" y="-9" width="16" height="11" rx="3"/>'
            f'<text x="{x + 22:g}" y="0" class="small">{xml_text(said)}</text></g>'
        )
        x += 22 + cells(said) * SMALL_CELL + 18
    yield f'<g transform="translate(0 {{y:g}})">{"".join(chips)}</g>'
    for text in impact.incomplete_because[:3]:
        yield line(shortened(f"incomplete: {visible(text)}", room * 13 // 11), "small faint")


def _legend(effect: DependentEffect) -> str:
    return {
        "blocks": "block",
        "auto_dropped": "go with it",
        "breaks_later": "break",
        "changes": "change",
        "unknown": "unknown",
        "follows": "follow",
    }[effect]


def _edge(box: Box) -> str:
    """The id of the line that leads to a box: that of its frame, if it has one."""
    return f"e{box.number}" if box.frame is None else f"ef{box.frame.number}"


def _edges(picture: Picture) -> Iterator[str]:
    for frame in picture.frames:
        yield _line(
            f"ef{frame.number}", frame.effect, frame.parent, picture.box_width, frame.x, frame.y + frame.height / 2
        )
    for box in picture.boxes:
        if box.parent is not None and box.frame is None:
            yield _line(f"e{box.number}", box.node.effect, box.parent, picture.box_width, box.x, box.y + BOX_HEIGHT / 2)


def _line(name: str, effect: DependentEffect | None, parent: Box, width: float, x: float, y: float) -> str:
    start, height = parent.x + width, parent.y + BOX_HEIGHT / 2
    middle = (start + x) / 2
    return (
        f'<path id="{name}" class="edge {css_class(effect)}" '
        f'd="M{start:g} {height:g}C{middle:g} {height:g} {middle:g} {y:g} {x:g} {y:g}"/>'
    )


def _frame(frame: Frame) -> str:
    said = "on the way" if frame.effect is None else SHORT[frame.effect]
    return (
        f'<g id="f{frame.number}" class="frame {css_class(frame.effect)}">'
        f'<rect x="{frame.x:g}" y="{frame.y:g}" width="{frame.width:g}" height="{frame.height:g}" rx="8"/>'
        f'<text x="{frame.x + 12:g}" y="{frame.y + 17:g}">{frame.count:,} · {said}</text></g>'
    )


def _box(box: Box, width: float, schema: str | None, link: str | None) -> Iterator[str]:
    node = box.node
    cls = "target" if box.parent is None else css_class(node.effect)
    small, large = label(node, schema, is_target=box.parent is None)
    said = xml_text(_tooltip(box))
    element, target = ("g", "") if link is None else ("a", f' href="{xml_text(link)}"')
    parent = "" if box.parent is None else f' data-parent="n{box.parent.number}"'
    yield (
        f'<{element} id="n{box.number}" class="box {cls}"{target}{parent} tabindex="0" role="listitem" '
        f'transform="translate({box.x:g} {box.y:g})" aria-label="{said.splitlines()[0]}">'
    )
    yield f"<title>{said}</title>"
    if node.is_fold:
        yield f'<rect class="stack" x="4" y="4" width="{width:g}" height="{BOX_HEIGHT}" rx="6"/>'
    yield f'<rect class="card" width="{width:g}" height="{BOX_HEIGHT}" rx="6"/>'
    room = width - 2 * _INSET
    small, large = shortened(small, int(room / SMALL_CELL)), shortened(large, int(room / CELL))
    yield f'<g clip-path="url(#inside)"><text class="small" x="{_INSET}" y="16">{xml_text(small)}</text>'
    yield f'<text x="{_INSET}" y="33">{xml_text(large)}</text></g></{element}>'


def _tooltip(box: Box) -> str:
    """The full name, what becomes of it, how it is reached, and what shows that; or what a fold stands for."""
    node = box.node
    if node.is_fold:
        names = [visible(each.identity) for each in node.named]
        more = [f"… and {len(names) - _TOOLTIP:,} more"] if len(names) > _TOOLTIP else []
        behind = [f"and {node.behind:,} behind them"] if node.behind else []
        effect = "" if node.effect is None else f": {SHORT[node.effect]}"
        return "\n".join([f"{node.kinds}{effect}", *names[:_TOOLTIP], *more, *behind])
    if node.effect is None:
        what = "the target" if box.parent is None else "lies on the way"
        return f"{visible(node.identity)}: {what}"
    lines = [f"{visible(node.identity)}: {MEANING[node.effect]}"]
    way = [visible(each.node.identity) for each in box.way()][1:-1]
    if way:
        lines.append("through " + " > ".join(steps(tuple(reversed(way)))))
    lines += [visible(shown_by(each)) for each in node.evidence[:_TOOLTIP]]
    return "\n".join(lines)
