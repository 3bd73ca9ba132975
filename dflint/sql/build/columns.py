"""Column definitions and the options of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, SequenceOptions
from dflint.sql.build.constraints import constraint
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, options, qualified, strings, type_name

COLUMN_DEF: Final = frozenset(
    "colname typeName compression is_local storage_name collClause constraints fdwoptions location".split()
)
#: What NULL, NOT NULL, DEFAULT, GENERATED and IDENTITY may hold; `constraint` knows the other kinds.
NULL: Final = frozenset({"contype", "conname", "location"})
NOT_NULL: Final = frozenset({"contype", "conname", "is_enforced", "initially_valid", "is_no_inherit", "location"})
DEFAULT: Final = frozenset({"contype", "conname", "raw_expr", "location"})
GENERATED: Final = frozenset({"contype", "conname", "raw_expr", "generated_when", "generated_kind", "location"})
IDENTITY: Final = frozenset({"contype", "conname", "generated_when", "options", "location"})
COLLATE: Final = frozenset({"collname", "location"})

_SERIAL_TYPES: Final = {
    spelling: Type(Name("pg_catalog", name))
    for name, spellings in (
        ("int4", ("serial", "serial4")),
        ("int8", ("bigserial", "serial8")),
        ("int2", ("smallserial", "serial2")),
    )
    for spelling in spellings
}
_GENERATIONS: Final = {"s": "stored", "v": "virtual"}
_IDENTITIES: Final = {"a": "always", "d": "default"}


def column(node: Node) -> Column:
    """The column of an unwrapped ``ColumnDef``.

    Raises:
        Unread: it holds something unknown.
    """
    if not node.keys() <= COLUMN_DEF:
        claim(node, COLUMN_DEF)
    name = node["colname"]
    values: dict[str, Any] = {}
    written = node.get("typeName")
    if written is not None:
        _add_type(written, values)
    constraints = node.get("constraints")
    # Name, is_local and location are always there; counting saves four look-ups for nearly every column.
    if len(node) > 3 + (written is not None) + (constraints is not None):
        _add_properties(node, values)
    if constraints is not None:
        kept: list[Constraint] = []
        for wrapped in constraints:
            _add_constraint(name, wrapped["Constraint"], values, kept)
        if kept:
            values["constraints"] = tuple(kept)
    return Column(name, at=node.get("location", 0), **values)


def _add_type(written: Node, values: dict[str, Any]) -> None:
    names = written["names"]
    if len(names) == 1:
        serial = _SERIAL_TYPES.get(names[0]["String"].get("sval", ""))
        if serial is not None and "arrayBounds" not in written:
            values["type"] = serial
            values["serial"] = True
            return
    values["type"] = type_name(written)


def _add_properties(node: Node, values: dict[str, Any]) -> None:
    if "collClause" in node:
        values["collation"] = collation(node["collClause"])
    if "storage_name" in node:
        values["storage"] = node["storage_name"]
    if "compression" in node:
        values["compression"] = node["compression"]
    if "fdwoptions" in node:
        values["options"] = options(node["fdwoptions"])


def collation(node: Node) -> Name:
    """The name in an unwrapped ``CollateClause`` of a column."""
    claim(node, COLLATE)
    return qualified(node["collname"])


def _add_constraint(name: str, node: Node, values: dict[str, Any], kept: list[Constraint]) -> None:
    """Fold one inline constraint into the column's values, or keep it (or change the last one kept)."""
    kind = node["contype"]
    if kind == "CONSTR_NOTNULL":
        if not node.keys() <= NOT_NULL:
            claim(node, NOT_NULL)
        values["not_null"] = True
        if "conname" in node or "is_no_inherit" in node:
            kept.append(
                Constraint(
                    "not_null",
                    name=node.get("conname"),
                    columns=(name,),
                    no_inherit=node.get("is_no_inherit", False),
                    at=node.get("location", 0),
                )
            )
    elif kind == "CONSTR_DEFAULT":
        if not node.keys() <= DEFAULT:
            claim(node, DEFAULT)
        values["default"] = expression(node["raw_expr"])
    elif kind == "CONSTR_NULL":
        claim(node, NULL)
    elif kind == "CONSTR_GENERATED":
        claim(node, GENERATED)
        if node["generated_when"] != "a":
            raise Unread("generated column that is not always generated")
        values["generated"] = expression(node["raw_expr"])
        values["generation"] = _GENERATIONS[node["generated_kind"]]
    elif kind == "CONSTR_IDENTITY":
        values["identity"], found = identity(node)
        if found is not None:
            values["identity_options"] = found
    elif kind in _ATTRIBUTES:
        claim(node, ATTRIBUTE)
        if not kept:
            raise Unread("constraint attribute without a constraint")
        kept[-1] = replace(kept[-1], **_ATTRIBUTES[kind])
    else:
        kept.append(constraint(node, name))


#: Attributes of an inline constraint are nodes of their own that follow it.
ATTRIBUTE: Final = frozenset({"contype", "location"})
_ATTRIBUTES: Final[dict[str, dict[str, bool]]] = {
    "CONSTR_ATTR_DEFERRABLE": {"deferrable": True},
    "CONSTR_ATTR_NOT_DEFERRABLE": {"deferrable": False},
    "CONSTR_ATTR_DEFERRED": {"deferrable": True, "initially_deferred": True},
    "CONSTR_ATTR_IMMEDIATE": {"initially_deferred": False},
    "CONSTR_ATTR_ENFORCED": {"enforced": True},
    # What is not enforced is not valid either.
    "CONSTR_ATTR_NOT_ENFORCED": {"enforced": False, "validated": False},
}


def identity(node: Node) -> tuple[str, SequenceOptions | None]:
    """``always`` or ``default`` and the options of an unwrapped ``Constraint`` of type identity."""
    claim(node, IDENTITY)
    written = node.get("options")
    return _IDENTITIES[node["generated_when"]], sequence_options(written) if written else None


_DEF_ELEM: Final = frozenset({"defname", "arg", "defaction", "location"})


def sequence_options(nodes: Sequence[Node]) -> SequenceOptions:
    """The options of a sequence from its wrapped ``DefElem`` nodes.

    Raises:
        Unread: an option is not known.
    """
    values: dict[str, Any] = {}
    for wrapped in nodes:
        node = wrapped["DefElem"]
        claim(node, _DEF_ELEM)
        name, arg = node["defname"], node.get("arg")
        if name in _NUMBERS:
            values[_NUMBERS[name]] = _number(arg)
        elif name in ("minvalue", "maxvalue"):
            bound = "minimum" if name == "minvalue" else "maximum"
            if arg is None:
                values["no_" + bound] = True
            else:
                values[bound] = _number(arg)
        elif name == "restart":
            values["restart"] = True if arg is None else _number(arg)
        elif name == "cycle":
            values["cycle"] = arg is None or bool(arg["Boolean"].get("boolval", False))
        elif name == "as" and arg is not None:
            values["type"] = type_name(arg["TypeName"])
        elif name == "owned_by" and arg is not None:
            _add_owner(strings(arg["List"]["items"]), values)
        elif name == "sequence_name" and arg is not None:
            values["name"] = qualified(arg["List"]["items"])
        elif name in ("logged", "unlogged"):
            values["logged"] = name == "logged"
        else:
            raise Unread(f"sequence option {name}")
    return SequenceOptions(**values)


_NUMBERS: Final = {"increment": "increment", "start": "start", "cache": "cache"}


def _number(arg: Node | None) -> int:
    # Numbers that do not fit 32 bits come as text.
    if arg is not None:
        if "Integer" in arg:
            return int(arg["Integer"].get("ival", 0))
        text = arg["Float"]["fval"] if "Float" in arg else ""
        if text.lstrip("+-").isdigit():
            return int(text)
    raise Unread("number of a sequence option")


def _add_owner(parts: list[str], values: dict[str, Any]) -> None:
    if parts == ["none"]:
        values["owned_by_none"] = True
    elif len(parts) > 1:
        values["owned_by"] = Name(parts[-3] if len(parts) > 2 else None, parts[-2])
        values["owned_by_column"] = parts[-1]
    else:
        raise Unread("OWNED BY without a column")
