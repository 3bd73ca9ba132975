"""``dflint trace``."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import click

from dflint.app.lint import parse_runner
from dflint.app.request import NEWEST_VERSION, OLDEST_VERSION
from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run
from dflint.model.errors import InputError
from dflint.model.trace import Trace
from dflint.plugin.manager import Plugins

_DEFAULT_FILE = ".dflint/trace.json"


class _CommandAfterDashes(click.Command):
    """Keeps what follows ``--`` apart from paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.ensure_object(dict)["command"] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=_CommandAfterDashes, short_help="Run migrations on a scratch server and see what they do.")
@click.argument("paths", nargs=-1, metavar="FILE... | -- COMMAND...")
@click.option("--db", metavar="DSN", help="Run the files in this empty database, and start no server.")
@click.option("--expendable", is_flag=True, help="The database of --db may hold something, and may be changed.")
@click.option("--schema", metavar="FILE", help="SQL script, such as a dump, of what exists beforehand.")
@click.option("--history", metavar="DIR", help="Migrations to run beforehand.")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Fill empty tables with N rows beforehand.")
@click.option(
    "-e",
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Variable for the command; {url}, {host}, {port}, {user}, {password}, {database} stand for the server's.",
)
@click.option("--observe/--no-observe", default=True, help="Run a command's statements again to see locks.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]")
@click.option("-o", "--output-file", metavar="FILE", help=f"The trace file; - is stdout.  [default: {_DEFAULT_FILE}]")
@click.option("--runner", metavar="NAME[@VERSION]", help="The migration runner.  [default: detected by its marks]")
@click.option(
    "--assume-in-transaction/--no-assume-in-transaction",
    default=None,
    help="Something else opens a transaction round each file.",
)
@click.option(
    "--pg-version",
    type=click.IntRange(OLDEST_VERSION, NEWEST_VERSION),
    metavar="N",
    help="Major version of the server to start.  [default: what is installed]",
)
@configuration_options
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours.  [default: auto; env: NO_COLOR, FORCE_COLOR]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Show what drivers do by themselves, too.")
@click.pass_context
def trace(
    context: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    config: str | None,
    isolated: bool,
    output_format: str,
    output_file: str | None,
    color: str,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> int:
    """Run migrations on a scratch server and see what they do: files, or your own migrate command after `--`.

    With `-- COMMAND`, dflint starts a PostgreSQL server, sets DATABASE_URL and PGHOST, PGPORT, PGUSER, PGPASSWORD and
    PGDATABASE for the command, runs it, and recovers every statement with its transaction from the server's log. The
    command gets no standard input. The exit status is the command's. A command that does not heed these variables
    works on whatever database it is configured for: see --env.

    With FILE, the statements run as the files' runner would run them, after the earlier files of the same history, or
    after --schema or --history. The exit status is 1 when a statement fails.

    The server is removed afterwards with all data. The trace file is for `dflint lint` and `dflint effects`.
    """
    command: tuple[str, ...] = (context.obj or {}).get("command", ())
    project = configured(paths[0] if paths else ".", config, isolated=isolated)
    as_json = output_format == "json" or output_file == "-"
    # Late, so that --help needs no database driver.
    from dflint.app.trace import TraceRequest
    from dflint.app.trace import trace as trace_migrations

    settled = project.request()
    runner = settled.runner, settled.runner_version
    if given["runner"] is not None:
        runner = parse_runner(given["runner"])
    assume = given["assume_in_transaction"]
    request = TraceRequest(
        command=command,
        paths=paths,
        database=given["db"],
        expendable=given["expendable"],
        schema=given["schema"],
        history=given["history"],
        rows=given["rows"] or 0,
        environment=_variables(given["variables"]),
        observe=given["observe"],
        runner=runner[0],
        runner_version=runner[1],
        assume_in_transaction=settled.assume_in_transaction if assume is None else assume,
        pg_version=given["pg_version"],
        plugins=settled.plugins,
        stdout=sys.stderr.fileno() if as_json else None,
    )
    plugins = Plugins(request.plugins)
    traced = run(trace_migrations(request, plugins, _silent if quiet else terminal.say))
    _write(traced, output_format, output_file, color, verbose=verbose)
    return _status(traced)


def _variables(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"--env {each!r} is not NAME=VALUE")
        found[name] = value
    return found


def _silent(_text: str) -> None:
    pass


def _write(traced: Trace, output_format: str, output_file: str | None, color: str, *, verbose: bool) -> None:
    from dflint.trace.trace_file import dump

    document = dump(traced).decode()
    file = output_file or _DEFAULT_FILE
    if file == "-":
        terminal.write(document)
        return
    if output_file is None:
        os.makedirs(os.path.dirname(file), exist_ok=True)
    terminal.write(document, file)
    _offer_report(traced, file)
    if output_format == "json":
        terminal.write(document)
        return
    from dflint.cli.trace_text import render

    paint = terminal.wants_color(color, sys.stdout)
    terminal.write(render(traced, width=terminal.width(sys.stdout), color=paint, verbose=verbose, file=file))


def _offer_report(traced: Trace, file: str) -> None:
    """Put a text for a bug report beside the trace when a prediction was wrong."""
    from dflint.trace.bug_report import bug_reports

    text = bug_reports(traced)
    beside = f"{file.removesuffix('.json').removesuffix('.dflint')}.bugs.md"
    if not text:
        # One of an earlier trace would be taken for this one's.
        with contextlib.suppress(OSError):
            os.unlink(beside)
    else:
        terminal.write(text, beside)
        terminal.say(f"{beside} has what dflint's authors need to know; read it before you send it: it shows your SQL")


def _status(traced: Trace) -> int:
    if traced.exit_status is not None:
        if not traced.transactions and traced.exit_status == exit_codes.FINE:
            terminal.say(
                "dflint: the command sent nothing to the scratch server: either there was nothing to migrate, or it "
                "uses another database than DATABASE_URL and PGHOST name (--env sets further variables)"
            )
            return exit_codes.NOTHING_COLLECTED
        return traced.exit_status
    failed = any(transaction.outcome == "failed" for transaction in traced.transactions)
    return exit_codes.FINDINGS if failed else exit_codes.FINE
