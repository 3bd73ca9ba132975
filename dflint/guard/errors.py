"""How a guarded execution ends when it does not end well.

Each error says what was left behind (STATE), what stands in the way (BLOCKED) and what to do (NEXT), and has the exit
status that `dflint` gives for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.errors import DflintError
from dflint.model.run import Holder


class GuardError(DflintError):
    """Base of these errors.

    Attributes:
        state: what is in the database now, one sentence.
        blocked: what stands in the way; None where nothing does but the error itself.
        next: what to do.
    """

    exit_code = 12

    def __init__(
        self, message: str, *, state: str = "nothing was changed", blocked: str | None = None, next: str
    ) -> None:
        super().__init__(message, remedy=next)
        self.state = state
        self.blocked = blocked
        self.next = next

    @property
    def lines(self) -> tuple[str, ...]:
        """``STATE …``, ``BLOCKED …`` where something is, ``NEXT …``."""
        blocked = () if self.blocked is None else (f"BLOCKED {self.blocked}",)
        return (f"STATE   {self.state}", *blocked, f"NEXT    {self.next}")

    def __str__(self) -> str:
        return "\n".join((self.message, *self.lines))


class GuardRefused(GuardError):
    """Not begun, because something does not hold that has to. Nothing was changed."""

    exit_code = 10


class LockTimeout(GuardError):
    """Somebody else holds the migration lock. Nothing was changed.

    Attributes:
        holders: who.
    """

    exit_code = 11

    def __init__(self, message: str, *, holders: Sequence[Holder] = (), blocked: str | None = None, next: str) -> None:
        super().__init__(message, blocked=blocked, next=next)
        self.holders = tuple(holders)


class GaveUpWaiting(GuardError):
    """A step did not get its locks on tables within its budget; its last attempt changed nothing."""

    exit_code = 11


class StepFailed(GuardError):
    """A step failed and was rolled back."""

    exit_code = 12


class PartlyApplied(GuardError):
    """A step failed and left something behind, or what it left cannot be told: somebody has to look."""

    exit_code = 13


class Fenced(GuardError):
    """The lock is no longer ours: the session ended, or somebody broke the lock. What was not committed is undone."""

    exit_code = 13


class PostCheckFailed(GuardError):
    """Applied, and a check afterwards says that it is not as it should be."""

    exit_code = 14
