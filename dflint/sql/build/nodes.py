"""The small change of PostgreSQL's raw parse tree: names, types, options, constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Options

#: A decoded parse-tree node: keys with default values (false, 0, empty) are left out by libpg_query.
Node = dict[str, Any]


class Unread(Exception):
    """A parse tree holds something the builder neither reads nor knows to be ignorable."""


def claim(node: Node, keys: frozenset[str]) -> None:
    """Raise `Unread` unless all keys of the node are among those the caller reads or may ignore."""
    if not node.keys() <= keys:
        raise Unread(", ".join(sorted(node.keys() - keys)))


def single(node: Node) -> tuple[str, Node]:
    """The type and the content of a wrapped node ``{"TypeName": {...}}``."""
    (item,) = node.items()
    return item


def string(node: Node) -> str:
    """The text of a ``String`` node; empty strings come without their key."""
    text: str = node["String"].get("sval", "")
    return text


def strings(nodes: Sequence[Node]) -> list[str]:
    """The texts of ``String`` nodes."""
    return [node["String"].get("sval", "") for node in nodes]


def qualified(nodes: Sequence[Node]) -> Name:
    """A name written as a list of ``String`` nodes. A leading database name is dropped: it can only be our own."""
    parts = strings(nodes)
    return Name(parts[-2] if len(parts) > 1 else None, parts[-1])


def column_name(node: Node) -> Name:
    """The name in an unwrapped ``ColumnRef``: its schema is the qualifier as written, ``*`` stands for all columns."""
    fields = node["fields"]
    if len(fields) == 1:
        return Name(None, _field(fields[0]))
    names = [_field(field) for field in fields]
    return Name(".".join(names[:-1]), names[-1])


def _field(node: Node) -> str:
    return string(node) if "String" in node else "*"


_RANGE_VAR = frozenset({"catalogname", "schemaname", "relname", "inh", "relpersistence", "alias", "location"})


def relation(node: Node) -> Name:
    """The name in an unwrapped ``RangeVar``."""
    if not node.keys() <= _RANGE_VAR:
        claim(node, _RANGE_VAR)
    return Name(node.get("schemaname"), node["relname"])


#: Names of built-in types as the grammar's own spellings resolve; pg_catalog always wins over the search_path.
BUILT_IN_TYPES = frozenset(
    """bool bytea char name int8 int2 int4 oid text json xml jsonb float4 float8 money macaddr macaddr8 inet cidr bpchar
    varchar date time timestamp timestamptz interval timetz bit varbit numeric uuid point line lseg box path polygon
    circle tsvector tsquery regclass regproc regtype regoper regconfig regrole regnamespace regprocedure regdictionary
    regcollation int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange
    tsmultirange tstzmultirange datemultirange pg_lsn pg_snapshot txid_snapshot void record trigger event_trigger
    anyelement anyarray anynonarray anyenum anyrange anymultirange anycompatible anycompatiblearray cstring internal
    language_handler fdw_handler xid xid8 cid tid refcursor int2vector oidvector aclitem jsonpath any unknown
    table_am_handler index_am_handler tsm_handler gtsvector""".split()
)

#: Ready-made, since most types are one of these.
_PLAIN_TYPES = {name: Type(Name("pg_catalog", name)) for name in BUILT_IN_TYPES}

_TYPE_NAME = frozenset({"names", "typmods", "typemod", "arrayBounds", "location", "setof", "pct_type"})


def type_name(node: Node) -> Type:
    """An unwrapped ``TypeName``. Names of the SQL standard (``integer``) arrive as pg_catalog names already."""
    if not node.keys() <= _TYPE_NAME:
        claim(node, _TYPE_NAME)
    parts = strings(node["names"])
    name = parts[-1]
    # Only the name, typemod and location.
    if len(node) == 3 and name in _PLAIN_TYPES and (len(parts) == 1 or parts[0] == "pg_catalog"):
        return _PLAIN_TYPES[name]
    if len(parts) > 1:
        schema: str | None = parts[-2]
    else:
        schema = "pg_catalog" if name in BUILT_IN_TYPES else None
    bounds = node.get("arrayBounds")
    modifiers = node.get("typmods")
    if bounds is None and modifiers is None and "setof" not in node and "pct_type" not in node:
        return Type(Name(schema, name))
    if "pct_type" in node:
        return Type(Name(".".join(parts[:-1]) or None, name), (), 0, node.get("setof", False), True)
    return Type(
        Name(schema, name),
        tuple(constant_text(item) for item in modifiers) if modifiers else (),
        len(bounds) if bounds else 0,
        node.get("setof", False),
        False,
    )


def constant_text(node: Node) -> str:
    """The text of a constant, identifier or keyword standing as a parameter: ``10``, ``'a'``, ``on``, ``-1``."""
    kind, content = single(node)
    if kind == "A_Const":
        return const_value(content)
    if kind == "String":
        return str(content.get("sval", ""))
    if kind == "Integer":
        return str(content.get("ival", 0))
    if kind == "Float":
        return str(content.get("fval", "0"))
    if kind == "Boolean":
        return "true" if content.get("boolval") else "false"
    if kind == "ColumnRef":
        return ".".join(string(field) for field in content["fields"])
    if kind == "TypeName":
        return ".".join(strings(content["names"]))
    if kind == "List":
        return ", ".join(constant_text(item) for item in content.get("items", ()))
    if kind == "TypeCast":
        return constant_text(content["arg"])
    raise Unread(f"parameter of type {kind}")


def const_value(content: Node) -> str:
    """The text of an unwrapped ``A_Const`` that is not NULL."""
    if "ival" in content:
        return str(content["ival"].get("ival", 0))
    if "sval" in content:
        return str(content["sval"].get("sval", ""))
    if "boolval" in content:
        return "true" if content["boolval"].get("boolval") else "false"
    if "fval" in content:
        return str(content["fval"]["fval"])
    if "bsval" in content:
        return str(content["bsval"].get("bsval", ""))
    if "isnull" in content:
        return "null"
    raise Unread("constant: " + ", ".join(content))


_DEF_ELEM = frozenset({"defnamespace", "defname", "arg", "defaction", "location"})


def options(nodes: Sequence[Node]) -> Options:
    """``DefElem`` nodes as (name, text) pairs, in order; names carry their namespace (``toast.autovacuum_enabled``)."""
    pairs: list[tuple[str, str | None]] = []
    for wrapped in nodes:
        node = wrapped["DefElem"]
        claim(node, _DEF_ELEM)
        name = node["defname"]
        if "defnamespace" in node:
            name = f"{node['defnamespace']}.{name}"
        pairs.append((name, constant_text(node["arg"]) if "arg" in node else None))
    return tuple(pairs)


_ROLE_SPEC = frozenset({"roletype", "rolename", "location"})


def role(node: Node) -> str:
    """A role name, from a ``RoleSpec``, wrapped or not; the special ones as keywords: ``public``, ``current_user``."""
    node = node.get("RoleSpec", node)
    claim(node, _ROLE_SPEC)
    kind = node.get("roletype", "ROLESPEC_CSTRING")
    if kind == "ROLESPEC_CSTRING":
        return str(node["rolename"])
    return str(kind.removeprefix("ROLESPEC_").lower())
