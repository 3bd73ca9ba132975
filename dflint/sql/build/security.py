"""Schemas, extensions, roles, privileges, publications and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec.structs import replace

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    AlterDefaultPrivileges,
    AlterOther,
    AlterPublication,
    CreateExtension,
    CreateOther,
    CreatePublication,
    CreateSchema,
    GrantPrivileges,
    GrantRole,
)
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, relation, role, single, string, strings
from dflint.sql.build.object_names import definition, identify, is_cascade, object_kind, type_text
from dflint.sql.build.session import attached_setting
from dflint.sql.libpg_query import LibPgQuery

# --- schemas ------------------------------------------------------------------------------------------------------

CREATE_SCHEMA_STMT: Final = frozenset({"schemaname", "authrole", "schemaElts", "if_not_exists"})

#: The statements that CREATE SCHEMA may hold, and the relation that PostgreSQL puts into the new schema.
_ELEMENTS: Final = {
    "CreateStmt": "relation",
    "ViewStmt": "view",
    "CreateSeqStmt": "sequence",
    "IndexStmt": "relation",
    "CreateTrigStmt": "relation",
    "GrantStmt": "",
}


def create_schema(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """CREATE SCHEMA, and the objects created inside it as operations of their own."""
    claim(node, CREATE_SCHEMA_STMT)
    owner = role(node["authrole"]) if "authrole" in node else None
    name = node.get("schemaname")
    if name is None:
        if owner is None or node["authrole"].get("roletype") != "ROLESPEC_CSTRING":
            raise Unread("schema named after whoever runs the statement")
        name = owner
    operations: list[Operation] = [
        CreateSchema(target=Name(None, name), if_not_exists="if_not_exists" in node, owner=owner)
    ]
    elements = [single(wrapped) for wrapped in node.get("schemaElts", ())]
    inside = {content[_ELEMENTS[kind]]["relname"] for kind, content in elements if _ELEMENTS.get(kind)}
    for kind, content in elements:
        operations += _element(kind, _in_schema(content, name, inside), library)
    return operations


def _element(kind: str, content: Node, library: LibPgQuery) -> list[Operation]:
    from dflint.sql.build.registry import builder

    build = builder(kind)
    if build is None or kind not in _ELEMENTS:
        raise Unread(f"CREATE SCHEMA with {kind}")
    place = content.get(_ELEMENTS[kind], {}).get("location", -1)
    return [
        operation if operation.at >= 0 or place < 0 else replace(operation, at=place)
        for operation in build(content, library)
    ]


def _in_schema(value: Any, schema: str, names: set[str]) -> Any:
    """The same tree with every bare mention of the relations ``names`` qualified by the schema they are created in."""
    if isinstance(value, list):
        return [_in_schema(item, schema, names) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _in_schema(item, schema, names) for key, item in value.items()}
    if copy.get("relname") in names:
        copy.setdefault("schemaname", schema)
    return copy


# --- extensions ---------------------------------------------------------------------------------------------------

CREATE_EXTENSION_STMT: Final = frozenset({"extname", "if_not_exists", "options"})
ALTER_EXTENSION_STMT: Final = frozenset({"extname", "options"})
ALTER_EXTENSION_CONTENTS_STMT: Final = frozenset({"extname", "action", "objtype", "object"})

_EXTENSION_OPTIONS: Final = {"schema": "schema", "new_version": "version"}


def create_extension(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE EXTENSION."""
    claim(node, CREATE_EXTENSION_STMT)
    values: dict[str, Any] = {}
    for name, text in definition(node.get("options", ())):
        if name == "cascade":
            values["cascade"] = text == "true"
        elif name in _EXTENSION_OPTIONS:
            values[_EXTENSION_OPTIONS[name]] = text
        else:
            raise Unread(f"option {name} of CREATE EXTENSION")
    return (CreateExtension(target=Name(None, node["extname"]), if_not_exists="if_not_exists" in node, **values),)


def alter_extension(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER EXTENSION … UPDATE."""
    claim(node, ALTER_EXTENSION_STMT)
    return (
        AlterOther(
            target=Name(None, node["extname"]),
            object_kind="extension",
            action="update",
            options=definition(node.get("options", ())),
        ),
    )


def alter_extension_contents(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER EXTENSION … ADD or DROP of a member; ``detail`` is the member's kind and name."""
    claim(node, ALTER_EXTENSION_CONTENTS_STMT)
    action = {1: "add", -1: "drop"}.get(node["action"])
    if action is None:
        raise Unread(f"ALTER EXTENSION action {node['action']}")
    member = identify(node["objtype"], node["object"])
    words = [object_kind(node["objtype"]), str(member["target"] or "")]
    if "arguments" in member:
        words[-1] += f"({', '.join(type_text(argument) for argument in member['arguments'])})"
    words.append(member.get("detail", ""))
    return (
        AlterOther(
            target=Name(None, node["extname"]),
            object_kind="extension",
            action=action,
            detail=" ".join(word for word in words if word),
        ),
    )


# --- privileges ---------------------------------------------------------------------------------------------------

GRANT_STMT: Final = frozenset(
    {"is_grant", "targtype", "objtype", "objects", "privileges", "grantees", "grant_option", "grantor", "behavior"}
)
ACCESS_PRIV: Final = frozenset({"priv_name", "cols"})
GRANT_ROLE_STMT: Final = frozenset({"granted_roles", "grantee_roles", "is_grant", "opt", "grantor", "behavior"})
ALTER_DEFAULT_PRIVILEGES_STMT: Final = frozenset({"options", "action"})

#: Privileges with the columns they are limited to; no columns: the whole object.
_Privileges = list[tuple[tuple[str, ...], tuple[str, ...]]]


def grant(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """GRANT and REVOKE on objects: one operation for each object and each list of columns."""
    if not node.keys() <= GRANT_STMT:
        claim(node, GRANT_STMT)
    objtype = node["objtype"]
    shared: dict[str, Any] = {
        "object_kind": object_kind(objtype),
        "revoke": "is_grant" not in node,
        "grantees": tuple([role(item) for item in node["grantees"]]),
        "grant_option": "grant_option" in node,
        "cascade": is_cascade(node["behavior"]),
    }
    privileges = _privileges(node.get("privileges", ()))
    targets = [_granted(node["targtype"], objtype, item) for item in node["objects"]]
    # Commas among the privileges would be counted as the objects' own.
    counted = len(node.get("privileges", ())) < 2 and len(targets) > 1
    return [
        GrantPrivileges(privileges=names, columns=columns, clause=clause if counted else -1, **target, **shared)
        for clause, target in enumerate(targets)
        for columns, names in privileges
    ]


def _granted(targtype: str, objtype: str, item: Node) -> dict[str, Any]:
    if targtype == "ACL_TARGET_ALL_IN_SCHEMA":
        return {"all_in_schema": string(item)}
    if targtype != "ACL_TARGET_OBJECT":
        raise Unread(f"GRANT on {targtype}")
    if "RangeVar" in item:
        return {"target": relation(item["RangeVar"]), "at": item["RangeVar"].get("location", 0)}
    return identify(objtype, item)


def _privileges(nodes: Sequence[Node]) -> _Privileges:
    """The privileges by the columns they are for, in order; none written means ALL."""
    found: dict[tuple[str, ...], list[str]] = {}
    for wrapped in nodes:
        privilege = wrapped["AccessPriv"]
        claim(privilege, ACCESS_PRIV)
        found.setdefault(tuple(strings(privilege.get("cols", ()))), []).append(privilege.get("priv_name", "all"))
    if not found:
        return [((), ("all",))]
    return [(columns, tuple(names)) for columns, names in found.items()]


def grant_role(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """GRANT and REVOKE of roles."""
    claim(node, GRANT_ROLE_STMT)
    return (
        GrantRole(
            revoke="is_grant" not in node,
            roles=tuple([wrapped["AccessPriv"]["priv_name"] for wrapped in node["granted_roles"]]),
            grantees=tuple([role(item) for item in node["grantee_roles"]]),
            options=definition(node.get("opt", ())),
        ),
    )


def alter_default_privileges(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER DEFAULT PRIVILEGES."""
    claim(node, ALTER_DEFAULT_PRIVILEGES_STMT)
    values: dict[str, Any] = {}
    for wrapped in node.get("options", ()):
        option = wrapped["DefElem"]
        items = option["arg"]["List"]["items"]
        if option["defname"] == "roles":
            values["roles"] = tuple([role(item) for item in items])
        elif option["defname"] == "schemas":
            values["schemas"] = tuple(strings(items))
        else:
            raise Unread(f"option {option['defname']} of ALTER DEFAULT PRIVILEGES")
    action = node["action"]
    claim(action, GRANT_STMT)
    found = _privileges(action.get("privileges", ()))
    columns, privileges = found[0]
    if columns or len(found) > 1 or action["targtype"] != "ACL_TARGET_DEFAULTS":
        raise Unread("default privileges of columns")
    return (
        AlterDefaultPrivileges(
            revoke="is_grant" not in action,
            object_kind=object_kind(action["objtype"]),
            privileges=privileges,
            grantees=tuple([role(item) for item in action["grantees"]]),
            **values,
        ),
    )


# --- roles --------------------------------------------------------------------------------------------------------

CREATE_ROLE_STMT: Final = frozenset({"stmt_type", "role", "options"})
ALTER_ROLE_STMT: Final = frozenset({"role", "options", "action"})
ALTER_ROLE_SET_STMT: Final = frozenset({"role", "database", "setstmt"})

_ROLE_WORDS: Final = {"ROLESTMT_ROLE": "role", "ROLESTMT_USER": "user", "ROLESTMT_GROUP": "group"}


def create_role(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE ROLE, USER or GROUP; ``detail`` is the word that was used, for a user may log in."""
    claim(node, CREATE_ROLE_STMT)
    word = _ROLE_WORDS.get(node["stmt_type"])
    if word is None:
        raise Unread(f"CREATE of {node['stmt_type']}")
    return (
        CreateOther(
            target=Name(None, node["role"]),
            object_kind="role",
            options=definition(node.get("options", ())),
            detail=word,
        ),
    )


def alter_role(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER ROLE with attributes, ALTER GROUP … ADD or DROP USER."""
    claim(node, ALTER_ROLE_STMT)
    written = definition(node.get("options", ()))
    action = "set_options"
    if any(name == "rolemembers" for name, _text in written):
        action = "add_members" if node.get("action", 0) > 0 else "drop_members"
    return (AlterOther(target=Name(None, role(node["role"])), object_kind="role", action=action, options=written),)


def alter_role_set(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER ROLE … SET; no target for ALL, ``detail`` is the database it is limited to."""
    claim(node, ALTER_ROLE_SET_STMT)
    action, setting = attached_setting(node["setstmt"])
    target = Name(None, role(node["role"])) if "role" in node else None
    return (
        AlterOther(target=target, object_kind="role", action=action, options=setting, detail=node.get("database", "")),
    )


# --- publications, subscriptions ------------------------------------------------------------------------------------

CREATE_PUBLICATION_STMT: Final = frozenset({"pubname", "options", "pubobjects", "for_all_tables"})
ALTER_PUBLICATION_STMT: Final = frozenset({"pubname", "options", "pubobjects", "action"})
CREATE_SUBSCRIPTION_STMT: Final = frozenset({"subname", "conninfo", "publication", "options"})
ALTER_SUBSCRIPTION_STMT: Final = frozenset({"kind", "subname", "conninfo", "publication", "options"})
PUBLICATION_OBJ_SPEC: Final = frozenset({"pubobjtype", "name", "pubtable", "location"})
PUBLICATION_TABLE: Final = frozenset({"relation", "whereClause", "columns"})

_PublicationAction = Literal["add", "drop", "set", "options"]
_PUBLICATION_ACTIONS: Final[dict[str, _PublicationAction]] = {
    "AP_AddObjects": "add",
    "AP_DropObjects": "drop",
    "AP_SetObjects": "set",
}
_SUBSCRIPTION_ACTIONS: Final = {
    "ALTER_SUBSCRIPTION_OPTIONS": "set_options",
    "ALTER_SUBSCRIPTION_CONNECTION": "set_connection",
    "ALTER_SUBSCRIPTION_SET_PUBLICATION": "set_publication",
    "ALTER_SUBSCRIPTION_ADD_PUBLICATION": "add_publication",
    "ALTER_SUBSCRIPTION_DROP_PUBLICATION": "drop_publication",
    "ALTER_SUBSCRIPTION_REFRESH": "refresh",
    "ALTER_SUBSCRIPTION_ENABLED": "set_enabled",
    "ALTER_SUBSCRIPTION_SKIP": "skip",
}


def create_publication(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE PUBLICATION."""
    claim(node, CREATE_PUBLICATION_STMT)
    return (
        CreatePublication(
            target=Name(None, node["pubname"]),
            all_tables="for_all_tables" in node,
            options=definition(node.get("options", ())),
            **_published(node.get("pubobjects", ())),
        ),
    )


def alter_publication(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER PUBLICATION … ADD, DROP, SET of tables and schemas, or SET (options)."""
    claim(node, ALTER_PUBLICATION_STMT)
    action = _PUBLICATION_ACTIONS.get(node["action"])
    if action is None:
        raise Unread(f"ALTER PUBLICATION action {node['action']}")
    return (
        AlterPublication(
            target=Name(None, node["pubname"]),
            # With options the action is meaningless, and the first of the enumeration.
            action="options" if "options" in node else action,
            options=definition(node.get("options", ())),
            **_published(node.get("pubobjects", ())),
        ),
    )


def _published(nodes: Sequence[Node]) -> dict[str, Any]:
    """The tables, those of them with ONLY, with a column list or a row filter, and the schemas."""
    tables: list[Name] = []
    only: list[Name] = []
    schemas: list[str] = []
    columns: list[tuple[Name, tuple[str, ...]]] = []
    filters: list[tuple[Name, Expr]] = []
    for wrapped in nodes:
        item = wrapped["PublicationObjSpec"]
        claim(item, PUBLICATION_OBJ_SPEC)
        kind = item["pubobjtype"]
        if kind == "PUBLICATIONOBJ_TABLE":
            claim(item["pubtable"], PUBLICATION_TABLE)
            tables.append(relation(item["pubtable"]["relation"]))
            if "inh" not in item["pubtable"]["relation"]:
                only.append(tables[-1])
            if "columns" in item["pubtable"]:
                columns.append((tables[-1], tuple(strings(item["pubtable"]["columns"]))))
            if "whereClause" in item["pubtable"]:
                filters.append((tables[-1], expression(item["pubtable"]["whereClause"])))
        elif kind == "PUBLICATIONOBJ_TABLES_IN_SCHEMA":
            schemas.append(item["name"])
        elif kind == "PUBLICATIONOBJ_TABLES_IN_CUR_SCHEMA":
            # Upper case: no ordinary schema is called that.
            schemas.append("CURRENT_SCHEMA")
        else:
            raise Unread(f"publication of {kind}")
    return {
        "tables": tuple(tables),
        "only": tuple(only),
        "schemas": tuple(schemas),
        "columns": tuple(columns),
        "filters": tuple(filters),
    }


def create_subscription(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE SUBSCRIPTION; ``detail`` are its publications. The connection is not kept: it may hold a password."""
    claim(node, CREATE_SUBSCRIPTION_STMT)
    return (
        CreateOther(
            target=Name(None, node["subname"]),
            object_kind="subscription",
            options=definition(node.get("options", ())),
            detail=", ".join(strings(node["publication"])),
        ),
    )


def alter_subscription(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER SUBSCRIPTION; ``detail`` are the publications it names."""
    claim(node, ALTER_SUBSCRIPTION_STMT)
    action = _SUBSCRIPTION_ACTIONS.get(node["kind"])
    if action is None:
        raise Unread(f"ALTER SUBSCRIPTION action {node['kind']}")
    return (
        AlterOther(
            target=Name(None, node["subname"]),
            object_kind="subscription",
            action=action,
            options=definition(node.get("options", ())),
            detail=", ".join(strings(node.get("publication", ()))),
        ),
    )
