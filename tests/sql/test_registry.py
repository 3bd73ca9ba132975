"""The builders against libpg_query's own schema: no statement and no field of it is overlooked."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from dflint.sql.build import (
    drop_rename,
    object_names,
    other_objects,
    registry,
    security,
    session,
    views_types,
)

#: The schema that comes with the library; its stub file is too much for mypy.
SCHEMA = import_module("postgast.pg_query_pb2").DESCRIPTOR

#: Never a statement of its own: the wrapper of each statement, what a parsed PL/pgSQL body holds, what RETURN makes
#: inside a routine, what only PostgreSQL's analysis makes, and a part of ALTER TABLE.
NEVER_A_STATEMENT = {"RawStmt", "PLAssignStmt", "ReturnStmt", "SetOperationStmt", "ReplicaIdentityStmt"}

#: Fields that the raw parser never sets in these statements; that they are not accepted keeps statements honest.
NEVER_SET = {
    "CreateSeqStmt": {"ownerId", "for_identity"},
    "AlterSeqStmt": {"for_identity"},
    "AlterPublicationStmt": {"for_all_tables"},
    "CreateStatsStmt": {"stxcomment", "transformed"},
    "FunctionParameter": {"defexpr"},
}

MODULES = (drop_rename, views_types, security, session)


def accepted_keys() -> dict[str, frozenset[str]]:
    """Node type -> the keys its builder accepts. Key sets are named after their node: DROP_STMT for DropStmt."""
    found = dict(other_objects.KEYS)
    constants = {
        constant.replace("_", "").lower(): keys
        for module in (*MODULES, object_names)
        for constant, keys in vars(module).items()
        if constant.isupper() and isinstance(keys, frozenset)
    }
    for kind, (module, _function) in registry._WHERE.items():
        if module in {m.__name__.rpartition(".")[2] for m in MODULES}:
            found[kind] = constants[kind.lower()]
    for kind in (
        "AccessPriv",
        "DefElem",
        "FunctionParameter",
        "ObjectWithArgs",
        "PublicationObjSpec",
        "PublicationTable",
    ):
        found[kind] = constants[kind.lower()]
    return found


ACCEPTED = accepted_keys()


@pytest.mark.parametrize("kind", ACCEPTED)
def test_every_field_is_read_or_ignored_on_purpose(kind: str) -> None:
    never = NEVER_SET.get(kind, set())
    fields = {field.json_name for field in SCHEMA.message_types_by_name[kind].fields}
    assert ACCEPTED[kind].isdisjoint(never)
    assert fields == ACCEPTED[kind] | never


def test_every_statement_has_a_builder() -> None:
    statements = {kind for kind in SCHEMA.message_types_by_name if kind.endswith("Stmt")}
    assert statements == registry._WHERE.keys() | NEVER_A_STATEMENT
    assert NEVER_A_STATEMENT.isdisjoint(registry._WHERE)


@pytest.mark.parametrize("kind", registry._WHERE)
def test_every_builder_exists(kind: str) -> None:
    assert callable(registry.builder(kind))


def test_a_statement_without_a_builder() -> None:
    assert registry.builder("RawStmt") is None


def test_every_type_of_object_has_a_kind() -> None:
    types = set(SCHEMA.enum_types_by_name["ObjectType"].values_by_name)
    # What no statement can name: parts of operator families, defaults, members of publications, entries of ACLs. A
    # user mapping has statements of its own, and columns of composite types are renamed as columns.
    unnamed = {
        f"OBJECT_{name}"
        for name in (
            "TYPE_UNDEFINED AMOP AMPROC ATTRIBUTE DEFAULT DEFACL PUBLICATION_NAMESPACE PUBLICATION_REL USER_MAPPING"
        ).split()
    }
    assert types == object_names.OBJECT_KINDS.keys() | unnamed
    assert all(re.fullmatch(r"[a-z_]+", kind) for kind in object_names.OBJECT_KINDS.values())
