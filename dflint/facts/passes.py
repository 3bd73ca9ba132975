"""The order in which ALTER TABLE works off its sub-commands: not the text's, but that of its passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AlterTableOperation

_DROP, _ALTER_TYPE, _ADD_COLUMN, _SET_EXPRESSION, _COLUMN, _ADD_INDEX, _OTHER, _ADD_CONSTRAINT, _MISC = range(9)

#: Kind of sub-command -> its pass; whatever is missing is in the last.
_PASSES: Mapping[str, int] = {
    "drop_column": _DROP,
    "drop_constraint": _DROP,
    "drop_not_null": _DROP,
    "drop_column_default": _DROP,
    "drop_generation_expression": _DROP,
    "drop_identity": _DROP,
    "alter_column_type": _ALTER_TYPE,
    "add_column": _ADD_COLUMN,
    "set_generation_expression": _SET_EXPRESSION,
    "set_not_null": _COLUMN,
    "add_not_null": _COLUMN,
    "add_unique": _ADD_INDEX,
    "add_primary_key": _ADD_INDEX,
    "add_exclusion": _ADD_INDEX,
    "add_check": _ADD_CONSTRAINT,
    # The same pass as the constraints, which join it only after a first look at them.
    "add_identity": _OTHER,
    "set_column_default": _OTHER,
    "add_foreign_key": _ADD_CONSTRAINT,
}


def in_passes(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The operations of one statement in the order in which the server works them off."""
    if len(operations) < 2 or not all(is_part_of_alter_table(operation) for operation in operations):
        return tuple(operations)
    return tuple(sorted(operations, key=lambda operation: _PASSES.get(operation.kind, _MISC)))


def is_part_of_alter_table(operation: Operation) -> bool:
    """Whether the operation is a sub-command of ALTER TABLE; OWNER TO is one among others."""
    return isinstance(operation, AlterTableOperation) or operation.kind.startswith("change_owner_")


def adds_constraints(operation: Operation) -> bool:
    """Whether the operation is worked off with the constraints, or later."""
    return isinstance(operation, AlterTableOperation) and _PASSES.get(operation.kind, _MISC) >= _ADD_CONSTRAINT
