"""An impact as text for people: what becomes of what, and who still uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dflint.model.impact import Dependent, DependentEffect, Impact
from dflint.model.uses import CodeUses, ImpactReport, QueryUse, QueryUses
from dflint.plugin import Output
from dflint_reports.impact.labels import shortened
from dflint_reports.impact.wording import MEANING, SHORT, counts, headline, shown_by, steps, verdict
from dflint_reports.visible import visible
from dflint_reports.wording import count

_STYLES: Final[dict[DependentEffect, str]] = {
    "blocks": "bold red",
    "breaks_later": "bold red",
    "auto_dropped": "bold yellow",
    "changes": "bold magenta",
    "unknown": "bold",
    "follows": "dim",
}
Paint = Callable[[str, str], str]


def render(report: ImpactReport, output: Output) -> str:
    """The dependents by effect, strongest first, each with the way to it and what shows it; unless quiet, all else."""
    paint = _coloured() if output.color else _plain
    impact = report.impact
    lines = [paint(visible(headline(impact)), "bold"), visible(verdict(impact))]
    for effect, number in counts(impact):
        if effect == "follows" and output.quiet:
            continue
        lines += ["", f"{paint(f'{SHORT[effect]}: {number:,}', _STYLES[effect])} ({MEANING[effect]})"]
        for dependent in impact.dependents:
            if dependent.effect == effect:
                lines += _dependent(dependent, output.width)
    if report.queries is not None:
        lines += ["", *_queries(report.queries, output.width, paint)]
    if report.code is not None:
        lines += ["", *_code(report.code, output.width, paint)]
    if not impact.complete and not output.quiet:
        lines += ["", paint("The answer is incomplete:", "bold"), *_reasons(impact)]
    return "\n".join(lines) + "\n"


def _plain(text: str, _style: str) -> str:
    return text


def _coloured() -> Paint:
    from rich.color import ColorSystem
    from rich.style import Style

    def paint(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)

    return paint


def _dependent(dependent: Dependent, width: int) -> Iterator[str]:
    yield f"  {visible(dependent.identity)}"
    if dependent.via:
        yield f"      through {' > '.join(map(visible, steps(dependent.via)))}"
    for evidence in dependent.evidence:
        # What the server records needs no proof.
        if evidence.kind != "pg_depend":
            yield f"      {shortened(visible(shown_by(evidence)), max(40, width - 6))}"


def _queries(queries: QueryUses, width: int, paint: Paint) -> Iterator[str]:
    used = count(len(queries.statements), "statement")
    yield (
        paint(f"Used by {used}", "bold red" if queries.statements else "bold") + f" of {queries.looked_at:,} looked at"
    )
    for use in queries.statements:
        yield f"  {visible(use.origin)}, {_ran(use)}: {', '.join(map(visible, use.uses))}"
        yield f"      {shortened(visible(' '.join(use.statement.split())), max(40, width - 6))}"
    for reason in queries.incomplete_because:
        yield f"  There may be more: {visible(reason)}."


def _code(code: CodeUses, width: int, paint: Paint) -> Iterator[str]:
    used = f"Used at {count(len(code.uses), 'place')}"
    yield paint(used, "bold red" if code.uses else "bold") + f" of {count(code.looked_at, 'file')} looked at"
    for use in code.uses:
        sure = "" if use.certainty == "certain" else f", {use.certainty}"
        yield f"  {visible(use.file)}:{use.line}:{use.column}{sure}: {visible(use.identity)}"
        yield f"      {shortened(visible(use.text), max(40, width - 6))}"
    for unread in code.unread:
        yield f"  There may be more: {visible(unread.file)} was not read: {visible(unread.reason)}."


def _ran(use: QueryUse) -> str:
    parts: list[str] = [use.certainty] if use.certainty != "certain" else []
    if use.calls is not None:
        since = "" if use.counted_since is None else f" since {use.counted_since}"
        parts.append(f"{count(use.calls, 'call')}{since}")
    if use.last_seen is not None:
        parts.append(f"last seen {use.last_seen}")
    parts.append(f"line {use.line}, column {use.column}")
    return ", ".join(parts)


def _reasons(impact: Impact) -> list[str]:
    return [f"  {visible(reason)}" for reason in impact.incomplete_because]
