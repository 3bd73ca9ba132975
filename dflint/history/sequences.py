"""CREATE and ALTER SEQUENCE."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.model.catalog import UNKNOWN, Sequence
from dflint.model.operations.objects import AlterSequence, CreateSequence
from dflint.model.schema import SequenceOptions

#: What is not a lasting option: the place of the counter, and the owner, which the sequence itself holds.
_PASSING: dict[str, Any] = {
    "restart": None,
    "owned_by": None,
    "owned_by_column": None,
    "owned_by_none": False,
    "logged": None,
    "name": None,
}


def create_sequence(draft: Draft, operation: CreateSequence) -> None:
    """CREATE SEQUENCE. IF NOT EXISTS on a name of which nothing is known states the sequence as given."""
    name = draft.creation_name(operation.target, operation.persistence == "temporary")
    sequence = Sequence(name, options=replace(operation.options, **_PASSING), persistence=operation.persistence)
    draft.create(_owned(draft, sequence, operation.options))


def alter_sequence(draft: Draft, operation: AlterSequence) -> None:
    """ALTER SEQUENCE."""
    name = draft.resolve(operation.target)
    found = draft.get(name)
    if found is UNKNOWN and not operation.if_exists:
        found = Sequence(name)
    if not isinstance(found, Sequence):
        raise Refused
    options = operation.options
    if found.internal and (options.owned_by is not None or options.owned_by_none):
        raise Refused
    changed = replace(found, options=merged_options(found.options, options))
    draft.put(_owned(draft, changed, options))


def _owned(draft: Draft, sequence: Sequence, options: SequenceOptions) -> Sequence:
    if options.owned_by_none:
        return replace(sequence, owner_table=None, owner_column=None)
    if options.owned_by is not None:
        table = draft.resolve(options.owned_by)
        if draft.get(table) is None:
            raise Refused
        return replace(sequence, owner_table=table, owner_column=options.owned_by_column)
    return sequence


def merged_options(old: SequenceOptions, given: SequenceOptions) -> SequenceOptions:
    """The lasting options after ALTER SEQUENCE or ALTER COLUMN … SET."""
    lasting = ("type", "increment", "start", "cache", "cycle")
    changes: dict[str, Any] = {field: value for field in lasting if (value := getattr(given, field)) is not None}
    for bound in ("minimum", "maximum"):
        if getattr(given, bound) is not None:
            changes |= {bound: getattr(given, bound), "no_" + bound: False}
        elif getattr(given, "no_" + bound):
            changes |= {bound: None, "no_" + bound: True}
    return replace(old, **changes)
