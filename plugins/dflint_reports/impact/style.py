"""Colours and fonts of the pictures, for light and dark surroundings."""

from __future__ import annotations

from typing import Final

from dflint.model.impact import DependentEffect

FONT: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
#: Width of a column of that font at 13 units, with something to spare for wider fonts.
CELL: Final = 8.0
#: The same at 11 units.
SMALL_CELL: Final = 6.8

#: Line, surface and text of a box: light, then dark.
_LIGHT: Final[dict[str, tuple[str, str, str]]] = {
    "blocks": ("#c62828", "#fdeaea", "#7f1515"),
    "breaks_later": ("#c62828", "#fdeaea", "#7f1515"),
    "auto_dropped": ("#b7791f", "#fdf4e1", "#6b4508"),
    "changes": ("#7c3aed", "#f3edff", "#4c1d95"),
    "unknown": ("#475569", "#ffffff", "#334155"),
    "follows": ("#9ca3af", "#f3f4f6", "#4b5563"),
    "way": ("#cbd5e1", "#ffffff", "#64748b"),
    "target": ("#1d4ed8", "#1d4ed8", "#ffffff"),
}
_DARK: Final[dict[str, tuple[str, str, str]]] = {
    "blocks": ("#ef5350", "#3b1719", "#ffc9c7"),
    "breaks_later": ("#ef5350", "#3b1719", "#ffc9c7"),
    "auto_dropped": ("#d69e2e", "#33270f", "#f6dfae"),
    "changes": ("#a78bfa", "#261a45", "#ddd0ff"),
    "unknown": ("#94a3b8", "#14181f", "#cbd5e1"),
    "follows": ("#6b7280", "#232830", "#c0c6d0"),
    "way": ("#475569", "#14181f", "#94a3b8"),
    "target": ("#3b82f6", "#1e40af", "#ffffff"),
}
#: Page, text, faint text.
_LIGHT_PAGE: Final = ("#ffffff", "#111827", "#6b7280")
_DARK_PAGE: Final = ("#14181f", "#e5e7eb", "#9ca3af")

CLASSES: Final = tuple(_LIGHT)


def css_class(effect: DependentEffect | None) -> str:
    """The class of a box; of one that only lies on the way, ``way``."""
    return effect or "way"


def line_and_surface(name: str) -> tuple[str, str, str]:
    """Line, surface and text of a class, on a light page."""
    return _LIGHT[name]


def colors() -> str:
    """The rules of a style sheet that give each class its colours."""
    return (
        f":root {{ {_variables(_LIGHT, _LIGHT_PAGE)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK, _DARK_PAGE)} }} }}\n"
        + "".join(
            f".{name} {{ --line: var(--{name}-line); --fill: var(--{name}-fill); --text: var(--{name}-text); }}\n"
            for name in CLASSES
        )
    )


def _variables(boxes: dict[str, tuple[str, str, str]], page: tuple[str, str, str]) -> str:
    parts = [f"--page: {page[0]}; --ink: {page[1]}; --faint: {page[2]};"]
    parts += [
        f"--{name}-line: {line}; --{name}-fill: {fill}; --{name}-text: {text};"
        for name, (line, fill, text) in boxes.items()
    ]
    return " ".join(parts)
