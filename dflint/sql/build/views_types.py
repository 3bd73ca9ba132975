"""Views, sequences, types and domains, and what DEFINE-like statements create."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from msgspec.structs import replace

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    AddEnumValue,
    AlterDomain,
    AlterOther,
    AlterSequence,
    CreateCompositeType,
    CreateDomain,
    CreateEnum,
    CreateOther,
    CreateRange,
    CreateSequence,
    CreateView,
    RefreshMaterializedView,
    RenameEnumValue,
)
from dflint.model.schema import Constraint, Options, SequenceOptions
from dflint.sql.build.columns import DEFAULT, NOT_NULL, NULL, collation, column, sequence_options
from dflint.sql.build.constraints import constraint
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, options, qualified, relation, strings, type_name
from dflint.sql.build.object_names import NO_OPERAND, definition, is_cascade, object_kind
from dflint.sql.build.queries import query
from dflint.sql.libpg_query import LibPgQuery

# --- views --------------------------------------------------------------------------------------------------------

VIEW_STMT: Final = frozenset({"view", "aliases", "query", "replace", "options", "withCheckOption"})
REFRESH_MAT_VIEW_STMT: Final = frozenset({"concurrent", "skipData", "relation"})

_CheckOption = Literal["", "local", "cascaded"]
_CHECK_OPTIONS: Final[dict[str, _CheckOption]] = {
    "NO_CHECK_OPTION": "",
    "LOCAL_CHECK_OPTION": "local",
    "CASCADED_CHECK_OPTION": "cascaded",
}


def create_view(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE [OR REPLACE] VIEW."""
    if not node.keys() <= VIEW_STMT:
        claim(node, VIEW_STMT)
    persistence = _persistence(node["view"])
    if persistence == "unlogged":
        raise Unread("unlogged view")
    written = options(node.get("options", ()))
    return (
        CreateView(
            target=relation(node["view"]),
            query=query(node["query"]),
            column_names=tuple(strings(node.get("aliases", ()))),
            or_replace="replace" in node,
            temporary=persistence == "temporary",
            recursive=_is_recursive(node["query"]),
            options=written,
            check_option=_check_option(node["withCheckOption"], written),
        ),
    )


def _check_option(clause: str, written: Options) -> _CheckOption:
    """WITH … CHECK OPTION is another spelling of the option ``check_option``."""
    found = _CHECK_OPTIONS.get(clause)
    if found is None:
        raise Unread(clause)
    for name, value in written:
        if name == "check_option":
            return "local" if value == "local" else "cascaded"
    return found


def _is_recursive(query_node: Node) -> bool:
    # The grammar turns CREATE RECURSIVE VIEW into a query whose WITH clause stands nowhere in the text.
    with_clause = query_node["SelectStmt"].get("withClause")
    return with_clause is not None and with_clause["ctes"][0]["CommonTableExpr"].get("location", 0) < 0


def refresh(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """REFRESH MATERIALIZED VIEW."""
    claim(node, REFRESH_MAT_VIEW_STMT)
    return (
        RefreshMaterializedView(
            target=relation(node["relation"]), concurrently="concurrent" in node, with_data="skipData" not in node
        ),
    )


_Persistence = Literal["permanent", "temporary", "unlogged"]
_PERSISTENCE: Final[dict[str, _Persistence]] = {"p": "permanent", "t": "temporary", "u": "unlogged"}


def _persistence(range_var: Node) -> _Persistence:
    if range_var.get("schemaname") == "pg_temp":
        return "temporary"
    found = _PERSISTENCE.get(range_var["relpersistence"])
    if found is None:
        raise Unread(f"persistence {range_var['relpersistence']}")
    return found


# --- sequences ----------------------------------------------------------------------------------------------------

CREATE_SEQ_STMT: Final = frozenset({"sequence", "options", "if_not_exists"})
ALTER_SEQ_STMT: Final = frozenset({"sequence", "options", "missing_ok"})


def create_sequence(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE SEQUENCE."""
    if not node.keys() <= CREATE_SEQ_STMT:
        claim(node, CREATE_SEQ_STMT)
    written = node.get("options")
    return (
        CreateSequence(
            target=relation(node["sequence"]),
            options=sequence_options(written) if written else SequenceOptions(),
            if_not_exists="if_not_exists" in node,
            persistence=_persistence(node["sequence"]),
        ),
    )


def alter_sequence(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER SEQUENCE with options of sequences; whatever else it can do, ALTER TABLE does."""
    if not node.keys() <= ALTER_SEQ_STMT:
        claim(node, ALTER_SEQ_STMT)
    return (
        AlterSequence(
            target=relation(node["sequence"]),
            options=sequence_options(node["options"]),
            if_exists="missing_ok" in node,
        ),
    )


# --- types --------------------------------------------------------------------------------------------------------

CREATE_ENUM_STMT: Final = frozenset({"typeName", "vals"})
ALTER_ENUM_STMT: Final = frozenset(
    {"typeName", "oldVal", "newVal", "newValNeighbor", "newValIsAfter", "skipIfNewValExists"}
)
COMPOSITE_TYPE_STMT: Final = frozenset({"typevar", "coldeflist"})
CREATE_RANGE_STMT: Final = frozenset({"typeName", "params"})
ALTER_TYPE_STMT: Final = frozenset({"typeName", "options"})


def create_enum(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TYPE … AS ENUM."""
    claim(node, CREATE_ENUM_STMT)
    return (CreateEnum(target=qualified(node["typeName"]), values=tuple(strings(node.get("vals", ())))),)


def alter_enum(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TYPE … ADD VALUE and RENAME VALUE. An empty value comes without its key."""
    claim(node, ALTER_ENUM_STMT)
    target, value = qualified(node["typeName"]), node.get("newVal", "")
    if "oldVal" in node:
        return (RenameEnumValue(target=target, value=node["oldVal"], new_value=value),)
    after = "newValIsAfter" in node
    if not after and "newValNeighbor" not in node:
        raise Unread("ADD VALUE or RENAME VALUE of the empty value")
    return (
        AddEnumValue(
            target=target,
            value=value,
            neighbor=node.get("newValNeighbor"),
            before=not after,
            if_not_exists="skipIfNewValExists" in node,
        ),
    )


def create_composite(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TYPE … AS (attributes)."""
    claim(node, COMPOSITE_TYPE_STMT)
    attributes = tuple([column(item["ColumnDef"]) for item in node.get("coldeflist", ())])
    return (CreateCompositeType(target=relation(node["typevar"]), attributes=attributes),)


def create_range(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TYPE … AS RANGE."""
    claim(node, CREATE_RANGE_STMT)
    params = node["params"]
    return (
        CreateRange(
            target=qualified(node["typeName"]),
            subtype=_type_parameter(params, "subtype"),
            options=tuple([pair for pair in definition(params) if pair[0] != "subtype"]),
        ),
    )


def alter_type(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TYPE … SET (properties of a base type)."""
    claim(node, ALTER_TYPE_STMT)
    return (
        AlterOther(
            target=qualified(node["typeName"]),
            object_kind="type",
            action="set_options",
            options=definition(node["options"]),
        ),
    )


# --- domains ------------------------------------------------------------------------------------------------------

CREATE_DOMAIN_STMT: Final = frozenset({"domainname", "typeName", "collClause", "constraints"})
ALTER_DOMAIN_STMT: Final = frozenset({"subtype", "typeName", "name", "def", "behavior", "missing_ok"})


def create_domain(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE DOMAIN."""
    claim(node, CREATE_DOMAIN_STMT)
    values: dict[str, Any] = {"target": qualified(node["domainname"]), "type": type_name(node["typeName"])}
    if "collClause" in node:
        values["collation"] = collation(node["collClause"])
    kept: list[Constraint] = []
    for wrapped in node.get("constraints", ()):
        _add_domain_constraint(wrapped["Constraint"], values, kept)
    return (CreateDomain(constraints=tuple(kept), **values),)


def _add_domain_constraint(node: Node, values: dict[str, Any], kept: list[Constraint]) -> None:
    kind = node["contype"]
    if kind == "CONSTR_NOTNULL":
        claim(node, NOT_NULL)
        values["not_null"] = True
        if "conname" in node:
            kept.append(_domain_constraint(node))
    elif kind == "CONSTR_DEFAULT":
        claim(node, DEFAULT)
        values["default"] = expression(node["raw_expr"])
    elif kind == "CONSTR_NULL":
        claim(node, NULL)
    else:
        kept.append(_domain_constraint(node))


def _domain_constraint(node: Node) -> Constraint:
    if node["contype"] not in ("CONSTR_CHECK", "CONSTR_NOTNULL"):
        raise Unread(f"{node['contype']} of a domain")
    # ALTER DOMAIN … ADD NOT NULL names a column ``value``, which no domain has.
    return replace(constraint(node), columns=())


def alter_domain(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER DOMAIN but for RENAME, SET SCHEMA and OWNER TO."""
    claim(node, ALTER_DOMAIN_STMT)
    build = _DOMAIN_ACTIONS.get(node["subtype"])
    if build is None:
        raise Unread(f"ALTER DOMAIN sub-command {node['subtype']}")
    return (AlterDomain(target=qualified(node["typeName"]), **build(node)),)


def _domain_default(node: Node) -> dict[str, Any]:
    if "def" not in node:
        return {"action": "drop_default"}
    return {"action": "set_default", "default": expression(node["def"])}


def _domain_add(node: Node) -> dict[str, Any]:
    added = _domain_constraint(node["def"]["Constraint"])
    return {"action": "add_constraint", "constraint": added, "name": added.name}


def _domain_drop(node: Node) -> dict[str, Any]:
    return {
        "action": "drop_constraint",
        "name": node["name"],
        "cascade": is_cascade(node["behavior"]),
        "missing_ok": "missing_ok" in node,
    }


_DOMAIN_ACTIONS: Final[dict[str, Callable[[Node], dict[str, Any]]]] = {
    "T": _domain_default,
    "O": lambda _node: {"action": "set_not_null"},
    "N": lambda _node: {"action": "drop_not_null"},
    "C": _domain_add,
    "X": _domain_drop,
    "V": lambda node: {"action": "validate_constraint", "name": node["name"]},
}


# --- aggregates, operators, base types, collations, text search ------------------------------------------------------

DEFINE_STMT: Final = frozenset({"kind", "oldstyle", "defnames", "args", "definition", "if_not_exists", "replace"})
FUNCTION_PARAMETER: Final = frozenset({"name", "argType", "mode", "location"})

_DEFINED: Final = frozenset(
    {
        "OBJECT_AGGREGATE",
        "OBJECT_OPERATOR",
        "OBJECT_TYPE",
        "OBJECT_COLLATION",
        "OBJECT_TSPARSER",
        "OBJECT_TSDICTIONARY",
        "OBJECT_TSTEMPLATE",
        "OBJECT_TSCONFIGURATION",
    }
)
_INPUT_MODES: Final = frozenset({"FUNC_PARAM_DEFAULT", "FUNC_PARAM_IN", "FUNC_PARAM_VARIADIC"})


def define(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE AGGREGATE, OPERATOR, base or shell TYPE, COLLATION, TEXT SEARCH …."""
    claim(node, DEFINE_STMT)
    kind = node["kind"]
    if kind not in _DEFINED:
        raise Unread(f"definition of {kind}")
    written = node.get("definition", ())
    arguments: tuple[Type, ...] | None = None
    if kind == "OBJECT_OPERATOR":
        arguments = tuple([_type_parameter(written, side) or NO_OPERAND for side in ("leftarg", "rightarg")])
    elif kind == "OBJECT_AGGREGATE":
        arguments = _old_style_arguments(written) if "oldstyle" in node else _aggregate_arguments(node["args"])
    return (
        CreateOther(
            target=qualified(node["defnames"]),
            object_kind=object_kind(kind),
            or_replace="replace" in node,
            if_not_exists="if_not_exists" in node,
            arguments=arguments,
            options=definition(written),
        ),
    )


def _aggregate_arguments(args: Sequence[Node]) -> tuple[Type, ...]:
    """Input types; the second item only says how many stand before ORDER BY."""
    parameters, _direct = args
    types: list[Type] = []
    for wrapped in parameters["List"]["items"] if parameters else ():
        parameter = wrapped["FunctionParameter"]
        claim(parameter, FUNCTION_PARAMETER)
        if parameter["mode"] not in _INPUT_MODES:
            raise Unread(f"aggregate argument {parameter['mode']}")
        types.append(type_name(parameter["argType"]))
    return tuple(types)


def _old_style_arguments(written: Sequence[Node]) -> tuple[Type, ...] | None:
    """The ``basetype`` of CREATE AGGREGATE as before PostgreSQL 8.2; ANY means no input."""
    found = _type_parameter(written, "basetype")
    if found is None:
        return None
    return () if found.name.name.lower() == "any" else (found,)


def _type_parameter(written: Sequence[Node], name: str) -> Type | None:
    """The type that a definition gives a parameter, None where it gives none."""
    for wrapped in written:
        item = wrapped["DefElem"]
        if item["defname"] == name and "arg" in item:
            arg = item["arg"]
            # A quoted type name is accepted too.
            return type_name(arg["TypeName"]) if "TypeName" in arg else Type(Name(None, arg["String"]["sval"]))
    return None
