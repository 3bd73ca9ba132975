"""``dflint exec``: execute a migration under guard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.cli.running import run
from dflint.model.plan import Plan, Step

if TYPE_CHECKING:
    from dflint.app.execute import ExecRequest, Options, Outcome

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DEFAULT = "file"


class _FileOrVerb(click.Group):
    """``dflint exec FILE``, or one of the verbs about runs. A file of such a name is written ./status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        # The name of the verb that is not written does not belong in its usage.
        return "" if name == _DEFAULT else name, command, rest


def _where(command: _Command) -> _Command:
    """Which database, and how to print."""
    for option in (
        click.option(
            "--db",
            metavar="DSN",
            help="Connection string, service=NAME, or a name from the configuration.  [default: env DFLINT_DB]",
        ),
        click.option(
            "--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]"
        ),
    ):
        command = option(command)
    return configuration_options(command)


def _how(command: _Command) -> _Command:
    """How to go about it."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="No progress on stderr."),
        click.option("--accept-target", is_flag=True, help="The database may be another than when the run began."),
        click.option("--allow-session-pooling", is_flag=True, help="The pooler in between is in session mode."),
        click.option(
            "--max-lag-mb",
            type=click.FloatRange(min=0),
            default=64.0,
            metavar="MIB",
            help="The same, in write-ahead log that is not replayed.  [default: 64]",
        ),
        click.option(
            "--max-lag",
            type=click.FloatRange(min=0),
            default=10.0,
            metavar="S",
            help="Backfills pause while a replica is further behind.  [default: 10]",
        ),
        click.option(
            "--standby",
            multiple=True,
            metavar="DSN",
            help="A standby to look at, for queries in the way and for lag; may be repeated.",
        ),
        click.option(
            "--lock-wait",
            type=click.FloatRange(min=0),
            default=60.0,
            metavar="S",
            help="How long to wait for another execution to end.  [default: 60]",
        ),
        click.option(
            "--max-block",
            type=click.FloatRange(min=0),
            default=10.0,
            metavar="S",
            help="How long others may wait for one step, all attempts together.  [default: 10]",
        ),
        click.option(
            "--lock-timeout",
            type=click.IntRange(min=1),
            metavar="MS",
            help="For one attempt to take all locks of a step.  [default: as the plan says]",
        ),
        click.option("-y", "--yes", is_flag=True, help="Do not ask before what cannot be taken back."),
        click.option("--dry-run", is_flag=True, help="Look at everything, write nothing."),
    ):
        command = option(command)
    return command


@click.group("exec", cls=_FileOrVerb, short_help="Execute a migration, or go on with one, under guard.")
def exec_() -> None:
    """Execute a migration, or go on with one, under guard."""


@exec_.command(_DEFAULT, hidden=True)
@click.argument("path", metavar="FILE|PLAN")
@click.option("--again", is_flag=True, help="Execute a plan once more that was executed before.")
@click.option("--runner", metavar="NAME", help="The migration runner whose rules split the file.  [default: detected]")
@_how
@_where
def file(path: str, runner: str | None, **given: Any) -> int:
    """Execute a migration file, or a plan saved by `dflint plan`, under the migration lock.

    `dflint exec status|resume|abort|undo [RUN]` are about executions that have begun; RUN may be left out when exactly
    one is unfinished.

    Each step is done exactly once, also when dflint, the connection or the server dies in between: executing the same
    file again, or `dflint exec resume`, goes on where it stopped. Locks are taken for moments and tried again. Sessions
    of others are never ended.

    Exit status: 0 done, or done already; 10 refused, nothing changed; 11 gave up waiting for locks; 12 failed, and
    nothing of it remains; 13 failed, and something remains; 14 applied, and a check afterwards failed; 130 interrupted.
    """

    async def work(request: ExecRequest) -> Outcome:
        from dflint.app.execute import execute, is_applied, plan_of

        plan = await plan_of(request)
        if not await is_applied(request, plan):
            _confirm(plan, yes=request.options.yes or request.options.dry_run)
        return await execute(request, plan, _listener(given))

    return _conclude(given, work, path=path, runner=runner)


@exec_.command("resume", short_help="Go on with a run where it stopped.")
@click.argument("run_id", metavar="[RUN]", required=False)
@_how
@_where
def resume(run_id: str | None, **given: Any) -> int:
    """Go on with a run, or with its undoing, where it stopped."""

    async def work(request: ExecRequest) -> Outcome:
        from dflint.app import execute

        return await execute.resume(request, run_id, _listener(given))

    return _conclude(given, work)


@exec_.command("abort", short_help="Give a run up; what is applied stays.")
@click.argument("run_id", metavar="[RUN]", required=False)
@_where
def abort(run_id: str | None, **given: Any) -> int:
    """Give a run up: what is applied stays, and it can no longer be resumed."""

    async def work(request: ExecRequest) -> Outcome:
        from dflint.app import execute

        return await execute.abort(request, run_id)

    return _conclude(given, work)


@exec_.command("undo", short_help="Take back what a run has applied.")
@click.argument("run_id", metavar="[RUN]", required=False)
@_how
@_where
def undo(run_id: str | None, **given: Any) -> int:
    """Take back what a run has applied, the last step first; refused when a step cannot be taken back.

    Asks before it drops what holds rows or values by now.
    """

    async def work(request: ExecRequest) -> Outcome:
        from dflint.app import execute

        lost = await execute.losses(request, run_id)
        _ask(lost, "what the run made holds data", "give --yes", yes=request.options.yes or request.options.dry_run)
        return await execute.undo(request, run_id, _listener(given))

    return _conclude(given, work)


@exec_.command("status", short_help="Say how far a run is.")
@click.argument("run_id", metavar="[RUN]", required=False)
@_where
def status(run_id: str | None, **given: Any) -> int:
    """Say how far a run is: the one named, or the one that is unfinished. Writes nothing."""
    from dflint.cli.runs import print_run

    return print_run(_dsn(given), run_id, given["output_format"], events=False)


def _dsn(given: dict[str, Any]) -> str:
    from dflint.app.databases import database

    return database(given["db"], configured(".", given["config"], isolated=given["isolated"]).config)


def _conclude(
    given: dict[str, Any],
    work: Callable[[ExecRequest], Coroutine[Any, Any, Outcome]],
    *,
    path: str = "",
    runner: str | None = None,
) -> int:
    """Run it and print how it ended, in the form that was asked for."""
    dsn = _dsn(given)
    from dflint.app.execute import ExecRequest, GuardError
    from dflint.cli.exec_text import Lines, of_error

    settled = configured(path or ".", given["config"], isolated=given["isolated"]).request()
    request = ExecRequest(
        dsn=dsn, path=path, runner=runner or settled.runner, plugins=settled.plugins, options=_options(given)
    )
    try:
        outcome = run(work(request))
    except GuardError as error:
        outcome = of_error(error)
    except KeyboardInterrupt:
        outcome = given["lines"].interrupted if "lines" in given else Lines(_silent).interrupted
    finally:
        if "shown" in given:
            given["shown"].close()
    _write(outcome, given["output_format"])
    return outcome.exit_code


def _options(given: dict[str, Any]) -> Options:
    from dflint.app.execute import LagLimits, Options

    names = {"lock_timeout": "lock_timeout_ms", "max_block": "max_block_s", "lock_wait": "lock_wait_s"}
    known = {names.get(name, name): value for name, value in given.items()}
    if "standby" in given:
        # Each is written as the database is.
        known["standbys"] = tuple(_dsn({**given, "db": one}) for one in given["standby"])
        known["lag"] = LagLimits.of(int(given["max_lag_mb"] * 1024**2), given["max_lag"])
    return Options(**{name: value for name, value in known.items() if name in Options.__struct_fields__})


def _write(outcome: Outcome, output_format: str) -> None:
    if output_format == "json":
        from dflint.app.execution_documents import exec_document

        terminal.write(exec_document(outcome))
    elif outcome.exit_code == exit_codes.FINE:
        terminal.write(f"{outcome.message}\n")
    if outcome.exit_code != exit_codes.FINE:
        terminal.say(f"dflint: {outcome.message}")
        for line in outcome.lines:
            terminal.say(line)


def _listener(given: dict[str, Any]) -> Any:
    from dflint.cli.exec_text import Lines
    from dflint.cli.live import listener

    given["lines"] = Lines(_silent if given["quiet"] else terminal.say)
    given["shown"] = listener(given["lines"], quiet=given["quiet"])
    return given["shown"]


def _silent(_text: str) -> None:
    pass


def _confirm(plan: Plan, *, yes: bool) -> None:
    """Name what cannot be taken back, before anything is begun.

    Raises:
        GuardRefused: it was not confirmed.
    """
    said = [
        f"step {step.id} cannot be taken back: {step.undo.irreversible}"
        for step in plan.steps
        if step.undo.irreversible is not None
    ]
    instead = "give --yes"
    if any(_drops(step) for step in plan.steps):
        instead += "; dflint plan --keep-dropped makes a plan that keeps what is dropped"
    _ask(said, "the plan has steps that cannot be taken back", instead, yes=yes)


def _drops(step: Step) -> bool:
    """Whether what is lost is a table or a column, which can be kept."""
    return step.undo.irreversible is not None and "drop" in step.sql.lower()


def _ask(said: Sequence[str], why: str, instead: str, *, yes: bool) -> None:
    """Say what will be lost, and ask whether to go on.

    Raises:
        GuardRefused: it was not confirmed, or there is nobody to ask.
    """
    for line in said:
        terminal.say(line)
    if yes or not said:
        return
    from dflint.app.execute import refused

    if not terminal.is_terminal(sys.stdin):
        raise refused(f"{why}, and there is nobody to ask", instead)
    if not click.confirm("Execute it?", err=True):
        raise refused("not confirmed", "execute it again when you are sure")
