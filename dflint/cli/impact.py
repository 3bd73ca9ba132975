"""``dflint impact``: what a change does to everything else."""

from __future__ import annotations

import os
import sys

import click

from dflint.app.code import breaks_code, code_uses
from dflint.app.impact import FORMS, ImpactAnalysis, catalog_of, requested
from dflint.app.queries import breaks_statements, counted_statements, statements_of_file, together, uses
from dflint.cli import exit_codes, terminal
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError, nearest
from dflint.model.uses import ImpactReport, SeenStatements
from dflint.plugin import Output
from dflint.plugin.impacts import ImpactReporter
from dflint.plugin.manager import Plugins, load

_USAGE = "".join(f"  {name} {' '.join(form.words)}\n" for name, form in FORMS.items())


@click.command(
    short_help="Say what a drop, rename or type change does to everything else.",
    epilog="\b\nChanges:\n" + _USAGE,
)
@click.argument("change", type=click.Choice(list(FORMS)), metavar="CHANGE")
@click.argument("words", nargs=-1, required=True, metavar="NAME…")
@click.option("--db", metavar="DSN", help="Connection string or service=NAME.  [default: env DFLINT_DB]")
@click.option("--catalog", metavar="SNAPSHOT", help="A file that `dflint snapshot take` wrote, in place of a database.")
@click.option(
    "--history", metavar="DIR", help="Migrations that make the whole schema, replayed, in place of a database."
)
@click.option(
    "--search-path", metavar="SCHEMAS", default="public", help="For names without a schema.  [default: public]"
)
@click.option(
    "--queries", metavar="FILE", multiple=True, help="Say which statements of this file of SQL use the object."
)
@click.option(
    "--statements", is_flag=True, help="Say which statements that the server has counted (pg_stat_statements) use it."
)
@click.option(
    "--code",
    metavar="PATH",
    multiple=True,
    help="Say which SQL and Python files of this directory use the object, and where.",
)
@click.option(
    "--format",
    "output_format",
    metavar="NAME",
    default="text",
    help="text, json, dot, mermaid, svg, html, or a plugin's.  [default: text]",
)
@click.option("-o", "--output-file", metavar="FILE", help="Write there and not to stdout.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours.  [default: auto; env: NO_COLOR, FORCE_COLOR]",
)
@click.option("-q", "--quiet", is_flag=True, help="No word of what just follows.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
def impact(
    *,
    change: str,
    words: tuple[str, ...],
    db: str | None,
    catalog: str | None,
    history: str | None,
    search_path: str,
    queries: tuple[str, ...],
    statements: bool,
    code: tuple[str, ...],
    output_format: str,
    output_file: str | None,
    color: str,
    quiet: bool,
) -> int:
    """Say what dropping, renaming, moving or retyping an object does to everything else.

    Every dependent is named with what becomes of it: it blocks the change, goes silently, breaks when it is used,
    changes its meaning, follows, or cannot be known. Names are written as in SQL. Nothing is changed.

    Exit status: 0 nothing breaks; 1 something blocks, goes, breaks, changes or is unknown, or statements or code would
    fail; 2 what was asked for does not exist, or the answer may be incomplete.
    """
    form = FORMS[change]
    if len(words) != len(form.words):
        raise InputError(
            f"{change} takes {len(form.words)} names, not {len(words)}", remedy=f"{change} {' '.join(form.words)}"
        )
    render = _reporter(output_format)
    operation = requested(change, words)
    given = [statements_of_file(file) for file in queries]
    # Late: an event loop is for those who need a server.
    from dflint.cli.running import run

    db = db or (None if catalog or history else os.environ.get("DFLINT_DB"))
    found_in, counted = run(_read(db, catalog, history, statements=statements))
    path = tuple(part.strip() for part in search_path.split(",") if part.strip())
    analysis = ImpactAnalysis(found_in, path)
    found = analysis.with_lineage(analysis.of(operation))
    asked = bool(queries) or statements
    report = ImpactReport(
        found,
        uses(found, together(counted, *given), found_in, path) if asked else None,
        code_uses(found, code, found_in, path) if code else None,
    )
    output = Output(
        color=terminal.wants_color(color, sys.stdout) if output_file is None else color == "always",
        width=terminal.width(sys.stdout),
        quiet=quiet,
    )
    terminal.write(render(report, output), output_file)
    return _status(report)


async def _read(
    db: str | None, catalog: str | None, history: str | None, *, statements: bool
) -> tuple[Catalog, SeenStatements]:
    if statements and (catalog or history):
        given = "snapshot" if catalog else "history"
        raise InputError(f"a {given} has counted no statements", remedy="give --db DSN, or --queries FILE")
    found = await catalog_of(db, catalog, history)
    return found, await counted_statements(db) if statements and db else SeenStatements()


def _reporter(name: str) -> ImpactReporter:
    references = Plugins().impact_reporters()
    if name not in references:
        raise InputError(
            f"there is no output format {name!r}",
            remedy=nearest(name, references) or f"formats: {', '.join(references)}",
        )
    reporter: ImpactReporter = load(references[name])
    return reporter


def _status(report: ImpactReport) -> int:
    found, queries = report.impact, report.queries
    reasons = found.incomplete_because + (() if queries is None else queries.incomplete_because)
    if report.code is not None:
        reasons += tuple(f"{each.file}: {each.reason}" for each in report.code.unread)
    for reason in reasons:
        terminal.say(f"dflint: the answer is incomplete: {reason}")
    if reasons:
        return exit_codes.UNUSABLE
    harmless = all(each.effect == "follows" for each in found.dependents) and not found.refused
    if queries is not None and breaks_statements(found, queries):
        harmless = False
    if report.code is not None and breaks_code(found, report.code):
        harmless = False
    return exit_codes.FINE if harmless else exit_codes.FINDINGS
