"""What a lint run is asked to do."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: Server majors that facts and rules cover.
OLDEST_VERSION = 13
NEWEST_VERSION = 18


#: What a project may make of a rule.
Severity = Literal["error", "warning", "info", "off"]


class LintRequest(Struct, frozen=True, kw_only=True):
    """A lint run, settled: options over configuration over defaults.

    Attributes:
        paths: files and directories, as the user wrote them; empty with ``stdin``, else the working directory.
        stdin: text to lint in place of a file.
        stdin_filename: where that text would lie, for its history and for what is printed.
        runner, runner_version: as the user said; None: detect.
        assume_in_transaction: files run inside a transaction that something else opens.
        pg_version: server major to judge for; None: the snapshot's, else the newest known, said to be assumed.
        select: rules, hazards and tags to run; empty: the default ones.
        ignore: rules, hazards and tags not to run; wins over ``select``.
        severity: rule -> level that replaces its own, or off.
        catalog: snapshot file of the database as it is now; None: the histories are all that is known.
        baseline: everything up to this migration (a file name, its stem or its leading number) is applied history.
        exclude: glob patterns of paths relative to ``project``, left out when directories are searched.
        plugins: import names of plugin modules.
        rule_paths: absolute directories and files with the project's own rules.
        checks: the project's own checks: name -> ``module:function``.
        cache: outcomes of earlier runs may be used and kept.
        processes: how many may work at the same time.
        project: absolute directory of the configuration file, else the working directory.
    """

    paths: tuple[str, ...] = ()
    stdin: bytes | None = None
    stdin_filename: str | None = None
    runner: str | None = None
    runner_version: str | None = None
    assume_in_transaction: bool = False
    pg_version: int | None = None
    catalog: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: dict[str, Severity] = {}
    baseline: str | None = None
    require_suppression_reason: bool = False
    exclude: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    rule_paths: tuple[str, ...] = ()
    checks: dict[str, str] = {}
    processes: int = 1
    cache: bool = True
    project: str = ""
