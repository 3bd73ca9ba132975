"""A plan as one page: the locks over time as a picture, and below it every step in words. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.model.plan import Plan, Step
from dflint.model.plan_report import Followed, PlanReport
from dflint.plugin import Output
from dflint_reports.markup import xml_text
from dflint_reports.plan import timeline
from dflint_reports.plan.wording import KINDS, STOPS, seconds, span, written

#: Line, surface and text: light, then dark.
_COLORS: Final = {
    "reads": (("#c62828", "#fdeaea", "#7f1515"), ("#ef5350", "#4a1b1e", "#ffd3d1")),
    "writes": (("#c2760c", "#fdf0dc", "#6b4508"), ("#e0a23a", "#3f2f10", "#f9e4b6")),
    "schema_changes": (("#1d4ed8", "#e6edff", "#1e3a8a"), ("#60a5fa", "#172a4d", "#d3e3ff")),
    "none": (("#9ca3af", "#f3f4f6", "#4b5563"), ("#6b7280", "#232830", "#c0c6d0")),
}
#: Page, text, faint text, lines.
_PAGES: Final = (("#ffffff", "#111827", "#6b7280", "#d9dde3"), ("#14181f", "#e5e7eb", "#9ca3af", "#333a45"))
_STYLE: Final = """
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { padding: 16px 24px; }
header { padding-bottom: 4px; }
h1 { font-size: 20px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 26px 0 6px; }
p { margin: 4px 0; }
.hint, .faint { color: var(--faint); font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 10px 0; list-style: none; font-size: 13px; }
.legend li, .stops { padding: 1px 10px; border-radius: 11px; border: 1.5px solid var(--line, var(--faint));
  background: var(--fill, transparent); color: var(--text, inherit); }
.legend .open { border-style: dashed; }
section { border-top: 1px solid var(--rule); padding: 10px 0 12px; }
section:target { background: color-mix(in srgb, var(--schema_changes-line) 9%, transparent); }
section h3 { margin: 0 0 6px; font-size: 15px; display: flex; flex-wrap: wrap; gap: 10px; align-items: baseline; }
section h3 .stops { font-size: 13px; font-weight: 400; }
pre { margin: 6px 0; padding: 8px 12px; background: color-mix(in srgb, var(--ink) 5%, transparent); overflow-x: auto;
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
pre, code { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 6px 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.return { border-top: 2px dashed var(--ink); margin-top: 14px; padding-top: 4px; font-weight: 600; }
details { margin: 6px 0; }
"""

_HINT: Final = (
    "A bar is as long as its lock may be held; its length grows with the logarithm of the time. Times are estimates. "
    "A step's number leads to its statements."
)


def render(report: PlanReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """The page, which is well-formed XML too."""
    plan = report.plan
    title = xml_text(f"{plan.source}: {_number(len(plan.steps), 'step')} for PostgreSQL {plan.target.pg_version}")
    lines = [
        "<!DOCTYPE html>",
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en">',
        "<head>",
        '<meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        '<meta name="color-scheme" content="light dark"/>',
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>""",
        f"<title>{title}</title>",
        f"<style>{_colors()}{_STYLE}{timeline.STYLE}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{title}</h1>",
        *(f"<p>{xml_text(sentence)}</p>" for sentence in _summary(plan)),
        *_legend(),
        f'<p class="hint">{_HINT}</p></header>',
        *timeline.drawing(plan),
        "<main>",
        *_followed(report),
        "<h2>Steps</h2>",
    ]
    by_step = {step: each for each in report.followed for step in each.steps}
    for step in plan.steps:
        if step.id == plan.point_of_no_return:
            lines.append('<p class="return">From here on nothing is taken back by an undo.</p>')
        lines += _step(step, by_step.get(step.id))
    lines += ["</main>", "</body>", "</html>"]
    return "\n".join(lines) + "\n"


def _colors() -> str:
    rules = []
    for scheme, page in enumerate(_PAGES):
        own = f"--page: {page[0]}; --ink: {page[1]}; --faint: {page[2]}; --rule: {page[3]};"
        for name, both in _COLORS.items():
            line, fill, text = both[scheme]
            own += f" --{name}-line: {line}; --{name}-fill: {fill}; --{name}-text: {text};"
        rules.append(f":root {{ {own} }}")
    classes = "".join(
        f".stops.{name} {{ --line: var(--{name}-line); --fill: var(--{name}-fill); --text: var(--{name}-text); }}\n"
        for name in _COLORS
    )
    return f"{rules[0]}\n@media (prefers-color-scheme: dark) {{ {rules[1]} }}\n{classes}"


def _summary(plan: Plan) -> Iterator[str]:
    for stops, words in (("reads", "reads and writes"), ("writes", "writes")):
        those = [step for step in plan.steps if step.lock_class == stops]
        if those:
            longest = max((each.estimate.high_s for each in those if each.estimate is not None), default=None)
            unknown = sum(each.estimate is None for each in those)
            said = "" if longest is None else f", the longest for up to {seconds(longest)}"
            doubt = f"; of {unknown} it is not known how long" if unknown else ""
            yield f"{_number(len(those), 'step')} {'stops' if len(those) == 1 else 'stop'} {words}{said}{doubt}."
    if not any(step.lock_class in ("reads", "writes") for step in plan.steps):
        yield "No step is known to stop reads or writes."
    if not plan.target.catalog_fingerprint:
        yield "Made without knowing the database: give --db or --catalog to have it all."


def _legend() -> Iterator[str]:
    yield '<ul class="legend">'
    for name, words in (
        ("reads", "ACCESS EXCLUSIVE: reads and writes wait"),
        ("writes", "SHARE and stronger: writes wait"),
        ("schema_changes", "SHARE UPDATE EXCLUSIVE: VACUUM and schema changes wait"),
        ("none", "weaker: nobody waits"),
    ):
        yield f'<li class="stops {name}">{words}</li>'
    yield '<li class="open">dashed: how long is not known</li></ul>'


def _followed(report: PlanReport) -> Iterator[str]:
    if report.followed:
        yield "<h2>By recipe</h2>"
    for each in report.followed:
        links = ", ".join(f'<a href="#step-{xml_text(step)}">{xml_text(step)}</a>' for step in each.steps)
        yield f"<pre>{xml_text(each.statement)}</pre>"
        yield f"<p>{xml_text(each.recipe.title)} (<code>{xml_text(each.recipe.id)}</code>): {_steps(each)} {links}.</p>"
        yield "<details><summary>What it means for those who use the database</summary><dl>"
        said = each.recipe.consequences
        yield from _terms(
            ("running code", said.running_code),
            ("prepared statements", said.prepared_statements),
            ("logical replication", said.logical_replication),
            ("row-level security", said.row_level_security),
            *(("costs", each_cost) for each_cost in each.recipe.trade_offs),
        )
        yield "</dl></details>"
    yield from (f"<p>{xml_text(remark)}</p>" for remark in report.remarks)


def _steps(each: Followed) -> str:
    return "step" if len(each.steps) == 1 else "steps"


def _step(step: Step, followed: Followed | None) -> Iterator[str]:
    yield f'<section id="step-{xml_text(step.id)}"><h3>{xml_text(step.id)}. {KINDS[step.kind]}'
    if step.kind != "manual":
        yield f'<span class="stops {step.lock_class}">{STOPS[step.lock_class]}</span>'
    yield "</h3>"
    yield f"<pre>{xml_text(step.sql)}</pre><dl>"
    if step.estimate is not None:
        yield from _terms(("takes", f"{span(step.estimate)} (estimate: {step.estimate.basis})"))
        yield from _terms(*(("writes", f"{sizes} (estimate)") for sizes in written(step.estimate)))
    elif step.kind != "manual":
        yield from _terms(("takes", "not known"))
    if step.backfill is not None:
        cut = f"along {', '.join(step.backfill.key)} of {step.backfill.table}, {step.backfill.batch} rows at first"
        yield from _terms(("batches", cut))
    yield from _terms(*(("locks", f"{mode} on {identity}") for identity, mode in step.locks.items()))
    yield from _terms(*(("with", f"{name} = {value}") for name, value in step.settings.items()))
    yield from _terms(*(("before", check.name) for check in step.pre), *(("after", check.name) for check in step.post))
    if step.kind != "manual":
        yield from _terms(*(("undo", text) for text in _undo(step)))
    yield from _terms(*(("note", note) for note in step.notes))
    if followed is not None:
        yield from _terms(("recipe", followed.recipe.id))
    yield "</dl></section>"


def _undo(step: Step) -> Iterable[str]:
    if step.undo.irreversible is not None:
        return [f"impossible: {step.undo.irreversible}"]
    return step.undo.sql or ["nothing to take back"]


def _terms(*pairs: tuple[str, str]) -> Iterator[str]:
    previous = None
    for term, text in pairs:
        yield f"<dt>{term if term != previous else ''}</dt><dd>{xml_text(text)}</dd>"
        previous = term


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
