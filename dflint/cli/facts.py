"""``dflint facts``: what is known about statements, and how it was proven."""

from __future__ import annotations

import click

from dflint.cli import exit_codes, terminal
from dflint.model.errors import InputError

_debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")


@click.group(short_help="Record or document what statements do to a server.")
def facts() -> None:
    """Record or document what statements do to a server: the facts that effects rest on."""


@facts.command("record", short_help="Run probes and print fact records.")
@click.argument("files", nargs=-1, required=True, metavar="PROBES...")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this probe. May be repeated.")
@click.option(
    "--db",
    "dsns",
    multiple=True,
    metavar="DSN",
    help="A server to run them on, as superuser, in databases of their own. May be repeated.  [default: starts one]",
)
@_debug
def record(files: tuple[str, ...], ids: tuple[str, ...], dsns: tuple[str, ...]) -> int:
    """Run the probes of PROBES and print what they show as fact records, for review.

    Relations are named by their roles in the statement where they play one. A condition under which the fact holds is
    for the reader to add.
    """
    from dflint.app.facts import record_facts
    from dflint.cli.running import run
    from dflint.facts.probe_reader import read_probes

    probes = read_probes(files)
    unknown = sorted(set(ids) - {probe.id for probe in probes})
    if unknown:
        raise InputError(f"no probe is called {unknown[0]!r}")
    wanted = [probe for probe in probes if not ids or probe.id in ids]
    terminal.write(run(record_facts(wanted, dsns)))
    return exit_codes.FINE


@facts.command("docs", short_help="Print the facts as Markdown.")
@_debug
def docs() -> int:
    """Print what each form of statement does, as Markdown."""
    from dflint.app.facts import facts_page

    terminal.write(facts_page())
    return exit_codes.FINE
