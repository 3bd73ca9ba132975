"""Every field of libpg_query's schema is read, ignored on purpose, or known to be set by PostgreSQL's analysis only.

A new libpg_query with a new field makes a test here red before it makes statements opaque.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from dflint.sql.build import (
    alter_table,
    columns,
    constraints,
    expressions,
    indexes,
    nodes,
    partitions,
    query_fields,
    tables,
)

#: The schema that comes with the library; its stub file is too much for mypy.
SCHEMA = import_module("postgast.pg_query_pb2").DESCRIPTOR

#: Node type -> (keys its builders accept, fields that the raw parser never sets).
NODES: dict[str, tuple[frozenset[str], str]] = {
    "CreateStmt": (tables.CREATE_STMT, "constraints nnconstraints"),
    "CreateForeignTableStmt": (tables.CREATE_FOREIGN_TABLE_STMT, ""),
    "TableLikeClause": (tables.TABLE_LIKE_CLAUSE, "relationOid"),
    "CreateTableAsStmt": (tables.CREATE_TABLE_AS_STMT, "is_select_into"),
    "IntoClause": (tables.INTO_CLAUSE, "viewQuery"),
    "AlterTableStmt": (alter_table.ALTER_TABLE_STMT, ""),
    "AlterTableCmd": (frozenset().union(*[keys for keys, _ in alter_table._COMMANDS.values()]), "recurse"),
    "AlterTableMoveAllStmt": (alter_table.ALTER_TABLE_MOVE_ALL_STMT, ""),
    "ATAlterConstraint": (alter_table.AT_ALTER_CONSTRAINT, ""),
    "ReplicaIdentityStmt": (alter_table.REPLICA_IDENTITY_STMT, ""),
    "PartitionCmd": (alter_table.PARTITION_CMD, ""),
    "PartitionSpec": (partitions.PARTITION_SPEC, ""),
    "PartitionElem": (partitions.PARTITION_ELEM, ""),
    "PartitionBoundSpec": (partitions.PARTITION_BOUND_SPEC, ""),
    "ColumnDef": (
        columns.COLUMN_DEF | alter_table.COLUMN_TYPE,
        "inhcount is_not_null is_from_type storage cooked_default identity identitySequence generated collOid",
    ),
    "Constraint": (
        frozenset().union(
            columns.NULL,
            columns.NOT_NULL,
            columns.DEFAULT,
            columns.GENERATED,
            columns.IDENTITY,
            columns.ATTRIBUTE,
            constraints.CHECK,
            constraints.NOT_NULL,
            constraints.PRIMARY_KEY,
            constraints.UNIQUE,
            constraints.EXCLUSION,
            constraints.FOREIGN_KEY,
        ),
        "cooked_expr reset_default_tblspc old_conpfeqop old_pktable_oid",
    ),
    "IndexElem": (constraints.INDEX_ELEM, "indexcolname"),
    "IndexStmt": (
        indexes.INDEX_STMT,
        """excludeOpNames idxcomment indexOid oldNumber oldCreateSubid oldFirstRelfilelocatorSubid primary isconstraint
        iswithoutoverlaps deferrable initdeferred transformed reset_default_tblspc""",
    ),
    "ReindexStmt": (indexes.REINDEX_STMT, ""),
    "ClusterStmt": (indexes.CLUSTER_STMT, ""),
    "VacuumStmt": (indexes.VACUUM_STMT, ""),
    "VacuumRelation": (indexes.VACUUM_RELATION, "oid"),
    "CheckPointStmt": (indexes.CHECKPOINT_STMT, ""),
    "WithClause": (query_fields.WITH_CLAUSE, ""),
    "CommonTableExpr": (
        query_fields.COMMON_TABLE_EXPR,
        "cterecursive cterefcount ctecolnames ctecoltypes ctecoltypmods ctecolcollations",
    ),
    "DefElem": (nodes._DEF_ELEM, ""),
    "RangeVar": (nodes._RANGE_VAR, ""),
    "RoleSpec": (nodes._ROLE_SPEC, ""),
    "TypeName": (nodes._TYPE_NAME, "typeOid"),
    "A_Const": (expressions._A_CONST, ""),
    "ColumnRef": (expressions._COLUMN_REF, ""),
    "A_Expr": (expressions._A_EXPR, ""),
    "BoolExpr": (expressions._BOOL_EXPR, "xpr"),
    "NullTest": (expressions._NULL_TEST, "xpr"),
    "BooleanTest": (expressions._BOOLEAN_TEST, "xpr"),
    "FuncCall": (expressions._FUNC_CALL, ""),
    "TypeCast": (expressions._TYPE_CAST, ""),
    "CollateClause": (expressions._COLLATE, ""),
    "A_ArrayExpr": (expressions._ARRAY, ""),
    "A_Indirection": (expressions._INDIRECTION, ""),
    "A_Indices": (expressions._INDICES, ""),
}

#: The same for the nodes inside queries, where `query_fields.FIELDS` has the keys.
NEVER_IN_QUERIES = {
    "IndexElem": "indexcolname",
    "JoinExpr": "rtindex",
    "ColumnDef": """compression inhcount is_not_null is_from_type storage storage_name raw_default cooked_default identity
        identitySequence generated collOid constraints fdwoptions""",
    "BoolExpr": "xpr",
    "NullTest": "xpr",
    "BooleanTest": "xpr",
    "NamedArgExpr": "xpr",
    "SQLValueFunction": "xpr type",
    "CaseExpr": "xpr casetype casecollid",
    "CaseWhen": "xpr",
    "CoalesceExpr": "xpr coalescetype coalescecollid",
    "MinMaxExpr": "xpr minmaxtype minmaxcollid inputcollid",
    "RowExpr": "xpr row_typeid colnames",
    "SubLink": "xpr subLinkId",
    "SetToDefault": "xpr typeId typeMod collation",
    "CurrentOfExpr": "xpr cvarno",
    "MergeSupportFunc": "xpr msfcollid",
    "GroupingFunc": "xpr refs agglevelsup",
    "XmlExpr": "xpr arg_names type typmod",
    "JsonValueExpr": "formatted_expr",
    "JsonBehavior": "coerce",
}

#: Fields that hold nodes, and are passed over all the same: names, operators, options, types, constants.
HARMLESS = {
    "collation",
    "opclass",
    "opclassopts",
    "lockedRels",
    "useOp",
    "usingClause",
    "coldeflist",
    "method",
    "fields",
    "name",
    "funcname",
    "collname",
    "operName",
    "intoClause",
    "alias",
    "join_using_alias",
    "typeName",
    "collClause",
    "pathspec",
    "format",
    "output",
    "options",
    "ival",
    "fval",
    "boolval",
    "sval",
    "bsval",
}


def fields(kind: str) -> dict[str, Any]:
    return {field.json_name: field for field in SCHEMA.message_types_by_name[kind].fields}


@pytest.mark.parametrize("kind", NODES)
def test_every_field_of_a_node_is_accounted_for(kind: str) -> None:
    accepted, never = NODES[kind]
    assert accepted.isdisjoint(never.split())
    assert fields(kind).keys() == accepted | set(never.split())


@pytest.mark.parametrize("kind", query_fields.FIELDS)
def test_every_field_of_a_node_in_a_query_is_accounted_for(kind: str) -> None:
    known, followed = query_fields.FIELDS[kind]
    never = set(NEVER_IN_QUERIES.get(kind, "").split())
    found = fields(kind)
    assert known.isdisjoint(never)
    assert found.keys() == known | never
    for key, how in followed:
        message = found[key].message_type.name
        assert message == {"*": "Node", ">": "RangeVar"}.get(how, how)
    # What is not followed holds no nodes, or none that matter.
    quiet = known - dict(followed).keys()
    assert {key for key in quiet if found[key].message_type is not None} <= HARMLESS


def test_what_may_stand_in_an_expression_may_stand_in_a_query() -> None:
    assert expressions._BUILDERS.keys() <= query_fields.FIELDS.keys()
    unwrapped = {how for row in query_fields.FIELDS.values() for _, how in row.followed} - {"*", ">", "WithClause"}
    assert unwrapped <= query_fields.FIELDS.keys()
