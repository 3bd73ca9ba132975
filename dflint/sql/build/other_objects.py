"""What else PostgreSQL can create or alter: only the object, its kind and its guards matter to a migration's judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import AlterOther, CreateOther
from dflint.model.schema import Options
from dflint.sql.build.nodes import Node, Unread, claim, constant_text, qualified, relation, role
from dflint.sql.build.object_names import cast_detail, definition, object_with_arguments, transform_detail
from dflint.sql.build.session import attached_setting
from dflint.sql.libpg_query import LibPgQuery

#: One statement a line with its keys; those after the bar are ignored: they do not change which object is meant,
#: whether the statement can fail because it exists, or what it does to tables.
_TEXT: Final = """
CreatedbStmt dbname options |
AlterDatabaseStmt dbname options |
AlterDatabaseSetStmt dbname setstmt |
AlterDatabaseRefreshCollStmt dbname |
AlterSystemStmt setstmt |
CreateTableSpaceStmt tablespacename options | owner location
AlterTableSpaceOptionsStmt tablespacename options isReset |
CreateCastStmt sourcetype targettype | func context inout
CreateConversionStmt conversion_name | for_encoding_name to_encoding_name func_name def
CreateTransformStmt replace type_name lang | fromsql tosql
CreateOpClassStmt opclassname amname | opfamilyname datatype items isDefault
CreateOpFamilyStmt opfamilyname amname |
AlterOpFamilyStmt opfamilyname amname isDrop | items
AlterOperatorStmt opername options |
CreateFdwStmt fdwname func_options options |
AlterFdwStmt fdwname func_options options |
CreateForeignServerStmt servername fdwname if_not_exists options | servertype version
AlterForeignServerStmt servername options | version has_version
CreateUserMappingStmt user servername if_not_exists options |
AlterUserMappingStmt user servername options |
ImportForeignSchemaStmt server_name remote_schema local_schema options | list_type table_list
CreateAmStmt amname | handler_name amtype
CreatePLangStmt replace plname | plhandler plinline plvalidator pltrusted
CreateStatsStmt defnames relations if_not_exists | stat_types exprs
AlterStatsStmt defnames stxstattarget missing_ok |
AlterTSDictionaryStmt dictname options |
AlterTSConfigurationStmt kind cfgname | tokentype dicts override replace missing_ok
AlterCollationStmt collname |
"""

#: Statement -> the keys it may have.
KEYS: Final = {
    words[0]: frozenset(word for word in words[1:] if word != "|")
    for words in (line.split() for line in _TEXT.strip().splitlines())
}


def _create(node: Node, kind: str, target: Name | None, **values: Any) -> Sequence[Operation]:
    return (
        CreateOther(
            target=target,
            object_kind=kind,
            or_replace="replace" in node,
            if_not_exists="if_not_exists" in node,
            **values,
        ),
    )


def _alter(kind: str, target: Name | None, action: str, **values: Any) -> Sequence[Operation]:
    return (AlterOther(target=target, object_kind=kind, action=action, **values),)


# --- databases, tablespaces, the server ----------------------------------------------------------------------------


def create_database(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE DATABASE."""
    claim(node, KEYS["CreatedbStmt"])
    return _create(node, "database", Name(None, node["dbname"]), options=definition(node.get("options", ())))


def alter_database(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER DATABASE with options or SET TABLESPACE."""
    claim(node, KEYS["AlterDatabaseStmt"])
    return _alter("database", Name(None, node["dbname"]), "set_options", options=definition(node.get("options", ())))


def alter_database_set(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER DATABASE … SET and RESET of settings."""
    claim(node, KEYS["AlterDatabaseSetStmt"])
    action, setting = attached_setting(node["setstmt"])
    return _alter("database", Name(None, node["dbname"]), action, options=setting)


def refresh_database_collation(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER DATABASE … REFRESH COLLATION VERSION."""
    claim(node, KEYS["AlterDatabaseRefreshCollStmt"])
    return _alter("database", Name(None, node["dbname"]), "refresh_collation_version")


def alter_system(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER SYSTEM."""
    claim(node, KEYS["AlterSystemStmt"])
    action, setting = attached_setting(node["setstmt"])
    return _alter("system", None, action, options=setting)


def create_tablespace(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TABLESPACE."""
    claim(node, KEYS["CreateTableSpaceStmt"])
    name = Name(None, node["tablespacename"])
    return _create(node, "tablespace", name, options=definition(node.get("options", ())))


def alter_tablespace(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TABLESPACE … SET and RESET."""
    claim(node, KEYS["AlterTableSpaceOptionsStmt"])
    action = "reset_options" if "isReset" in node else "set_options"
    return _alter("tablespace", Name(None, node["tablespacename"]), action, options=definition(node["options"]))


# --- casts, conversions, transforms, operators ----------------------------------------------------------------------


def create_cast(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE CAST."""
    claim(node, KEYS["CreateCastStmt"])
    return _create(node, "cast", None, detail=cast_detail(node["sourcetype"], node["targettype"]))


def create_conversion(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE CONVERSION."""
    claim(node, KEYS["CreateConversionStmt"])
    return _create(node, "conversion", qualified(node["conversion_name"]))


def create_transform(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TRANSFORM."""
    claim(node, KEYS["CreateTransformStmt"])
    return _create(node, "transform", None, detail=transform_detail(node["type_name"], node["lang"]))


def create_operator_class(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE OPERATOR CLASS; ``detail`` is the index method."""
    claim(node, KEYS["CreateOpClassStmt"])
    return _create(node, "operator_class", qualified(node["opclassname"]), detail=node["amname"])


def create_operator_family(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE OPERATOR FAMILY; ``detail`` is the index method."""
    claim(node, KEYS["CreateOpFamilyStmt"])
    return _create(node, "operator_family", qualified(node["opfamilyname"]), detail=node["amname"])


def alter_operator_family(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER OPERATOR FAMILY … ADD and DROP; ``detail`` is the index method."""
    claim(node, KEYS["AlterOpFamilyStmt"])
    action = "drop" if "isDrop" in node else "add"
    return _alter("operator_family", qualified(node["opfamilyname"]), action, detail=node["amname"])


def alter_operator(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER OPERATOR … SET (…)."""
    claim(node, KEYS["AlterOperatorStmt"])
    values = object_with_arguments(node["opername"])
    return _alter("operator", action="set_options", options=definition(node["options"]), **values)


# --- foreign data ---------------------------------------------------------------------------------------------------


def create_fdw(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE FOREIGN DATA WRAPPER."""
    claim(node, KEYS["CreateFdwStmt"])
    return _create(node, "fdw", Name(None, node["fdwname"]), options=_fdw_options(node))


def alter_fdw(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER FOREIGN DATA WRAPPER."""
    claim(node, KEYS["AlterFdwStmt"])
    return _alter("fdw", Name(None, node["fdwname"]), "set_options", options=_fdw_options(node))


def _fdw_options(node: Node) -> Options:
    return definition(node.get("func_options", ())) + definition(node.get("options", ()))


def create_server(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE SERVER; ``detail`` is its foreign-data wrapper."""
    claim(node, KEYS["CreateForeignServerStmt"])
    name = Name(None, node["servername"])
    return _create(node, "server", name, options=definition(node.get("options", ())), detail=node["fdwname"])


def alter_server(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER SERVER with a version or options."""
    claim(node, KEYS["AlterForeignServerStmt"])
    return _alter("server", Name(None, node["servername"]), "set_options", options=definition(node.get("options", ())))


def create_user_mapping(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE USER MAPPING: its name is the user's, its ``detail`` the server."""
    claim(node, KEYS["CreateUserMappingStmt"])
    name = Name(None, role(node["user"]))
    written = definition(node.get("options", ()))
    return _create(node, "user_mapping", name, options=written, detail=node["servername"])


def alter_user_mapping(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER USER MAPPING."""
    claim(node, KEYS["AlterUserMappingStmt"])
    name = Name(None, role(node["user"]))
    written = definition(node.get("options", ()))
    return _alter("user_mapping", name, "set_options", options=written, detail=node["servername"])


def import_foreign_schema(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """IMPORT FOREIGN SCHEMA, an action on the local schema; ``detail`` is the source. Its new tables are unknown."""
    claim(node, KEYS["ImportForeignSchemaStmt"])
    source = f"{node['server_name']}.{node['remote_schema']}"
    written = definition(node.get("options", ()))
    name = Name(None, node["local_schema"])
    return _alter("schema", name, "import_foreign_schema", options=written, detail=source)


# --- access methods, languages, statistics, text search, collations --------------------------------------------------


def create_access_method(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE ACCESS METHOD."""
    claim(node, KEYS["CreateAmStmt"])
    return _create(node, "access_method", Name(None, node["amname"]))


def create_language(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE LANGUAGE with a handler; without one it is CREATE EXTENSION to the grammar."""
    claim(node, KEYS["CreatePLangStmt"])
    return _create(node, "language", Name(None, node["plname"]))


def create_statistics(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE STATISTICS; no target where PostgreSQL chooses the name."""
    claim(node, KEYS["CreateStatsStmt"])
    relations = node["relations"]
    if len(relations) != 1 or "RangeVar" not in relations[0]:
        raise Unread("statistics of anything but one relation")
    target = qualified(node["defnames"]) if "defnames" in node else None
    return _create(node, "statistics", target, on=relation(relations[0]["RangeVar"]))


def alter_statistics(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER STATISTICS … SET STATISTICS; None stands for DEFAULT."""
    claim(node, KEYS["AlterStatsStmt"])
    value = constant_text(node["stxstattarget"]) if "stxstattarget" in node else None
    return _alter(
        "statistics",
        qualified(node["defnames"]),
        "set_statistics",
        if_exists="missing_ok" in node,
        options=(("statistics", value),),
    )


def alter_dictionary(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TEXT SEARCH DICTIONARY with options."""
    claim(node, KEYS["AlterTSDictionaryStmt"])
    name = qualified(node["dictname"])
    return _alter("text_search_dictionary", name, "set_options", options=definition(node["options"]))


_CONFIGURATION_ACTIONS: Final = {
    "ALTER_TSCONFIG_ADD_MAPPING": "add_mapping",
    "ALTER_TSCONFIG_ALTER_MAPPING_FOR_TOKEN": "alter_mapping",
    "ALTER_TSCONFIG_REPLACE_DICT": "replace_dictionary",
    "ALTER_TSCONFIG_REPLACE_DICT_FOR_TOKEN": "replace_dictionary",
    "ALTER_TSCONFIG_DROP_MAPPING": "drop_mapping",
}


def alter_configuration(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER TEXT SEARCH CONFIGURATION … MAPPING. (Its IF EXISTS is about the mapping.)"""
    claim(node, KEYS["AlterTSConfigurationStmt"])
    action = _CONFIGURATION_ACTIONS.get(node["kind"])
    if action is None:
        raise Unread(f"ALTER TEXT SEARCH CONFIGURATION action {node['kind']}")
    return _alter("text_search_configuration", qualified(node["cfgname"]), action)


def refresh_collation(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER COLLATION … REFRESH VERSION."""
    claim(node, KEYS["AlterCollationStmt"])
    return _alter("collation", qualified(node["collname"]), "refresh_version")
