"""``dflint runs``: what was executed in a database."""

from __future__ import annotations

from typing import Any

import click

from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run


@click.group(short_help="Show what was executed in a database.")
def runs() -> None:
    """Show what was executed in a database. Writes nothing."""


def _options(command: Any) -> Any:
    command = click.option(
        "--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]"
    )(command)
    command = click.option(
        "--db",
        metavar="DSN",
        help="Connection string, service=NAME, or a name from the configuration.  [default: env DFLINT_DB]",
    )(command)
    return configuration_options(command)


@runs.command("list", short_help="The newest runs first.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, metavar="N", help="[default: 20]")
@_options
def list_(limit: int, **given: Any) -> int:
    """List the newest runs first: id, time, state, what of."""
    dsn = _dsn(given)
    from dflint.app.runs import list_runs

    found = run(list_runs(dsn, limit))
    if given["output_format"] == "json":
        from dflint.app.execution_documents import runs_document

        terminal.write(runs_document(found))
    elif found:
        from dflint.cli.exec_text import run_line

        terminal.write("".join(f"{run_line(one)}\n" for one in found))
    else:
        terminal.write("nothing was ever executed in this database\n")
    return exit_codes.FINE


@runs.command("show", short_help="A run, its steps and its audit trail.")
@click.argument("run_id", metavar="RUN")
@_options
def show(run_id: str, **given: Any) -> int:
    """Show a run, its steps and its audit trail, and whether the trail is as it was written.

    The exit status is 1 when it is not.
    """
    return print_run(_dsn(given), run_id, given["output_format"], events=True)


def print_run(dsn: str, run_id: str | None, output_format: str, *, events: bool) -> int:
    """Print one run: the one named, or the one that is unfinished."""
    from dflint.app.runs import show_run, unfinished

    found = run_id if events else run(unfinished(dsn, run_id))
    report = None if found is None else run(show_run(dsn, found))
    if output_format == "json":
        from dflint.app.execution_documents import run_document

        terminal.write(run_document(report, events=events))
    elif report is None:
        terminal.write("no run is unfinished in this database\n")
    else:
        from dflint.cli.exec_text import report_text

        terminal.write(report_text(report, events=events))
    return exit_codes.FINDINGS if report is not None and report.tampered else exit_codes.FINE


def _dsn(given: dict[str, Any]) -> str:
    from dflint.app.databases import database

    return database(given["db"], configured(".", given["config"], isolated=given["isolated"]).config)
