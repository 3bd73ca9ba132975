"""``dflint restore``: give a table the rows of its full backup back."""

from __future__ import annotations

from typing import Any

import click

from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run


@click.command(short_help="Give a table the rows of its full backup back.")
@click.argument("backup", metavar="BACKUP")
@click.argument("table", metavar="TABLE")
@click.option(
    "--db",
    metavar="DSN",
    help="Connection string, service=NAME, or a name from the configuration.  [default: env DFLINT_DB]",
)
@click.option("--remove-later", is_flag=True, help="Delete the rows that were not there at the time of the backup.")
@configuration_options
def restore(backup: str, table: str, db: str | None, *, remove_later: bool, **given: Any) -> int:
    """Give TABLE the rows of BACKUP back, in one transaction.

    BACKUP is the copy that a rename with a full backup made in the schema dflint_trash; TABLE is the table by its name
    of now. Both are written as in SQL. Rows are found by primary key: changed ones get their old values, deleted ones
    come back, later ones stay unless --remove-later is given. The table's own triggers do not fire; its foreign keys
    and checks hold.

    Exit status: 0 restored; 2 it cannot be, and nothing was changed.
    """
    # Late: a server is only for those who need one.
    from dflint.app.databases import database
    from dflint.app.table_backups import restore_backup
    from dflint.postgres.source import ConnectionSource

    dsn = database(db, configured(".", given["config"], isolated=given["isolated"]).config)
    written = run(restore_backup(ConnectionSource.coerce(dsn), backup, table, remove_later=remove_later))
    terminal.write(f"{written:,} row{'' if written == 1 else 's'} of {table} written or deleted\n")
    return exit_codes.FINE
