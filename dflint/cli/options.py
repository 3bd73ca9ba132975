"""Options that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dflint.app.config import Config, Project, load
from dflint.model.errors import InputError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def configuration_options(command: _Command) -> _Command:
    """``--config`` and ``--isolated``, and ``--debug``, which `dflint.cli.main` looks for itself."""
    debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
    isolated = click.option("--isolated", is_flag=True, help="Read no configuration file.")
    config = click.option("--config", metavar="FILE", help="Configuration file.  [default: the nearest one upwards]")
    return config(isolated(debug(command)))


def configured(start: str, config: str | None, *, isolated: bool) -> Project:
    """The configuration that the options ask for.

    Args:
        start: the path at which the search begins.
        config: value of ``--config``.
        isolated: value of ``--isolated``.

    Raises:
        DflintError: it is malformed, or both options were given.
    """
    if not isolated:
        return load(start, config)
    if config is not None:
        raise InputError("--config and --isolated contradict each other", remedy="leave one out")
    return Project(Config(), os.getcwd())
