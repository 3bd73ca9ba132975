"""All kinds of operation, by the names that rules and facts use.

Only needed while rule and fact files are verified: the cache holds the expanded names.
"""

from __future__ import annotations

import re
from typing import ClassVar

from dflint.model.operations import data, ends, indexes, objects, session, tables
from dflint.model.operations.base import Opaque, Operation

_OBJECT_KINDS = """
    access_method aggregate cast collation column constraint conversion database domain event_trigger extension
    fdw foreign_table function index language large_object materialized_view operator operator_class
    operator_family parameter policy procedure publication role routine rule schema sequence server statistics
    subscription system table tablespace text_search_configuration text_search_dictionary text_search_parser
    text_search_template transform trigger type user_mapping view
"""
#: Kinds of object, as families of operations have them (`DropObject` and its kin).
OBJECT_KINDS = tuple(_OBJECT_KINDS.split())

_SESSION_COMMANDS = """
    close deallocate declare_cursor execute explain fetch listen load move notify prepare show unlisten
"""

#: Types whose instances differ in kind: prefix and endings.
_FAMILIES: dict[type[Operation], tuple[str, tuple[str, ...]]] = {
    objects.DropObject: ("drop_", OBJECT_KINDS),
    objects.RenameObject: ("rename_", OBJECT_KINDS),
    objects.SetObjectSchema: ("set_schema_", OBJECT_KINDS),
    objects.ChangeOwner: ("change_owner_", OBJECT_KINDS),
    objects.CreateOther: ("create_", OBJECT_KINDS),
    objects.AlterOther: ("alter_", OBJECT_KINDS),
    objects.AlterRoutine: ("alter_", ("function", "procedure", "routine", "aggregate")),
    objects.CreateRoutine: ("create_", ("function", "procedure")),
    objects.AlterDomain: (
        "alter_domain_",
        (
            "set_default",
            "drop_default",
            "set_not_null",
            "drop_not_null",
            "add_constraint",
            "drop_constraint",
            "validate_constraint",
        ),
    ),
    objects.GrantPrivileges: ("", ("grant", "revoke")),
    objects.GrantRole: ("", ("grant_role", "revoke_role")),
    objects.OwnedObjects: ("", ("drop_owned", "reassign_owned")),
    session.FinishPrepared: ("", ("commit_prepared", "rollback_prepared")),
    session.SessionCommand: ("", tuple(_SESSION_COMMANDS.split())),
}

_GROUPS: dict[str, type[Operation]] = {
    "alter_table": tables.AlterTableOperation,
    "alter_column": tables.ColumnOperation,
    "add_constraint": tables.AddConstraintOperation,
}


class Kinds:
    """The kinds of operation and the type of each. Built once per load, never a global."""

    GROUPS: ClassVar[tuple[str, ...]] = tuple(_GROUPS)

    def __init__(self) -> None:
        self.types: dict[str, type[Operation]] = {"opaque": Opaque}
        families: dict[str, type[Operation]] = {}
        for operation in _types():
            if operation not in _FAMILIES:
                self.types[operation.KIND] = operation
                continue
            prefix, endings = _FAMILIES[operation]
            for ending in endings:
                families.setdefault(prefix + ending, operation)
        for kind, operation in families.items():
            if kind not in _GROUPS:
                self.types.setdefault(kind, operation)

    def expand(self, pattern: str) -> tuple[str, ...]:
        """The kinds that a kind, a pattern with ``*`` or a group means; empty when there is none."""
        group = _GROUPS.get(pattern)
        if group is not None:
            return tuple(kind for kind, operation in self.types.items() if issubclass(operation, group))
        if pattern in self.types:
            return (pattern,)
        if "*" not in pattern:
            return ()
        wanted = re.compile(re.escape(pattern).replace(r"\*", "[a-z_]*"))
        return tuple(kind for kind in self.types if wanted.fullmatch(kind))


def _types() -> list[type[Operation]]:
    abstract = set(_GROUPS.values())
    return [
        value
        for module in (data, ends, indexes, objects, session, tables)
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Operation)
        and value is not Operation
        and value not in abstract
        and value.__module__ == module.__name__
    ]
