"""The two streams: results go to stdout, all else to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TextIO

from dflint.model.errors import ConfigErrors, DflintError, InputError, RuleErrors

_WIDEST = 120
#: Seconds before the first word of progress, and between two.
_PATIENCE, _PAUSE = 1.0, 0.2


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody is looking at the stream."""
    return not stream.closed and stream.isatty()


def wants_color(choice: str, stream: TextIO) -> bool:
    """Whether to colour what goes to the stream: ``--color``, then NO_COLOR, then FORCE_COLOR, then the terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int:
    """Columns that text for people may use."""
    if not is_terminal(stream):
        return _WIDEST
    try:
        return min(_WIDEST, os.get_terminal_size(stream.fileno()).columns or _WIDEST)
    except (OSError, ValueError):
        return _WIDEST


def write(text: str, file: str | None = None) -> None:
    """Write a document to a file, or to stdout. A reader that goes away early is no error.

    Raises:
        InputError: it cannot be written.
    """
    # Documents are UTF-8 whatever the locale; bytes of file names that are not come out as they are.
    content = text.encode("utf-8", "surrogateescape")
    try:
        if file is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            with open(file, "wb") as stream:
                stream.write(content)
    except BrokenPipeError:
        # Python flushes once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise InputError(f"the output cannot be written: {error.strerror}", file=file) from error


def say(text: str) -> None:
    """One line on stderr."""
    # When stderr is gone, nobody can be told.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


class Progress:
    """One line on stderr that says how far a long run is; only for somebody who looks at a terminal."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._next = time.monotonic() + _PATIENCE
        self._count = self._shown = 0

    def __call__(self, file: str) -> None:
        """Tell of the next file. Processes that work for this one say nothing."""
        self._count += 1
        now = time.monotonic()
        if now >= self._next and os.getpid() == self._process:
            self._next = now + _PAUSE
            self._put(f"{self._count} files, {file}"[: width(sys.stderr) - 1])

    def end(self) -> None:
        """Take the line away."""
        if self._shown and os.getpid() == self._process:
            self._put("")

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("\r" + text.encode("utf-8", "backslashreplace").decode("utf-8").ljust(self._shown) + "\r")
            sys.stderr.flush()
        self._shown = len(text)


def progress() -> Progress | None:
    """Progress, if somebody can see it."""
    return Progress() if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb" else None


def say_error(error: DflintError) -> None:
    """Place, message and remedy; a line for each of several."""
    several = error.errors if isinstance(error, ConfigErrors | RuleErrors) else (error,)
    for one in several:
        say(str(one) if one.file is not None else f"dflint: {one}")
