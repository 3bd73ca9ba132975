"""``dflint locks``: who holds the migration lock, and who waits for whom."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dflint.app.databases import database
from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run
from dflint.model.errors import InputError
from dflint.model.run import Holder

if TYPE_CHECKING:
    from dflint.app.locks import LockReport

_Command = TypeVar("_Command", bound=Callable[..., Any])
_CLEAR = "\x1b[H\x1b[2J"


def _options(command: _Command) -> _Command:
    text = "Connection string, service=NAME, or a name from the configuration.  [default: env DFLINT_DB]"
    return configuration_options(click.option("--db", metavar="DSN", help=text)(command))


@click.group(invoke_without_command=True, short_help="Show who holds the migration lock and who waits for whom.")
@_options
@click.option("--watch", is_flag=True, help="Look again and again, until interrupted.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="Between two looks.  [default: 2]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="json: one look as one document.  [default: text]",
)
@click.pass_context
def locks(context: click.Context, /, *, watch: bool, interval: float, output_format: str, **given: Any) -> int:
    """Show who holds the migration lock of a database, and who waits for whom there.

    Reads only, in statements below a second, and works without privileges and where dflint has never run. What this
    role may not see is left out.
    """
    if context.invoked_subcommand is not None:
        context.obj = given
        return exit_codes.FINE
    if watch and output_format == "json":
        raise InputError("--watch and --format json contradict each other", remedy="ask again for each look")
    dsn = _database(given)
    from dflint.app.locks import looks

    write = _json if output_format == "json" else _text
    run(_show(looks(dsn, (lambda: asyncio.sleep(interval)) if watch else None), write, clear=watch))
    return exit_codes.FINE


async def _show(reports: AsyncIterator[LockReport], write: Callable[[LockReport], str], *, clear: bool) -> None:
    before = _CLEAR if clear and terminal.is_terminal(sys.stdout) else ""
    async with aclosing(reports) as open_reports:  # type: ignore[type-var]
        async for report in open_reports:
            terminal.write(before + write(report))


def _text(report: LockReport) -> str:
    from dflint.cli.locks_text import lines

    return "".join(f"{line}\n" for line in lines(report, terminal.width(sys.stdout)))


def _json(report: LockReport) -> str:
    from dflint.app.execution_documents import locks_document

    return locks_document(report)


@locks.command("break", short_help="Take the migration lock from a run.")
@click.argument("run_id", metavar="RUN")
@_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def break_(outer: dict[str, Any], /, *, run_id: str, yes: bool, **given: Any) -> int:
    """Take the migration lock from RUN: end its session, and keep out whatever of it still goes on.

    For a process that is stopped or cut off and will not come back. What it had not committed is rolled back; an index
    that it was building concurrently stays behind, invalid. Then `dflint exec resume RUN`.
    """
    dsn = _database({name: given[name] or outer[name] for name in given})
    from dflint.app.locks import break_run

    broken = run(break_run(dsn, run_id, (lambda _: True) if yes else _ask))
    if broken is None:
        terminal.say("dflint: nothing was done")
        return exit_codes.FINE
    terminal.write(f"the lock of run {broken.run_id or run_id} is broken: session {broken.pid} was ended\n")
    return exit_codes.FINE


def _ask(holder: Holder) -> bool:
    from dflint.guard.holders import describe

    if not terminal.is_terminal(sys.stdin):
        raise InputError("there is nobody to ask", remedy="give --yes to break the lock")
    terminal.say(describe(holder))
    return click.confirm("End this session?", err=True)


def _database(given: dict[str, Any]) -> str:
    return database(given["db"], configured(".", given["config"], isolated=given["isolated"]).config)
