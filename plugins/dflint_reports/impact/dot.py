"""An impact in the language of Graphviz."""

from __future__ import annotations

from dflint.model.uses import ImpactReport
from dflint.plugin import Output
from dflint_reports.impact.labels import schema_of
from dflint_reports.impact.style import css_class, line_and_surface
from dflint_reports.impact.svg import label
from dflint_reports.impact.tree import Node, tree
from dflint_reports.impact.wording import headline, verdict
from dflint_reports.visible import visible


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """A directed graph from the target to what it affects, folded as the pictures are."""
    impact = report.impact
    root, schema = tree(impact), schema_of(impact.target)
    lines = [
        "digraph impact {",
        "  rankdir=LR;",
        f"  label={quoted(headline(impact), verdict(impact))};",
        '  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];',
    ]
    numbers: dict[int, int] = {}
    for number, node in enumerate(root.drawn()):
        numbers[id(node)] = number
        lines.append(f"  n{number} [{_attributes(node, schema, is_target=node is root)}];")
    for node in root.drawn():
        for child in node.children:
            line, _, _ = line_and_surface(css_class(child.effect))
            style = ", style=dashed" if child.effect == "unknown" else ""
            lines.append(f'  n{numbers[id(node)]} -> n{numbers[id(child)]} [color="{line}"{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node, schema: str | None, *, is_target: bool) -> str:
    line, surface, text = line_and_surface("target" if is_target else css_class(node.effect))
    small, large = label(node, schema, is_target=is_target)
    dashed = ', style="rounded,filled,dashed"' if node.effect == "unknown" else ""
    tooltip = quoted(node.identity or node.kinds)
    return (
        f'label={quoted(small, large)}, tooltip={tooltip}, color="{line}", fillcolor="{surface}", '
        f'fontcolor="{text}"{dashed}'
    )


def quoted(*lines: str) -> str:
    """Lines of text as one quoted string."""
    # A backslash begins an escape in a label, where quotes end the string.
    return '"' + "\\n".join(visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
