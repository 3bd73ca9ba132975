"""``dflint plan``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from dflint.app.request import NEWEST_VERSION, OLDEST_VERSION
from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run
from dflint.model.errors import InputError, nearest
from dflint.model.plan_report import Followed, PlanReport
from dflint.plugin import Output
from dflint.plugin.manager import Plugins, load
from dflint.plugin.plans import PlanReporter

if TYPE_CHECKING:
    from dflint.app.plan import PlanRequest

_UNITS: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SIZE: Final = re.compile(r"\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>[KMGT]?B)\s*\Z", re.IGNORECASE | re.ASCII)

#: Formats that are no plugins.
_OWN_FORMATS = ("text", "json")


@click.command(short_help="Say, step by step, what executing a migration will do.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--db", metavar="DSN", help="The database: connection string, service=NAME, or a name from the configuration."
)
@click.option("--catalog", metavar="SNAPSHOT", help="What exists before: a file that `dflint snapshot take` wrote.")
@click.option("--runner", metavar="NAME", help="The migration runner whose rules split the files.  [default: detected]")
@click.option(
    "--pg-version",
    type=click.IntRange(OLDEST_VERSION, NEWEST_VERSION),
    metavar="N",
    help=f"PostgreSQL major version.  [default: the database's or snapshot's, else {NEWEST_VERSION}]",
)
@click.option(
    "--keep-dropped",
    is_flag=True,
    help="Move tables to the schema dflint_trash instead of dropping them, and copy columns there before.",
)
@click.option(
    "--calibrate", is_flag=True, help="Measure the server's speed for estimates, for some seconds.  [with --db]"
)
@click.option("--free-disk", metavar="SIZE", help="Refuse a plan that may need more than that, such as 20GB.")
@click.option("--safe", is_flag=True, help="Do by recipes what the files would do under long locks.")
@click.option("--explain", metavar="STEP", help="Say of one step of a safe plan why it is done so.  [with --safe]")
@click.option("--save", metavar="PLAN", help="Write the plan there, for `dflint exec PLAN`.")
@click.option(
    "--format",
    "output_format",
    metavar="NAME",
    default="text",
    help="text, json, html (a page with the locks over time as a picture), or a plugin's.  [default: text]",
)
@click.option("--html", "output_format", flag_value="html", help="The same as --format html.")
@click.option("-o", "--output-file", metavar="FILE", help="Write there and not to stdout.")
@configuration_options
def plan(
    *,
    files: tuple[str, ...],
    db: str | None,
    catalog: str | None,
    runner: str | None,
    pg_version: int | None,
    keep_dropped: bool,
    calibrate: bool,
    free_disk: str | None,
    safe: bool,
    explain: str | None,
    save: str | None,
    output_format: str,
    output_file: str | None,
    config: str | None,
    isolated: bool,
) -> int:
    """Say, step by step, what executing migration files will do: transactions, locks, timeouts, and the way back.

    The files are split as their runner would send them. Nothing is executed: with --db the schema is read. A saved plan
    may be edited (statements, timeouts, sizes of batches; steps may be deleted or put in another order) after its hash
    was set to null; give the plan as FILE to have it judged again.
    """
    if db is not None and catalog is not None:
        raise InputError("--db and --catalog contradict each other", remedy="leave one out")
    if explain is not None and not safe:
        raise InputError("--explain is about the steps of a safe plan", remedy="add --safe")
    if safe and keep_dropped:
        raise InputError("--safe has its own way of keeping what is dropped", remedy="leave --keep-dropped out")
    from dflint.app.databases import database
    from dflint.app.plan import PlanRequest, made
    from dflint.planning.plan_file import write_plan

    settings = configured(files[0], config, isolated=isolated).config
    request = PlanRequest(
        paths=files,
        dsn=None if db is None else database(db, settings),
        snapshot=catalog,
        runner=runner,
        version=pg_version,
        plugins=settings.plugins,
        keep_dropped=keep_dropped,
        calibrate=calibrate,
        free_disk=None if free_disk is None else _bytes(free_disk),
    )
    reporter = None if output_format in _OWN_FORMATS else _reporter(output_format, settings.plugins)
    if safe:
        return _safe(request, explain, save, output_format, output_file, reporter)
    found = run(made(request))
    document = write_plan(found).decode()
    if save is not None:
        terminal.write(document, save)
    if reporter is not None:
        terminal.write(reporter(PlanReport(found), _output(output_file)), output_file)
    elif output_format == "json":
        terminal.write(document, output_file)
    else:
        from dflint.cli.plan_text import render

        terminal.write(render(found), output_file)
    return exit_codes.FINE


def _bytes(given: str) -> int:
    """A size as PostgreSQL's settings write it: its units are powers of 1024.

    Raises:
        InputError: it is none.
    """
    found = _SIZE.match(given)
    if found is None:
        raise InputError(f"{given!r} is no size", remedy="such as 800MB, 20GB or 1.5TB")
    return round(float(found["number"]) * _UNITS[found["unit"].upper()])


def _reporter(name: str, plugins: tuple[str, ...]) -> PlanReporter:
    references = Plugins(list(plugins)).plan_reporters()
    if name not in references:
        formats = (*_OWN_FORMATS, *references)
        raise InputError(
            f"there is no output format {name!r}", remedy=nearest(name, formats) or f"formats: {', '.join(formats)}"
        )
    reporter: PlanReporter = load(references[name])
    return reporter


def _output(output_file: str | None) -> Output:
    color = output_file is None and terminal.wants_color("auto", sys.stdout)
    return Output(color=color, width=terminal.width(sys.stdout), quiet=False)


def _safe(
    request: PlanRequest,
    explain: str | None,
    save: str | None,
    output_format: str,
    output_file: str | None,
    reporter: PlanReporter | None,
) -> int:
    from dflint.app.safe_plan import safe_plan_files
    from dflint.planning.plan_file import write_plan

    found = run(safe_plan_files(request))
    document = write_plan(found.plan).decode()
    if save is not None:
        terminal.write(document, save)
    if output_format == "json":
        terminal.write(document, output_file)
        return exit_codes.FINE
    if reporter is not None:
        followed = tuple(Followed(each.statement, each.recipe, each.steps) for each in found.replaced)
        remarks = tuple(f"{' '.join(text.split())}: as it stands: {reason}" for text, reason in found.not_followed)
        report = PlanReport(found.plan, followed, (*remarks, *found.opened))
        terminal.write(reporter(report, _output(output_file)), output_file)
        return exit_codes.FINE
    from dflint.cli.safe_plan_text import explained, render_safe

    terminal.write(render_safe(found) if explain is None else explained(found, explain), output_file)
    return exit_codes.FINE
