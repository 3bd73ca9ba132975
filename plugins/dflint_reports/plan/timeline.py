"""The locks of a plan over its steps: a lane for each relation, a bar for each lock, as long as it may be held."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import log10
from typing import Final, NamedTuple

from dflint.model.locks import stronger
from dflint.model.plan import Plan, Step
from dflint_reports.markup import xml_text
from dflint_reports.plan.wording import KINDS, STOPS, initials, kind, relation, short_span, span, whom

_XMLNS: Final = 'xmlns="http://www.w3.org/2000/svg"'
_HEADER: Final = 46
_LANE: Final = 28
_BAR: Final = 20
_GAP: Final = 3
#: Widths of a step: the narrowest; more for each tenfold time above a hundredth of a second; the widest.
_NARROWEST: Final = 58
_TENFOLD: Final = 34
_SHORT_S: Final = 0.01
_WIDEST: Final = 300
_UNKNOWN: Final = 92
#: Width of a letter at 11 units.
_LETTER: Final = 7.4
NAMES: Final = 232
#: As many letters of a name are shown.
_LETTERS: Final = 26
#: With more lanes than that, those that stop nobody share one.
_MANY: Final = 12
#: Lanes that are drawn at most.
_MOST: Final = 40

STYLE: Final = """
.timeline { display: flex; overflow-x: auto; border-block: 1px solid var(--rule); }
.timeline .names { position: sticky; left: 0; flex: none; background: var(--page); z-index: 1;
  border-right: 1px solid var(--rule); }
.timeline .steps { flex: none; }
.timeline svg { display: block; font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.timeline text { fill: var(--ink); }
.timeline .faint { fill: var(--faint); font-size: 11px; }
.timeline .number { font-weight: 700; font-size: 13px; }
.timeline .rule { stroke: var(--rule); }
.timeline .column { fill: transparent; }
.timeline .column.reads { fill: var(--reads-line); fill-opacity: 0.13; }
.timeline .column.writes { fill: var(--writes-line); fill-opacity: 0.14; }
.timeline .column.manual { fill: url(#by-hand); }
.timeline .column.unknown { fill: url(#not-known); }
.timeline a:focus { outline: none; }
.timeline a:focus .number, .timeline a:hover .number { text-decoration: underline; }
.timeline .bar rect { stroke-width: 1.5; }
.timeline .bar.open rect { stroke-dasharray: 4 3; }
.timeline .bar text { font-size: 11px; font-weight: 700; }
.timeline .return { stroke: var(--ink); stroke-width: 2; stroke-dasharray: 6 4; }
.timeline .hatch { stroke: var(--faint); stroke-opacity: 0.35; }
""" + "".join(
    f".timeline .bar.{name} rect {{ fill: var(--{name}-fill); stroke: var(--{name}-line); }}"
    f" .timeline .bar.{name} text {{ fill: var(--{name}-text); }}\n"
    for name in ("reads", "writes", "schema_changes", "none")
)


class Lane(NamedTuple):
    """One row: a relation, or several that stop nobody.

    Attributes:
        locks: by step, the strongest mode.
    """

    identities: tuple[str, ...]
    locks: dict[str, str]

    @property
    def name(self) -> str:
        """What is written before it."""
        if len(self.identities) == 1:
            return relation(self.identities[0])
        return f"{len(self.identities)} others"


def lanes(plan: Plan) -> list[Lane]:
    """The rows, in the order in which the plan comes to them; those that stop nobody last, as one if there are many."""
    found: dict[str, dict[str, str]] = {}
    for step in plan.steps:
        for identity, mode in step.locks.items():
            found.setdefault(identity, {})[step.id] = mode
    all_lanes = [Lane((identity,), locks) for identity, locks in found.items()]
    quiet = [each for each in all_lanes if {whom(mode) for mode in each.locks.values()} == {"none"}]
    loud = [each for each in all_lanes if each not in quiet]
    kept, folded = (loud + quiet, []) if len(all_lanes) <= _MANY else (loud[:_MOST], loud[_MOST:] + quiet)
    return kept + ([_together(folded)] if folded else [])


def _together(several: list[Lane]) -> Lane:
    locks: dict[str, str] = {}
    for lane in several:
        for step, mode in lane.locks.items():
            locks[step] = stronger(locks[step], mode) if step in locks else mode
    return Lane(tuple(identity for lane in several for identity in lane.identities), locks)


def drawing(plan: Plan) -> Iterator[str]:
    """The picture: the names, which stay, beside the steps, which may be scrolled."""
    rows = lanes(plan)
    height = _HEADER + len(rows) * _LANE + 1
    widths = [_width(step) for step in plan.steps]
    starts = [0, *accumulate(widths)]
    yield '<div class="timeline" role="group" aria-label="Locks over the steps of the plan">'
    yield f'<div class="names"><svg {_XMLNS} width="{NAMES}" height="{height}" aria-hidden="true">'
    yield f'<text class="faint" x="12" y="{_HEADER - 26}">step</text>'
    yield f'<text class="faint" x="12" y="{_HEADER - 10}">may take</text>'
    for number, lane in enumerate(rows):
        yield from _name(lane, _HEADER + number * _LANE)
    yield f'</svg></div><div class="steps"><svg {_XMLNS} width="{starts[-1] + 12}" height="{height}">'
    yield (
        '<defs><pattern id="by-hand" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="0" y1="0" x2="0" y2="8"/></pattern>'
        '<pattern id="not-known" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<line class="hatch" x1="0" y1="3" x2="6" y2="3"/></pattern></defs>'
    )
    for step, start, width in zip(plan.steps, starts, widths, strict=False):
        yield _column(step, start, width, height)
    for number in range(len(rows) + 1):
        y = _HEADER + number * _LANE
        yield f'<line class="rule" x1="0" y1="{y}" x2="{starts[-1]}" y2="{y}"/>'
    for number, lane in enumerate(rows):
        for step, start, width in zip(plan.steps, starts, widths, strict=False):
            if step.id in lane.locks:
                yield _bar(lane, step, start, width, _HEADER + number * _LANE)
    for step, start in zip(plan.steps, starts, strict=False):
        if step.id == plan.point_of_no_return:
            yield (
                f'<line class="return" x1="{start}" y1="0" x2="{start}" y2="{height}">'
                "<title>From here on nothing is taken back by an undo</title></line>"
            )
    yield "</svg></div></div>"


def _width(step: Step) -> int:
    if step.kind == "manual":
        return _NARROWEST + 16
    if step.estimate is None:
        return _UNKNOWN
    return min(_WIDEST, round(_NARROWEST + _TENFOLD * max(0.0, log10(max(step.estimate.high_s, 1e-3) / _SHORT_S))))


def _name(lane: Lane, y: int) -> Iterator[str]:
    shown = lane.name if len(lane.name) <= _LETTERS else lane.name[: _LETTERS - 1] + "…"
    about = ", ".join(f"{kind(each)} {relation(each)}" for each in lane.identities[:_MOST])
    yield f'<line class="rule" x1="0" y1="{y}" x2="{NAMES}" y2="{y}"/>'
    yield f'<text x="12" y="{y + 18}">{xml_text(shown)}<title>{xml_text(about)}</title></text>'


def _column(step: Step, start: int, width: int, height: int) -> str:
    """A step: its number, its time, and behind it whom it stops."""
    shade = "manual" if step.kind == "manual" else step.lock_class
    about = f"Step {step.id}, {KINDS[step.kind]}: {STOPS[step.lock_class]}; it takes {span(step.estimate)}"
    if step.kind == "manual":
        about = f"Step {step.id}: to be done by hand"
    middle = start + width / 2
    return (
        f'<a href="#step-{xml_text(step.id)}"><title>{xml_text(about)}</title>'
        f'<rect class="column {shade}" x="{start}" y="0" width="{width}" height="{height}"/>'
        f'<text class="number" x="{middle:g}" y="20" text-anchor="middle">{xml_text(step.id)}</text>'
        f'<text class="faint" x="{middle:g}" y="36" text-anchor="middle">{xml_text(short_span(step))}</text></a>'
        f'<line class="rule" x1="{start + width}" y1="0" x2="{start + width}" y2="{height}"/>'
    )


def _bar(lane: Lane, step: Step, start: int, width: int, y: int) -> str:
    mode = lane.locks[step.id]
    room = width - 2 * _GAP
    text = mode if len(mode) * _LETTER + 8 <= room else initials(mode)
    open_end = " open" if step.estimate is None else ""
    about = f"{mode} on {', '.join(map(relation, lane.identities[:_MOST]))}: {STOPS[whom(mode)]}"
    return (
        f'<g class="bar {whom(mode)}{open_end}"><title>{xml_text(about)}</title>'
        f'<rect x="{start + _GAP}" y="{y + (_LANE - _BAR) / 2:g}" width="{room}" height="{_BAR}" rx="3"/>'
        f'<text x="{start + width / 2:g}" y="{y + 18}" text-anchor="middle">{xml_text(text)}</text></g>'
    )
