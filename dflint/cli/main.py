"""The entry point: which verb is meant, and what becomes of errors."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from dflint import __version__
from dflint.cli import exit_codes
from dflint.cli.terminal import say, say_error
from dflint.model.errors import DflintError, InputError, nearest
from dflint.model.garbage import no_garbage_collection

with no_garbage_collection():  # importing makes many objects, and they stay
    import click

# At the end of the process all goes at once: nothing is worth being looked through for garbage.
atexit.register(gc.freeze)

#: Where each verb is; its module is imported when it is used.
VERBS = {
    "assess": "dflint.cli.assess:assess",
    "effects": "dflint.cli.effects:effects",
    "exec": "dflint.cli.exec:exec_",
    "facts": "dflint.cli.facts:facts",
    "impact": "dflint.cli.impact:impact",
    "lint": "dflint.cli.lint:lint",
    "locks": "dflint.cli.locks:locks",
    "plan": "dflint.cli.plan:plan",
    "restore": "dflint.cli.restore:restore",
    "rule": "dflint.cli.rules:rule",
    "rules": "dflint.cli.rules:rules",
    "runs": "dflint.cli.runs:runs",
    "snapshot": "dflint.cli.snapshot:snapshot",
    "trace": "dflint.cli.trace:trace",
}

_DEFAULT = "lint"
_OWN_OPTIONS = frozenset({"-h", "--help", "--version"})


class _Verbs(click.Group):
    """A group whose verbs are imported on use; without a verb, ``lint`` is meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name].partition(":")
        with no_garbage_collection():
            command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or _is_for_lint(args[0]):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


def _is_for_lint(first: str) -> bool:
    """Whether the first argument is an option or a path and not a verb.

    Raises:
        InputError: it is neither.
    """
    if first in VERBS or first in _OWN_OPTIONS:
        return False
    if first.startswith("-") or os.path.lexists(first) or not first.isidentifier():
        return True
    raise InputError(
        f"{first!r} is neither a command nor an existing path",
        remedy=nearest(first, VERBS) or f"commands: {', '.join(VERBS)}",
    )


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dflint", message="%(prog)s %(version)s")
def cli() -> None:
    """Say what a PostgreSQL schema migration will do, before it runs.

    `dflint [PATHS]` is short for `dflint lint [PATHS]`.

    Exit status: 0 fine; 1 findings at or above the fail level; 2 usage, configuration, unreadable input or internal
    error; 3 nothing to lint; 10 refused, nothing changed; 11 no locks to be had; 12 failed and rolled back; 13 failed,
    partly applied; 14 applied, a check afterwards failed; 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run dflint and return the exit status. The one place where errors become lines on stderr.

    Args:
        arguments: without the program's name; None: those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = cli.main(given, prog_name="dflint", standalone_mode=False)
    except DflintError as error:
        say_error(error)
        return error.exit_code
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        say(f"dflint: {error.format_message()}")
        return exit_codes.UNUSABLE
    except (KeyboardInterrupt, click.Abort):
        say("dflint: interrupted")
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it is, a bug: told in one line
        if "--debug" in given:
            import traceback

            say(traceback.format_exc().rstrip())
        say(f"dflint: internal error: {type(error).__name__}: {error} (please report it, with the output of --debug)")
        return exit_codes.UNUSABLE
    return status if isinstance(status, int) else exit_codes.FINE


def _usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx is not None else "dflint"
    say(f"dflint: {error.format_message()} (see {' '.join(command.split())} --help)")
    return exit_codes.UNUSABLE
