"""The statements of a rename: one ALTER … RENAME, and what breaks by its text."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from dflint.analysis.rename.edits import definition
from dflint.analysis.rename.impact import RenameImpact, UnsafeRename
from dflint.analysis.rename.verification import unchanged, verifications
from dflint.analysis.rename.view import view_statements
from dflint.history.naming import clip
from dflint.model.names import Name
from dflint.model.plan import Check
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.keeping import TRASH
from dflint.planning.undo.spelling import quoted


class Script(Struct, frozen=True):
    """What is executed.

    Attributes:
        before: statements before the rename, each a step.
        change: the statements of the one transaction.
        verify: statements at its end that leave nothing behind, and fail when an edited routine does.
        undo: the statements that take the change back, in one transaction.
        pre: what must hold when the transaction begins.
        backup: the table that holds a copy of the rows; None where none is made.
    """

    before: tuple[str, ...]
    change: tuple[str, ...]
    verify: tuple[str, ...]
    undo: tuple[str, ...]
    pre: tuple[Check, ...] = ()
    backup: Name | None = None


def script(
    impact: RenameImpact,
    definitions: Mapping[str, str],
    *,
    edits: bool = True,
    view: bool = False,
    backup: str | None = None,
    proceed: bool = False,
    call: bool = True,
) -> Script:
    """The statements that rename a table.

    Args:
        impact: of the rename.
        definitions: printed identity -> definition of the routines, as the server prints it without search_path.
        edits: write routines anew that name the table.
        view: leave a view of the old name behind.
        backup: a suffix for a copy of the table with all its rows; None: no copy is made.
        proceed: also where something would be left broken, or nobody can say.
        call: call edited routines that are declared to change nothing.

    Raises:
        UnsafeRename: something would be left broken, or nobody can say.
        InputError: a view of the old name would show rows that are not for everybody.
    """
    if not proceed and impact.reasons(edits=edits, view=view):
        left = impact.unresolved(edits=edits, view=view)
        reasons = "; ".join(impact.reasons(edits=edits, view=view))
        raise UnsafeRename(f"{impact.table} cannot be renamed safely: {reasons}", tuple(x.identity for x in left))
    new, old = Name(impact.table.schema, impact.new_name), impact.table
    again: list[str] = []
    before: list[str] = []
    chosen = impact.edits if edits else ()
    for edit in chosen:
        text = definition(edit, definitions.get(edit.identity, ""), old, impact.new_name)
        if text is None:
            raise UnsafeRename(f"the definition of {edit.identity} cannot be read as it is now", (edit.identity,))
        again.append(text)
        before.append(definitions[edit.identity].rstrip())
    made = tuple(view_statements(impact)) if view else ()
    return Script(
        before=() if backup is None else tuple(_copy(impact, backup)),
        change=(f"ALTER TABLE {quoted(old)} RENAME TO {quote_identifier(impact.new_name)}", *again, *made),
        verify=tuple(verifications(chosen, impact, call=call)),
        undo=(
            *((f"DROP VIEW {quoted(old)}",) if view else ()),
            f"ALTER TABLE {quoted(new)} RENAME TO {quote_identifier(old.name)}",
            *before,
        ),
        pre=tuple(map(unchanged, chosen)),
        backup=None if backup is None else backup_name(impact, backup),
    )


def backup_name(impact: RenameImpact, suffix: str) -> Name:
    """The name of the copy, in 63 bytes."""
    name = impact.table.name
    while clip(f"{name}_{suffix}") != f"{name}_{suffix}":
        name = name[:-1]
    return Name(TRASH, f"{name}_{suffix}")


def _copy(impact: RenameImpact, suffix: str) -> tuple[str, ...]:
    copy = quoted(backup_name(impact, suffix))
    said = quote_literal(f"rows of {quoted(impact.table)} before it was renamed to {quote_identifier(impact.new_name)}")
    return (
        f"CREATE SCHEMA IF NOT EXISTS {TRASH}",
        f"CREATE TABLE {copy} AS TABLE {quoted(impact.table)}",
        f"COMMENT ON TABLE {copy} IS {said.strip()}",
    )
