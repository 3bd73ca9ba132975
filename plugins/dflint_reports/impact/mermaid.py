"""An impact in the language of Mermaid, which comments of pull requests show as a picture."""

from __future__ import annotations

from typing import Final

from dflint.model.uses import ImpactReport
from dflint.plugin import Output
from dflint_reports.impact.labels import schema_of, shortened
from dflint_reports.impact.style import CLASSES, css_class, line_and_surface
from dflint_reports.impact.svg import label
from dflint_reports.impact.tree import Node, tree
from dflint_reports.visible import visible

#: Such a picture has no tooltips: it shows names at greater length than the others.
_ROOM: Final = 64


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """A flow chart from the target to what it affects, folded as the pictures are."""
    root, schema = tree(report.impact), schema_of(report.impact.target)
    lines = ["flowchart LR"]
    numbers: dict[int, int] = {}
    for number, node in enumerate(root.drawn()):
        numbers[id(node)] = number
        lines.append(f"  n{number}{_box(node, schema, is_target=node is root)}")
    for node in root.drawn():
        for child in node.children:
            arrow = "-.->" if child.effect == "unknown" else "-->"
            lines.append(f"  n{numbers[id(node)]} {arrow} n{numbers[id(child)]}")
    for name in CLASSES:
        line, surface, text = line_and_surface(name)
        dashed = ",stroke-dasharray:5 4" if name == "unknown" else ""
        lines.append(f"  classDef {name} fill:{surface},stroke:{line},color:{text}{dashed}")
    return "\n".join(lines) + "\n"


def _box(node: Node, schema: str | None, *, is_target: bool) -> str:
    small, large = label(node, schema, is_target=is_target)
    cls = "target" if is_target else css_class(node.effect)
    return f'["{escaped(small)}<br/>{escaped(shortened(large, _ROOM))}"]:::{cls}'


def escaped(text: str) -> str:
    """Text in which nothing means anything to Mermaid or to HTML: the rest of ASCII by its number."""
    shown = visible(text)
    return "".join(char if char.isalnum() or char in " _.,·…" or char > "~" else f"#{ord(char)};" for char in shown)
