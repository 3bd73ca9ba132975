"""An impact as one page: the picture, and below it all there is to say in words. Nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

from dflint.model.impact import Dependent, DependentEffect, Impact
from dflint.model.uses import ImpactReport, QueryUses
from dflint.plugin import Output
from dflint_reports.impact.layout import Box
from dflint_reports.impact.style import colors
from dflint_reports.impact.svg import drawing, picture_of, style
from dflint_reports.impact.wording import MEANING, SHORT, counts, headline, shown_by, steps, verdict
from dflint_reports.markup import xml_text

_PAGE: Final = """
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { padding: 16px 24px; }
header { padding-bottom: 0; }
h1 { font-size: 20px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 28px 0 6px; }
p { margin: 4px 0; }
.picture { overflow: auto; max-height: 82vh;
  border-block: 1px solid color-mix(in srgb, var(--faint) 35%, transparent); }
.counts { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 10px 0; list-style: none; }
.counts a { display: block; padding: 2px 10px; border: 1.5px solid var(--line); border-radius: 12px;
  background: var(--fill); color: var(--text); text-decoration: none; }
.counts .breaks_later a { border-width: 3px; }
.counts .unknown a { border-style: dashed; }
.hint, .meaning, small { color: var(--faint); font-size: 13px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: 13px; color: var(--faint); font-weight: 600; }
td, th { padding: 3px 14px 3px 8px; vertical-align: top; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, var(--faint) 25%, transparent); }
td:first-child { border-left: 4px solid var(--line); }
code { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 13px; }
tr:target td { background: color-mix(in srgb, var(--target-line) 18%, transparent); }
.incomplete { border-left: 4px solid var(--unknown-line); padding-left: 12px; }
"""
_HINT: Final = (
    "Point at a box, or go to it with the tabulator and arrow keys, to see the way to it; "
    "Enter shows what is known of it."
)
#: Arrow keys go along the lines of the picture. It holds no character that XML would want escaped.
_SCRIPT: Final = """
document.addEventListener('keydown', function (event) {
  var box = document.activeElement;
  if (!box || !box.classList.contains('box')) return;
  var all = Array.from(document.querySelectorAll('.box')), at = all.indexOf(box), next = null;
  if (event.key === 'ArrowLeft') next = document.getElementById(box.dataset.parent);
  if (event.key === 'ArrowRight') next = document.querySelector('.box[data-parent=' + box.id + ']');
  if (event.key === 'ArrowDown') next = all[at + 1];
  if (event.key === 'ArrowUp') next = all[at - 1];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: 'nearest', inline: 'nearest' });
});
"""


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """The page, which is well-formed XML too."""
    impact = report.impact
    picture = picture_of(impact)
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    rows = {dependent.identity: number for number, dependent in enumerate(impact.dependents)}

    def link(box: Box) -> str | None:
        if box.node.identity in rows:
            return f"#d{rows[box.node.identity]}"
        return f"#{box.node.effect}" if box.node.is_fold else None

    title = xml_text(headline(impact))
    lines = [
        "<!DOCTYPE html>",
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en">',
        "<head>",
        '<meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        '<meta name="color-scheme" content="light dark"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>',
        f"<title>{title}</title>",
        f"<style>{colors()}{_PAGE}{style(picture)}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{title}</h1><p>{xml_text(verdict(impact))}</p>",
        *_counts(impact),
        f'<p class="hint">{_HINT}</p></header>',
        f'<div class="picture">{drawing(impact, picture, alone=False, link=link)}</div>',
        "<main>",
        *_incomplete(impact.incomplete_because),
        *(() if report.queries is None else _queries(report.queries)),
        *_dependents(impact, rows),
        "</main>",
        f"<script>{_SCRIPT}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _counts(impact: Impact) -> Iterator[str]:
    yield '<ul class="counts">'
    for effect, number in counts(impact):
        yield f'<li class="{effect}"><a href="#{effect}">{number:,} · {SHORT[effect]}</a></li>'
    yield "</ul>"


def _incomplete(reasons: tuple[str, ...]) -> Iterator[str]:
    if reasons:
        yield '<div class="incomplete"><h2>The answer is incomplete</h2>'
        yield from (f"<p>{xml_text(reason)}</p>" for reason in reasons)
        yield "</div>"


def _dependents(impact: Impact, rows: dict[str, int]) -> Iterator[str]:
    for effect, number in counts(impact):
        yield f'<section class="{effect}"><h2 id="{effect}">{number:,} · {SHORT[effect]}</h2>'
        yield f'<p class="meaning">{MEANING[effect]}</p>'
        yield "<table><thead><tr><th>object</th><th>reached through</th><th>shown by</th></tr></thead><tbody>"
        for dependent in impact.dependents:
            if dependent.effect == effect:
                yield _row(dependent, rows[dependent.identity])
        yield "</tbody></table></section>"


def _row(dependent: Dependent, number: int) -> str:
    way = " › ".join(f"<code>{xml_text(each)}</code>" for each in steps(dependent.via))
    shown = "<br/>".join(xml_text(shown_by(each)) for each in dependent.evidence)
    return f'<tr id="d{number}"><td><code>{xml_text(dependent.identity)}</code></td><td>{way}</td><td>{shown}</td></tr>'


def _queries(queries: QueryUses) -> Iterator[str]:
    strongest: DependentEffect = "breaks_later"
    yield f'<section class="{strongest}"><h2 id="queries">{len(queries.statements):,} of {queries.looked_at:,} '
    yield "statements use it</h2>"
    if queries.statements:
        heads = "".join(f"<th>{head}</th>" for head in ("statement", "uses", "calls", "last seen", "from"))
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for use in queries.statements:
            since = "" if use.counted_since is None else f"<br/><small>since {xml_text(use.counted_since)}</small>"
            calls = "not counted" if use.calls is None else f"{use.calls:,}{since}"
            uses = "<br/>".join(f"<code>{xml_text(each)}</code>" for each in use.uses)
            sure = "" if use.certainty == "certain" else f"<br/><small>{use.certainty}</small>"
            yield (
                f"<tr><td><code>{xml_text(use.statement)}</code></td><td>{uses}{sure}</td><td>{calls}</td>"
                f"<td>{xml_text(use.last_seen or 'not known')}</td>"
                f"<td>{xml_text(use.origin)}, line {use.line}, column {use.column}</td></tr>"
            )
        yield "</tbody></table>"
    yield from (f"<p>There may be more: {xml_text(reason)}.</p>" for reason in queries.incomplete_because)
    yield "</section>"
