"""DROP, RENAME, SET SCHEMA, OWNER TO, COMMENT and their kin: statements alike for all kinds of object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    AlterOther,
    AlterRoutine,
    ChangeOwner,
    Comment,
    DropObject,
    OwnedObjects,
    RenameColumn,
    RenameConstraint,
    RenameObject,
    SecurityLabel,
    SetObjectSchema,
)
from dflint.sql.build.nodes import Node, claim, qualified, relation, role
from dflint.sql.build.object_names import identify, is_cascade, object_kind
from dflint.sql.libpg_query import LibPgQuery

DROP_STMT: Final = frozenset({"objects", "removeType", "behavior", "missing_ok", "concurrent"})
DROPDB_STMT: Final = frozenset({"dbname", "missing_ok", "options"})
DROP_ROLE_STMT: Final = frozenset({"roles", "missing_ok"})
DROP_TABLE_SPACE_STMT: Final = frozenset({"tablespacename", "missing_ok"})
DROP_SUBSCRIPTION_STMT: Final = frozenset({"subname", "missing_ok", "behavior"})
DROP_USER_MAPPING_STMT: Final = frozenset({"user", "servername", "missing_ok"})
DROP_OWNED_STMT: Final = frozenset({"roles", "behavior"})
REASSIGN_OWNED_STMT: Final = frozenset({"roles", "newrole"})


def drop(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP of a list of objects of one kind."""
    if not node.keys() <= DROP_STMT:
        claim(node, DROP_STMT)
    objtype = node["removeType"]
    values: dict[str, Any] = {"object_kind": object_kind(objtype), "cascade": is_cascade(node["behavior"])}
    if "missing_ok" in node:
        values["if_exists"] = True
    if "concurrent" in node:
        values["concurrently"] = True
    return [
        DropObject(clause=clause, **identify(objtype, item), **values) for clause, item in enumerate(node["objects"])
    ]


def drop_database(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP DATABASE; WITH (FORCE) does not matter to what is lost."""
    claim(node, DROPDB_STMT)
    return (_drop_one("database", node["dbname"], node),)


def drop_role(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP ROLE, USER or GROUP."""
    claim(node, DROP_ROLE_STMT)
    return [_drop_one("role", role(item), node, clause=clause) for clause, item in enumerate(node["roles"])]


def drop_tablespace(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP TABLESPACE."""
    claim(node, DROP_TABLE_SPACE_STMT)
    return (_drop_one("tablespace", node["tablespacename"], node),)


def drop_subscription(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP SUBSCRIPTION."""
    claim(node, DROP_SUBSCRIPTION_STMT)
    return (_drop_one("subscription", node["subname"], node, cascade=is_cascade(node["behavior"])),)


def drop_user_mapping(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP USER MAPPING: its name is the user's, its ``detail`` the server."""
    claim(node, DROP_USER_MAPPING_STMT)
    return (_drop_one("user_mapping", role(node["user"]), node, detail=node["servername"]),)


def _drop_one(kind: str, name: str, node: Node, **values: Any) -> DropObject:
    return DropObject(target=Name(None, name), object_kind=kind, if_exists="missing_ok" in node, **values)


def drop_owned(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DROP OWNED BY."""
    claim(node, DROP_OWNED_STMT)
    roles = tuple([role(item) for item in node["roles"]])
    return (OwnedObjects(action="drop", roles=roles, cascade=is_cascade(node["behavior"])),)


def reassign_owned(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """REASSIGN OWNED BY."""
    claim(node, REASSIGN_OWNED_STMT)
    roles = tuple([role(item) for item in node["roles"]])
    return (OwnedObjects(action="reassign", roles=roles, new_owner=role(node["newrole"])),)


# --- RENAME -------------------------------------------------------------------------------------------------------

#: `relationType` is only meant where a column or constraint is renamed; elsewhere it is the first of the enumeration.
RENAME_STMT: Final = frozenset(
    {"renameType", "relationType", "relation", "object", "subname", "newname", "behavior", "missing_ok"}
)


def rename(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER … RENAME."""
    if not node.keys() <= RENAME_STMT:
        claim(node, RENAME_STMT)
    objtype = node["renameType"]
    values: dict[str, Any] = {"new_name": node["newname"]}
    if "missing_ok" in node:
        values["if_exists"] = True
    if objtype in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE"):
        if objtype == "OBJECT_COLUMN" and "inh" not in node["relation"]:
            values["only"] = True
        return (
            RenameColumn(
                target=relation(node["relation"]),
                column=node["subname"],
                object_kind=object_kind(node["relationType"]),
                cascade=is_cascade(node["behavior"]),
                **values,
            ),
        )
    if objtype == "OBJECT_TABCONSTRAINT":
        return (RenameConstraint(target=relation(node["relation"]), name=node["subname"], **values),)
    if objtype == "OBJECT_DOMCONSTRAINT":
        domain = qualified(node["object"]["List"]["items"])
        return (RenameConstraint(target=domain, name=node["subname"], object_kind="domain", **values),)
    return (RenameObject(object_kind=object_kind(objtype), **_renamed(objtype, node), **values),)


def _renamed(objtype: str, node: Node) -> dict[str, Any]:
    if "object" in node:
        return identify(objtype, node["object"])
    if "subname" not in node:
        return {"target": relation(node["relation"])}
    target = Name(None, node["subname"])
    # Triggers, rules and policies belong to a relation; schemas, databases, roles and tablespaces stand alone.
    return {"target": target, "on": relation(node["relation"])} if "relation" in node else {"target": target}


# --- SET SCHEMA, OWNER TO, DEPENDS ON EXTENSION ---------------------------------------------------------------------

ALTER_OBJECT_SCHEMA_STMT: Final = frozenset({"objectType", "relation", "object", "newschema", "missing_ok"})
ALTER_OWNER_STMT: Final = frozenset({"objectType", "relation", "object", "newowner"})
ALTER_OBJECT_DEPENDS_STMT: Final = frozenset({"objectType", "relation", "object", "extname", "remove"})


def set_schema(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER … SET SCHEMA."""
    claim(node, ALTER_OBJECT_SCHEMA_STMT)
    return (
        SetObjectSchema(
            object_kind=object_kind(node["objectType"]),
            schema=node["newschema"],
            if_exists="missing_ok" in node,
            **_altered(node),
        ),
    )


def change_owner(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER … OWNER TO of anything but a relation, which ALTER TABLE does."""
    claim(node, ALTER_OWNER_STMT)
    return (ChangeOwner(object_kind=object_kind(node["objectType"]), owner=role(node["newowner"]), **_altered(node)),)


def depends_on_extension(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """ALTER … [NO] DEPENDS ON EXTENSION."""
    claim(node, ALTER_OBJECT_DEPENDS_STMT)
    kind = object_kind(node["objectType"])
    action = "no_depends_on_extension" if "remove" in node else "depends_on_extension"
    extension = node["extname"]["sval"]
    if kind in ("function", "procedure", "routine"):
        return (AlterRoutine(object_kind=kind, options=((action, extension),), **_altered(node)),)
    return (AlterOther(object_kind=kind, action=action, detail=extension, **_altered(node)),)


def _altered(node: Node) -> dict[str, Any]:
    if "object" not in node:
        return {"target": relation(node["relation"])}
    if "relation" in node:
        return {"target": qualified(node["object"]["List"]["items"]), "on": relation(node["relation"])}
    return identify(node["objectType"], node["object"])


# --- COMMENT, SECURITY LABEL --------------------------------------------------------------------------------------

COMMENT_STMT: Final = frozenset({"objtype", "object", "comment"})
SEC_LABEL_STMT: Final = frozenset({"objtype", "object", "provider", "label"})


def comment(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """COMMENT ON. The empty comment is the same as none, to PostgreSQL too."""
    if not node.keys() <= COMMENT_STMT:
        claim(node, COMMENT_STMT)
    objtype = node["objtype"]
    return (Comment(object_kind=object_kind(objtype), text=node.get("comment"), **_described(objtype, node)),)


def security_label(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """SECURITY LABEL ON."""
    claim(node, SEC_LABEL_STMT)
    objtype = node["objtype"]
    return (
        SecurityLabel(
            object_kind=object_kind(objtype),
            label=node.get("label"),
            provider=node.get("provider"),
            **_described(objtype, node),
        ),
    )


def _described(objtype: str, node: Node) -> dict[str, Any]:
    values = identify(objtype, node["object"])
    if "on" in values:
        # As with constraints: the relation is the target, what belongs to it has its name in ``column``.
        return {"target": values["on"], "column": values["target"].name}
    return values
