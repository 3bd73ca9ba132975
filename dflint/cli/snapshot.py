"""``dflint snapshot``: a catalog in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dflint.app.snapshot import differences, read_live
from dflint.app.snapshot_files import DEFAULT_FILE, open_snapshot, save_snapshot, statistics_path
from dflint.app.snapshot_text import counts, definition, find
from dflint.cli import exit_codes, terminal
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _db_option(text: str) -> Callable[[_Command], _Command]:
    return click.option("--db", metavar="DSN", help=text)


def _debug_option(command: _Command) -> _Command:
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")(
        command
    )


@click.group(short_help="Take, show or verify a snapshot of a database's schema.")
def snapshot() -> None:
    """Take, show or verify a snapshot of a database's schema.

    A snapshot is a JSON file with one object a line, made to be kept under version control, and a second file with
    numbers of rows and sizes beside it. `dflint lint --catalog FILE` judges migrations by it.
    """


@snapshot.command("take", short_help="Write a database's schema to a file.")
@_db_option("Connection string or service=NAME.  [default: env DFLINT_DB]")
@click.option("-o", "--output-file", metavar="FILE", default=DEFAULT_FILE, help=f"[default: {DEFAULT_FILE}]")
@_debug_option
def take(db: str | None, output_file: str) -> int:
    """Write a database's schema to FILE, and its statistics to a file beside it.

    Reads only, as any role that may connect, blocks nobody and waits for nobody. The exit status is 2 when something
    could not be read: the file then says so, and so does every answer from it.
    """
    catalog = _live(db or os.environ.get("DFLINT_DB"))
    save_snapshot(catalog, output_file)
    terminal.write(f"{output_file}: {_summary(catalog)}; statistics: {statistics_path(output_file)}\n")
    return _completeness(catalog, output_file)


@snapshot.command("show", short_help="Say what a snapshot holds.")
@click.argument("file", metavar="FILE")
@click.argument("name", metavar="[NAME]", required=False)
@_debug_option
def show(file: str, name: str | None) -> int:
    """Say how many objects of each kind FILE holds, or what the object NAME is.

    NAME is an identity such as table:public.users, or users, or public.users.
    """
    catalog = open_snapshot(file).load()
    if name is None:
        numbers = [(f"{number:,}", kind) for number, kind in counts(catalog)]
        widest = max((len(number) for number, _ in numbers), default=0)
        version = "unknown" if catalog.version is None else str(catalog.version)
        lines = [f"PostgreSQL {version}", *(f"{number:>{widest}} {kind}" for number, kind in numbers)]
        terminal.write("".join(f"{line}\n" for line in lines))
    else:
        terminal.write("\n".join(definition(catalog, *found) for found in find(catalog, name)))
    return _completeness(catalog, file)


@snapshot.command("verify", short_help="Check a snapshot, alone or against a database.")
@click.argument("file", metavar="FILE")
@_db_option("Compare with this database: connection string or service=NAME.")
@_debug_option
def verify(file: str, db: str | None) -> int:
    """Check that FILE is as it was taken; with --db, that the database still has that schema.

    Each object that differs is a line: what became of it in the database, its identity, and what was changed of it.
    The exit status is 1 when there is one, and 2 when FILE or the reading of the database is incomplete.
    """
    files = open_snapshot(file)
    catalog = files.load()
    if files.stale_statistics():
        terminal.say(f"{statistics_path(file)}: these statistics were taken with another schema")
    status = _completeness(catalog, file)
    if db is None:
        terminal.write(f"{file}: as it was taken: {_summary(catalog)}\n")
        return status
    live = _live(db)
    if live.version != catalog.version:
        terminal.say(f"dflint: the database is PostgreSQL {live.version}, the snapshot of {catalog.version}")
    found = differences(catalog, live)
    for one in found:
        fields = f"  ({', '.join(one.fields)})" if one.fields else ""
        terminal.write(f"{one.how:<7}  {one.identity}{fields}\n")
    status = status or _completeness(live, "the database")
    if status == exit_codes.FINE and found:
        return exit_codes.FINDINGS
    if not found:
        terminal.write(f"{file}: the database has the same schema: {_summary(catalog)}\n")
    return status


def _live(db: str | None) -> Catalog:
    if not db:
        raise InputError("no database was named", remedy="give --db DSN, or set DFLINT_DB")
    # Late: an event loop is for those who need a server.
    from dflint.cli.running import run

    return run(read_live(db))


def _summary(catalog: Catalog) -> str:
    numbers = counts(catalog)
    named = ", ".join(f"{number:,} {kind}" for number, kind in numbers[:4])
    total = sum(number for number, _ in numbers)
    version = "" if catalog.version is None else f" of PostgreSQL {catalog.version}"
    return f"{total:,} objects{version} ({named}{', …' if len(numbers) > 4 else ''})" if numbers else "no objects"


def _completeness(catalog: Catalog, where: str) -> int:
    """Say what is missing, and give the exit status for that."""
    for reason in catalog.incomplete:
        terminal.say(f"{where}: incomplete: {reason}")
    return exit_codes.UNUSABLE if catalog.incomplete else exit_codes.FINE
