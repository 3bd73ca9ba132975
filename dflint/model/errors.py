"""The one tree of errors that dflint raises on purpose.

Every error carries what a user needs: what is wrong, where, and what to do next. Anything else that escapes is a
bug, and is reported as one.
"""

from __future__ import annotations

from collections.abc import Iterable


class DflintError(Exception):
    """Base of all errors dflint raises on purpose.

    Attributes:
        message: what is wrong, one sentence without a full stop.
        file: the file it is about, or None.
        line: 1-based line in that file, or None.
        column: 1-based column in code points, or None.
        remedy: what to do next, or None.
        exit_code: the exit status of a command that ends with it.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.remedy = remedy

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} ({self.remedy})" if self.remedy else text


class InputError(DflintError):
    """The caller gave something unusable: a path, an option value, an identity."""


class NotFound(InputError):
    """An object that was named does not exist.

    Attributes:
        near: names of existing objects that are close to it, the closest first.
    """

    def __init__(self, message: str, *, near: tuple[str, ...] = (), remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy or (f"did you mean {' or '.join(near)}?" if near else None))
        self.near = near


class SourceError(DflintError):
    """A migration file cannot be read: missing, unreadable, not UTF-8, a NUL byte."""


class ConfigError(DflintError):
    """The configuration is malformed."""


class ConfigErrors(ConfigError):
    """Several things wrong with the configuration, reported at once.

    Attributes:
        errors: one for each, by line.
    """

    def __init__(self, errors: list[ConfigError]) -> None:
        first = errors[0]
        super().__init__(first.message, file=first.file, line=first.line, column=first.column, remedy=first.remedy)
        self.errors = tuple(sorted(errors, key=lambda error: (error.file or "", error.line or 0)))

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class RuleError(DflintError):
    """A rule, fact or recipe file is malformed, or names something that does not exist."""


class RuleErrors(RuleError):
    """Several things wrong with rule and fact files, reported at once.

    Attributes:
        errors: one for each, by file and line.
    """

    def __init__(self, errors: list[RuleError]) -> None:
        first = errors[0]
        super().__init__(first.message, file=first.file, line=first.line, column=first.column, remedy=first.remedy)
        self.errors = tuple(sorted(errors, key=lambda error: (error.file or "", error.line or 0)))

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class PluginError(DflintError):
    """A plugin failed to load. The run stops: a linter that skips it silently is a false green."""


class ParserUnavailable(DflintError):
    """No usable libpg_query was found, or the one found has another ABI."""


class ServerError(DflintError):
    """A PostgreSQL server did not start, cannot be reached, or refused what was asked."""


class NoServer(ServerError):
    """No usable PostgreSQL was found.

    Attributes:
        tried: what was tried, one line for each place: where, and why it was no use.
    """

    def __init__(self, message: str, *, tried: tuple[str, ...], remedy: str | None = None) -> None:
        super().__init__(f"{message}: {'; '.join(tried)}" if tried else message, remedy=remedy)
        self.tried = tried


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A remedy for a name that does not exist: ``did you mean 'x'?``; None when no known name is close."""
    from difflib import get_close_matches

    matches = get_close_matches(name, list(known), n=1)
    return f"did you mean {matches[0]!r}?" if matches else None
