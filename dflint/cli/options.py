"""Options that several verbs share, and what they make of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dflint.app.config import Config, Project, load
from dflint.app.request import LintRequest
from dflint.model.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


def configuration_options(command: F) -> F:
    """``--config`` and ``--isolated``."""
    config = click.option("--config", metavar="FILE", help="Configuration file.  [default: the nearest one upwards]")
    isolated = click.option("--isolated", is_flag=True, help="Read no configuration file.")
    debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
    return config(isolated(debug(command)))


def project(start: str, config: str | None, *, isolated: bool) -> Project:
    """The configuration that the options ask for.

    Raises:
        DflintError: it is malformed, or both options were given.
    """
    if not isolated:
        return load(start, config)
    if config is not None:
        raise InputError("--config and --isolated contradict each other", remedy="leave one out")
    return Project(Config(), load_directory())


def load_directory() -> str:
    """The working directory."""
    import os

    return os.getcwd()


def request_of(settings: Project) -> LintRequest:
    """What the configuration alone asks for."""
    config = settings.config
    return LintRequest()
