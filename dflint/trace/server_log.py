"""The log of a server that logs everything: settings that make it do so, and its entries read back."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

#: Name of the log in its directory.
_NAME = "statements"


#: Where the server makes its log, relative to its data directory.
_DIRECTORY = "statements"


def logging_settings() -> Mapping[str, str]:
    """Settings for a server that is to log every statement.

    ``log_statement`` shows a whole string when it arrives and each execution of the extended protocol with its
    parameters. ``log_parser_stats`` adds an entry for each statement of a string when it is reached, in which the
    transaction is named: the only place where the log says how far a string got.
    """
    return {
        "logging_collector": "on",
        "log_destination": "csvlog",
        "log_directory": _DIRECTORY,
        "log_filename": f"{_NAME}.log",
        "log_rotation_age": "0",
        "log_rotation_size": "0",
        "log_statement": "all",
        "log_duration": "on",
        "log_parser_stats": "on",
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "error",
        "log_min_messages": "warning",
        "log_parameter_max_length": "-1",
        "log_error_verbosity": "default",
        "lc_messages": "C",
        "log_timezone": "UTC",
    }


def log_file(data: Path) -> Path:
    """The file that a server with those settings writes.

    Args:
        data: its data directory.
    """
    return data / _DIRECTORY / f"{_NAME}.csv"


class Entry(NamedTuple):
    """One entry of a client's session.

    Attributes:
        session: identifies it.
        activity: what it was doing: a command tag, ``PARSE``, ``idle in transaction`` and the like.
        transaction: virtual transaction id, ``3/12``; ``3/0`` or empty where there is none.
        severity: ``LOG``, ``ERROR``, …
        position: character position in ``query``, from 1; 0 where none is given.
        context: where inside functions it arose; empty at top level.
        query: the string that the client had sent.
    """

    session: str
    database: str
    application: str
    activity: str
    transaction: str
    severity: str
    sqlstate: str
    message: str
    detail: str
    context: str
    query: str
    position: int


def read_entries(file: Path) -> Iterator[Entry]:
    """The entries of all clients' sessions, in order."""
    # Statements may be of any length.
    csv.field_size_limit(sys.maxsize)
    with file.open(encoding="utf-8", errors="replace", newline="") as stream:
        for row in csv.reader(stream):
            if len(row) >= 24 and row[23] == "client backend":
                yield Entry(
                    session=row[5],
                    database=row[2],
                    application=row[22],
                    activity=row[7],
                    transaction=row[9],
                    severity=row[11],
                    sqlstate=row[12],
                    message=row[13],
                    detail=row[14],
                    context=row[18],
                    query=row[19],
                    position=int(row[20] or 0),
                )
