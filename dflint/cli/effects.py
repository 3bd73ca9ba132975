"""``dflint effects``."""

from __future__ import annotations

import click

from dflint.app.effects import encode, predict_file
from dflint.app.request import NEWEST_VERSION, OLDEST_VERSION
from dflint.cli import exit_codes, terminal
from dflint.cli.effects_text import render


@click.command(short_help="Say what each statement locks, rewrites and scans.")
@click.argument("file", metavar="FILE")
@click.option("--catalog", metavar="SNAPSHOT", help="What exists before: a file that `dflint snapshot take` wrote.")
@click.option(
    "--pg-version",
    type=click.IntRange(OLDEST_VERSION, NEWEST_VERSION),
    metavar="N",
    help=f"PostgreSQL major version.  [default: the snapshot's, else {NEWEST_VERSION}]",
)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]")
@click.option("-o", "--output-file", metavar="FILE", help="Write there and not to stdout.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
def effects(
    *, file: str, catalog: str | None, pg_version: int | None, output_format: str, output_file: str | None
) -> int:
    """Say what each statement of a migration (or `-`) does to the server: locks, rewrites, scans, transaction.

    Each statement is judged against what the ones before it leave. Without a snapshot the earlier files of the same
    folder are replayed, and nothing else is known of what was there before; what then cannot be said is named.
    """
    found = predict_file(file, catalog, version=pg_version)
    if output_format == "json":
        terminal.write(encode(found).decode(), output_file)
    else:
        terminal.write(render(found), output_file)
    return exit_codes.FINE
