"""What is sure to be refused, whatever a database holds beside what its history shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from msgspec.structs import replace

from dflint.history.draft import Draft
from dflint.history.foresight import foresee
from dflint.history.replay import advance
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.operations.base import Opaque, Operation
from dflint.model.session import Session

_OPEN = Catalog(basis="replay")


class ChangeAlone:
    """What one change shows by itself, replayed when somebody asks.

    Parts of a history may lie elsewhere, and databases drift; but a table that the change itself has created, dropped
    or given a column is as the change says.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        self._draft: Draft | None = Draft(_OPEN, version)
        self._since: list[tuple[Operation, Session, Sequence[Operation]]] = []

    def note(self, operation: Operation, session: Session, together: Sequence[Operation]) -> None:
        """Add an operation that has run."""
        if isinstance(operation, Opaque):
            # What stands after a statement of another dialect was not written for what would be known here.
            self.end()
        self._since.append((operation, session, together))

    def end(self) -> None:
        """From now on nothing is sure: something was undone, or not understood."""
        self._draft = None

    def context(self, context: Context) -> Context | None:
        """The context with what is sure, if its operation is refused there too; see `Context.refused`."""
        if context.catalog.closed and not context.catalog.incomplete:
            return replace(context, foresee=cache(partial(foresee, context)), answers={})
        if self._draft is None:
            return None
        for operation, session, together in self._since:
            advance(self._draft, operation, session, together)
        self._since.clear()
        shown = self._draft.catalog
        if shown.incomplete:
            return None
        probe = Draft(shown, self._version)
        advance(probe, context.operation, context.session, context.statement.operations)
        if not probe.refused:
            return None
        found = replace(context, catalog=shown, answers={}, _effect=None, _locks=None, _resolved={})
        found.foresee = cache(partial(foresee, found))
        return found
