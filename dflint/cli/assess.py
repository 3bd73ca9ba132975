"""``dflint assess``."""

from __future__ import annotations

import os

import click

from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.model.errors import InputError


@click.command(short_help="Say what may go wrong when a migration runs, with points and reasons.")
@click.argument("what", metavar="FILE|OPERATION", nargs=1)
@click.argument("words", metavar="[TABLE] [NAME=VALUE...]", nargs=-1)
@click.option("--db", metavar="DSN", help="Connection string or service=NAME.  [default: env DFLINT_DB]")
@click.option("--catalog", metavar="SNAPSHOT", help="A file that `dflint snapshot take` wrote, in place of a database.")
@click.option("--rows", metavar="TABLE=N", multiple=True, help="Suppose so many rows in a table.")
@click.option(
    "--calibrate", is_flag=True, help="Measure the server's speed for estimates, for some seconds.  [with --db]"
)
@click.option(
    "--level",
    type=click.IntRange(1, 3),
    metavar="1|2|3",
    help="Also do the checks that the decision matrix requires up to this safety level.",
)
@click.option("--rehearsal", metavar="TRACE", help="A trace of the same statements, for the check of that name.")
@click.option(
    "--fail-level",
    type=click.Choice(["low", "medium", "high", "critical"]),
    default="critical",
    help="Exit with 1 from this risk on.  [default: critical]",
)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]")
@click.option("-o", "--output-file", metavar="FILE", help="Write there and not to stdout.")
@configuration_options
def assess(
    *,
    what: str,
    words: tuple[str, ...],
    db: str | None,
    catalog: str | None,
    rows: tuple[str, ...],
    calibrate: bool,
    level: int | None,
    rehearsal: str | None,
    fail_level: str,
    output_format: str,
    output_file: str | None,
    config: str | None,
    isolated: bool,
) -> int:
    """Say what may go wrong when a migration file, or one operation, runs: five categories, each point with its reason.

    An operation is named as in the decision matrix, with its table and details: `dflint assess drop_column users
    column_name=email`. Nothing is changed.

    Exit status: 0 below --fail-level; 1 from it on, when the server refuses a statement, or when a check of --level
    fails; 2 when it cannot be told.
    """
    if db is not None and catalog is not None:
        raise InputError("--db and --catalog contradict each other", remedy="leave one out")
    from dflint.app.assess_request import AssessRequest, assessed
    from dflint.app.databases import database
    from dflint.cli.running import run

    project = configured(what if os.path.exists(what) else ".", config, isolated=isolated)
    settings = project.config
    request = AssessRequest(
        what=what,
        words=words,
        dsn=None if catalog is not None else database(db, settings),
        snapshot=catalog,
        rows=rows,
        level=level,
        rehearsal=rehearsal,
        calibrate=calibrate,
        plugins=settings.plugins,
        rule_paths=tuple(os.path.join(project.directory, path) for path in settings.rule_paths),
    )
    found = run(assessed(request))
    from dflint.app.assess_documents import encode
    from dflint.cli.assess_text import render

    terminal.write(encode(found).decode() if output_format == "json" else render(found), output_file)
    bad = any(each.overall_risk_level.name.lower() in _from(fail_level) for each in found.assessments)
    failed = any(check.passed is False for check in found.checks)
    unknown = any(check.passed is None for check in found.checks) or any(each.unknown for each in found.assessments)
    if bad or failed:
        return exit_codes.FINDINGS
    return exit_codes.UNUSABLE if unknown and level is not None else exit_codes.FINE


def _from(level: str) -> tuple[str, ...]:
    order = ("low", "medium", "high", "critical")
    return order[order.index(level) :]
