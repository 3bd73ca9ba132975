"""How statements about any kind of object (DROP, COMMENT, ALTER … RENAME, GRANT, …) say which one they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Options
from dflint.sql.build.nodes import Node, Unread, claim, constant_text, qualified, relation, role, single, type_name

OBJECT_WITH_ARGS: Final = frozenset({"objname", "objargs", "objfuncargs", "args_unspecified"})

#: PostgreSQL's object types -> the kind part of an identity. Those that no statement can name are missing.
OBJECT_KINDS: Final = {
    "OBJECT_ACCESS_METHOD": "access_method",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_CAST": "cast",
    "OBJECT_COLLATION": "collation",
    "OBJECT_COLUMN": "column",
    "OBJECT_CONVERSION": "conversion",
    "OBJECT_DATABASE": "database",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_DOMCONSTRAINT": "constraint",
    "OBJECT_EVENT_TRIGGER": "event_trigger",
    "OBJECT_EXTENSION": "extension",
    "OBJECT_FDW": "fdw",
    "OBJECT_FOREIGN_SERVER": "server",
    "OBJECT_FOREIGN_TABLE": "foreign_table",
    "OBJECT_FUNCTION": "function",
    "OBJECT_INDEX": "index",
    "OBJECT_LANGUAGE": "language",
    "OBJECT_LARGEOBJECT": "large_object",
    "OBJECT_MATVIEW": "materialized_view",
    "OBJECT_OPCLASS": "operator_class",
    "OBJECT_OPERATOR": "operator",
    "OBJECT_OPFAMILY": "operator_family",
    "OBJECT_PARAMETER_ACL": "parameter",
    "OBJECT_POLICY": "policy",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_PUBLICATION": "publication",
    "OBJECT_ROLE": "role",
    "OBJECT_ROUTINE": "routine",
    "OBJECT_RULE": "rule",
    "OBJECT_SCHEMA": "schema",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_STATISTIC_EXT": "statistics",
    "OBJECT_SUBSCRIPTION": "subscription",
    "OBJECT_TABCONSTRAINT": "constraint",
    "OBJECT_TABLE": "table",
    "OBJECT_TABLESPACE": "tablespace",
    "OBJECT_TRANSFORM": "transform",
    "OBJECT_TRIGGER": "trigger",
    "OBJECT_TSCONFIGURATION": "text_search_configuration",
    "OBJECT_TSDICTIONARY": "text_search_dictionary",
    "OBJECT_TSPARSER": "text_search_parser",
    "OBJECT_TSTEMPLATE": "text_search_template",
    "OBJECT_TYPE": "type",
    "OBJECT_VIEW": "view",
}

#: Stands for the operand that a prefix operator lacks: NONE.
NO_OPERAND: Final = Type(Name(None, "none"))


def object_kind(objtype: str) -> str:
    """The kind part of an identity for one of PostgreSQL's object types."""
    kind = OBJECT_KINDS.get(objtype)
    if kind is None:
        raise Unread(f"object type {objtype}")
    return kind


def is_cascade(behavior: str) -> bool:
    """Whether a DROP behaviour is CASCADE."""
    if behavior == "DROP_RESTRICT":
        return False
    if behavior == "DROP_CASCADE":
        return True
    raise Unread(behavior)


def identify(objtype: str, node: Node) -> dict[str, Any]:
    """Which object a wrapped node means, as keyword arguments of an operation.

    ``target`` always; ``arguments`` for routines, aggregates and operators; ``detail`` for what has no name of its own
    (casts, transforms) or a name only per index method (operator classes and families); ``on`` for triggers, rules
    and policies; ``column`` for columns, and for constraints, whose ``target`` is the table or domain.
    """
    special = _SPECIAL.get(objtype)
    if special is not None:
        return special(node["List"]["items"])
    wrapper, content = single(node)
    if wrapper == "List":
        return {"target": qualified(content["items"])}
    if wrapper == "String":
        return {"target": Name(None, content.get("sval", ""))}
    if wrapper == "RangeVar":
        return {"target": relation(content)}
    if wrapper == "ObjectWithArgs":
        return object_with_arguments(content)
    if wrapper == "TypeName":
        return {"target": type_name(content).name}
    return {"target": Name(None, constant_text(node))}  # the number of a large object


def object_with_arguments(node: Node) -> dict[str, Any]:
    """``target`` and ``arguments`` of an unwrapped ``ObjectWithArgs``: input types only, as PostgreSQL matches them."""
    if not node.keys() <= OBJECT_WITH_ARGS:
        claim(node, OBJECT_WITH_ARGS)
    target = qualified(node["objname"])
    if "args_unspecified" in node:
        return {"target": target}
    types = [type_name(item["TypeName"]) if item else NO_OPERAND for item in node.get("objargs", ())]
    return {"target": target, "arguments": tuple(types)}


def type_text(written: Type) -> str:
    """A type as one word: ``pg_catalog.numeric(10,2)[]``."""
    modifiers = f"({','.join(written.modifiers)})" if written.modifiers else ""
    return f"{'setof ' if written.setof else ''}{written.name}{modifiers}{'[]' * written.dimensions}"


def cast_detail(source: Node, target: Node) -> str:
    """How operations name a cast between the types of two unwrapped ``TypeName``."""
    return f"{type_text(type_name(source))} AS {type_text(type_name(target))}"


def transform_detail(type_node: Node, language: str) -> str:
    """How operations name a transform for the type of an unwrapped ``TypeName``."""
    return f"{type_text(type_name(type_node))} LANGUAGE {language}"


def _cast(items: Sequence[Node]) -> dict[str, Any]:
    source, target = items
    return {"target": None, "detail": cast_detail(source["TypeName"], target["TypeName"])}


def _transform(items: Sequence[Node]) -> dict[str, Any]:
    type_node, language = items
    return {"target": None, "detail": transform_detail(type_node["TypeName"], language["String"]["sval"])}


def _of_method(items: Sequence[Node]) -> dict[str, Any]:
    return {"target": qualified(items[1:]), "detail": items[0]["String"]["sval"]}


def _on_relation(items: Sequence[Node]) -> dict[str, Any]:
    return {"target": qualified(items[-1:]), "on": qualified(items[:-1])}


def _part_of_relation(items: Sequence[Node]) -> dict[str, Any]:
    if len(items) < 2:
        raise Unread("column without a relation")
    return {"target": qualified(items[:-1]), "column": items[-1]["String"]["sval"]}


def _part_of_domain(items: Sequence[Node]) -> dict[str, Any]:
    domain, name = items
    return {"target": type_name(domain["TypeName"]).name, "column": name["String"]["sval"], "detail": "domain"}


_SPECIAL: Final[dict[str, Callable[[Sequence[Node]], dict[str, Any]]]] = {
    "OBJECT_CAST": _cast,
    "OBJECT_TRANSFORM": _transform,
    "OBJECT_OPCLASS": _of_method,
    "OBJECT_OPFAMILY": _of_method,
    "OBJECT_TRIGGER": _on_relation,
    "OBJECT_RULE": _on_relation,
    "OBJECT_POLICY": _on_relation,
    "OBJECT_COLUMN": _part_of_relation,
    "OBJECT_TABCONSTRAINT": _part_of_relation,
    "OBJECT_DOMCONSTRAINT": _part_of_domain,
}


# --- what the definition of an object says ------------------------------------------------------------------------

DEF_ELEM: Final = frozenset({"defnamespace", "defname", "arg", "defaction", "location"})


def definition(nodes: Sequence[Node]) -> Options:
    """``DefElem`` nodes as (name, text) pairs, in order; unlike `options` they may hold names, types and roles.

    The value None means that none was written, or NONE or NULL. Passwords are not kept.
    """
    pairs: list[tuple[str, str | None]] = []
    for wrapped in nodes:
        node = wrapped["DefElem"]
        claim(node, DEF_ELEM)
        name, arg = node["defname"], node.get("arg")
        if arg is None:
            pairs.append((name, None))
        else:
            pairs.append((name, "***" if name.endswith("password") else _definition_text(arg)))
    return tuple(pairs)


def _definition_text(arg: Node) -> str:
    kind, content = single(arg)
    if kind == "TypeName":
        return type_text(type_name(content)) if "arrayBounds" in content else constant_text(arg)
    if kind != "List":
        return constant_text(arg)
    items = content["items"]
    if "RoleSpec" in items[0]:
        return ", ".join([role(item) for item in items])
    return str(qualified(items))
