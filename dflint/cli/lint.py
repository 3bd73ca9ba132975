"""``dflint lint``."""

from __future__ import annotations

import sys
from typing import Any, get_args

import click
from msgspec import Struct
from msgspec.structs import replace

from dflint.app.config import FailLevel, Project
from dflint.app.lint import lint as lint_migrations
from dflint.app.lint import parse_runner
from dflint.app.request import NEWEST_VERSION, OLDEST_VERSION, LintRequest
from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.model.errors import ConfigErrors, DflintError, InputError, RuleErrors, nearest
from dflint.model.finding import LEVELS, ReadError, Report
from dflint.plugin import Output, Reporter
from dflint.plugin.manager import Plugins, load

_FOR_PEOPLE = ("full", "concise")


class Verdict(Struct, frozen=True):
    """What makes the exit status.

    Attributes:
        fail_level: findings of this level or a worse one count; ``never``: none do.
        exit_zero: findings never count.
        allow_empty: nothing to lint is fine.
    """

    fail_level: FailLevel
    exit_zero: bool = False
    allow_empty: bool = False

    def status(self, report: Report) -> int:
        """The exit status of a run with that report."""
        if report.errors:
            return exit_codes.UNUSABLE
        if not report.files and not report.replayed:
            return exit_codes.FINE if self.allow_empty else exit_codes.NOTHING_COLLECTED
        if self.exit_zero or self.fail_level == "never":
            return exit_codes.FINE
        counted = LEVELS[: LEVELS.index(self.fail_level) + 1]
        bad = any(finding.level in counted for finding in report.findings)
        return exit_codes.FINDINGS if bad else exit_codes.FINE


class _Destination(Struct, frozen=True):
    """Where the report goes and what it looks like."""

    render: Reporter
    format: str
    file: str | None
    color: str
    quiet: bool

    def put(self, report: Report, request: LintRequest) -> None:
        output = Output(
            source=_Sources(request).text,
            color=terminal.wants_color(self.color, sys.stdout) if self.file is None else self.color == "always",
            width=terminal.width(sys.stdout),
            quiet=self.quiet,
        )
        terminal.write(self.render(report, output), self.file)


class _Sources:
    """The texts that the report speaks of."""

    def __init__(self, request: LintRequest) -> None:
        self._stdin = request.stdin

    def text(self, path: str) -> str | None:
        """The text of a file, None when it is gone. Of standard input there is only the one."""
        content = self._stdin
        if content is None:
            try:
                with open(path, "rb") as stream:
                    content = stream.read()
            except (OSError, ValueError):
                return None
        return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


@click.command(short_help="Lint migrations (what dflint does without a command).")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@click.option("--stdin-filename", metavar="PATH", help="Where the text of `-` would lie.")
@click.option(
    "--format",
    "output_format",
    metavar="NAME",
    help=("full, concise, json, github, sarif, or a plugin's.  [default: full on a terminal, else concise]"),
)
@click.option("-o", "--output-file", metavar="FILE", help="Write the report there and not to stdout.")
@click.option("--runner", metavar="NAME[@VERSION]", help="The migration runner.  [default: detected by its marks]")
@click.option(
    "--assume-in-transaction/--no-assume-in-transaction",
    default=None,
    help=("Something else opens a transaction round each file."),
)
@click.option(
    "--pg-version",
    type=click.IntRange(OLDEST_VERSION, NEWEST_VERSION),
    metavar="N",
    help=f"PostgreSQL major version, from {OLDEST_VERSION} on.  [default: the snapshot's, else {NEWEST_VERSION}]",
)
@click.option(
    "--catalog",
    metavar="FILE",
    help="Snapshot of the database as it is now, before the files: see `dflint snapshot take`.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="NAMES",
    help=(
        "Run only these: rules, patterns such as `drop-*`, hazards such as H001, tags, or `all`; commas between them."
    ),
)
@click.option("--ignore", multiple=True, metavar="NAMES", help="Do not run these; named as for --select.")
@click.option(
    "--fail-level",
    type=click.Choice(get_args(FailLevel)),
    help=("Findings of this level or a worse one make the exit status 1.  [default: error]"),
)
@click.option("--exit-zero", is_flag=True, help="Findings do not change the exit status.")
@click.option("--allow-empty", is_flag=True, help="Nothing to lint is fine; else the exit status is 3.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Work with N processes.  [default: 1]")
@click.option("--cache/--no-cache", default=True, help="Use and keep the outcomes of earlier runs.  [default: on]")
@configuration_options
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help=("Colours.  [default: auto; env: NO_COLOR, FORCE_COLOR]"),
)
@click.option("-q", "--quiet", is_flag=True, help="Findings only, no summary.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr which configuration and runners were taken.")
def lint(
    *,
    paths: tuple[str, ...],
    stdin_filename: str | None,
    output_format: str | None,
    output_file: str | None,
    fail_level: FailLevel | None,
    exit_zero: bool,
    allow_empty: bool,
    config: str | None,
    isolated: bool,
    color: str,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> int:
    """Lint migrations: files, directories, or `-` for standard input. Without PATHS: the working directory.

    Only a file named, or the files of a directory named, are judged; the earlier files of the same history are
    replayed, so that dflint knows the schema. With --catalog FILE the snapshot tells the schema: files up to the
    baseline of the configuration are in it, or, without one, every file not named.
    """
    _check_paths(paths, stdin_filename)
    project = configured(_start(paths, stdin_filename), config, isolated=isolated)
    request = _request(project, paths, stdin_filename, given)
    plugins = Plugins(request.plugins)
    chosen = output_format or ("full" if output_file is None and terminal.is_terminal(sys.stdout) else "concise")
    destination = _Destination(_reporter(plugins, chosen), chosen, output_file, color, quiet)
    verdict = Verdict(fail_level or project.config.fail_level or "error", exit_zero, allow_empty)
    progress = None if quiet else terminal.progress()
    try:
        report = lint_migrations(request, plugins, progress)
    except Exception as error:
        # Whoever reads a machine format gets a document even then; the error goes on to stderr.
        if chosen not in _FOR_PEOPLE:
            destination.put(_failed(request, error), request)
        raise
    finally:
        if progress is not None:
            progress.end()
    if verbose:
        _explain(project, report)
    destination.put(report, request)
    _say_mismatch(report)
    for unread in report.errors:
        _say_unread(unread)
    status = verdict.status(report)
    if status == exit_codes.NOTHING_COLLECTED:
        terminal.say(
            f"dflint: nothing to lint: no migrations in {', '.join(paths) or '.'} (--allow-empty accepts that)"
        )
    return status


def _check_paths(paths: tuple[str, ...], stdin_filename: str | None) -> None:
    if "-" in paths and len(paths) > 1:
        raise InputError("'-' stands for standard input and takes no other paths beside it")
    if stdin_filename is not None and paths != ("-",):
        raise InputError("--stdin-filename needs the path '-'", remedy="dflint lint - --stdin-filename PATH < FILE")


def _start(paths: tuple[str, ...], stdin_filename: str | None) -> str:
    """Where the search for the configuration begins."""
    if stdin_filename is not None:
        return stdin_filename
    return paths[0] if paths and paths != ("-",) else "."


def _request(
    project: Project, paths: tuple[str, ...], stdin_filename: str | None, given: dict[str, Any]
) -> LintRequest:
    """The configuration with the options over it."""
    settled = project.request()
    changes = {
        key: given[key]
        for key in ("assume_in_transaction", "pg_version", "catalog", "processes", "cache")
        if given[key] is not None
    }
    if given["runner"] is not None:
        changes["runner"], changes["runner_version"] = parse_runner(given["runner"])
    select, ignore = _names("--select", given["select"]), _names("--ignore", given["ignore"])
    if select:
        # Who selects on the command line means just that, whatever the project ignores.
        changes |= {"select": select, "ignore": ignore}
    elif ignore:
        changes["ignore"] = (*settled.ignore, *ignore)
    if paths == ("-",):
        changes |= {"stdin": sys.stdin.buffer.read(), "stdin_filename": stdin_filename}
    else:
        changes["paths"] = paths
    return replace(settled, **changes)


def _names(option: str, values: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip() for value in values for name in value.split(",")]
    if "" in names:
        raise InputError(f"{option} has an empty name", remedy="write NAME,NAME")
    return tuple(names)


def _reporter(plugins: Plugins, name: str) -> Reporter:
    references = plugins.reporters()
    if name not in references:
        remedy = nearest(name, references) or f"formats: {', '.join(references)}"
        raise InputError(f"there is no output format {name!r}", remedy=remedy)
    reporter: Reporter = load(references[name])
    return reporter


def _failed(request: LintRequest, error: Exception) -> Report:
    """The report of a run that an error ended."""
    several: tuple[Exception, ...] = error.errors if isinstance(error, ConfigErrors | RuleErrors) else (error,)
    return Report(
        pg_version=request.pg_version or NEWEST_VERSION,
        pg_version_assumed=request.pg_version is None,
        runners=(),
        files=(),
        errors=tuple(_unread(one) for one in several),
    )


def _unread(error: Exception) -> ReadError:
    if isinstance(error, DflintError):
        return ReadError(error.file, error.line, error.column, error.message, error.remedy)
    return ReadError(None, None, None, f"internal error: {type(error).__name__}: {error}", "please report it")


def _say_mismatch(report: Report) -> None:
    taken = report.catalog
    if taken is not None and taken.pg_version not in (None, report.pg_version):
        terminal.say(
            f"dflint: judged for PostgreSQL {report.pg_version}, but {taken.file} is of PostgreSQL {taken.pg_version}"
        )


def _say_unread(unread: ReadError) -> None:
    terminal.say_error(
        DflintError(unread.message, file=unread.file, line=unread.line, column=unread.column, remedy=unread.remedy)
    )


def _explain(project: Project, report: Report) -> None:
    terminal.say(f"configuration: {project.file or 'none'}")
    for folder, runner in report.runners:
        version = "" if runner.version is None else f" {runner.version}"
        assumed = " (assumed)" if runner.assumed else ""
        terminal.say(f"{folder}: {runner.name}{version}{assumed}: {runner.reason}")
