"""Strings that an expression of constants always gives: what EXECUTE of one runs is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dflint.model.quoting import quote_identifier, quote_literal
from dflint.sql.build.nodes import Node, single, strings, type_name

_TEXT_TYPES = frozenset({"text", "varchar", "json"})


def constant_string(node: Node) -> str | None:
    """The value of a wrapped expression made of literals, ``||``, concat(), format(), quote_ident(), quote_literal().

    None where it depends on anything else, or on how PostgreSQL prints a value that is neither text nor integer.

    Raises:
        ValueError: an empty string is to become an identifier.
    """
    kind, content = single(node)
    if kind == "A_Const":
        if "sval" in content:
            return str(content["sval"].get("sval", ""))
        return str(content["ival"].get("ival", 0)) if "ival" in content else None
    if kind == "TypeCast":
        # Only these leave a string as it is; a length could cut it.
        target = type_name(content["typeName"])
        same = target.name.schema == "pg_catalog" and target.name.name in _TEXT_TYPES
        return constant_string(content["arg"]) if same and not target.modifiers and not target.dimensions else None
    if kind == "A_Expr" and content["kind"] == "AEXPR_OP" and strings(content["name"]) == ["||"]:
        left, right = constant_string(content["lexpr"]), constant_string(content["rexpr"])
        return None if left is None or right is None else left + right
    if kind == "A_Expr" and content["kind"] == "AEXPR_OP" and "lexpr" in content:
        return _sum(strings(content["name"])[-1], constant_string(content["lexpr"]), constant_string(content["rexpr"]))
    if kind == "FuncCall" and not content.keys() & _UNUSUAL:
        values = [constant_string(arg) for arg in content.get("args", ())]
        known = [value for value in values if value is not None]
        schema, *rest = strings(content["funcname"])
        if known and len(known) == len(values) and (not rest or schema == "pg_catalog"):
            return _call(rest[0] if rest else schema, known)
    return None


#: Marks of aggregate and window calls, and VARIADIC.
_UNUSUAL = frozenset("agg_order agg_filter agg_within_group agg_star agg_distinct over func_variadic".split())


def _sum(operator: str, left: str | None, right: str | None) -> str | None:
    """Sum or difference of integers."""
    if operator not in ("+", "-") or left is None or right is None:
        return None
    numbers = [int(value) for value in (left, right) if _INTEGER.fullmatch(value)]
    return None if len(numbers) < 2 else str(numbers[0] + numbers[1] if operator == "+" else numbers[0] - numbers[1])


_INTEGER = re.compile(r"-?\d{1,18}")


def _call(name: str, args: list[str]) -> str | None:
    if name == "concat":
        return "".join(args)
    if name == "format":
        return _formatted(args[0], iter(args[1:]))
    if len(args) != 1:
        return None
    if name == "quote_ident":
        return quote_identifier(args[0])
    return quote_literal(args[0]) if name == "quote_literal" else None


def _formatted(template: str, args: Iterator[str]) -> str | None:
    """What format() gives; None for anything but plain %s, %I, %L and %%."""
    first, *pieces = template.split("%")
    text = first
    rest = iter(pieces)
    for piece in rest:
        if piece == "":  # %%: the piece between the two signs
            following = next(rest, None)
            if following is None:
                return None
            text += "%" + following
            continue
        value = next(args, None)
        if value is None or piece[0] not in "sIL":
            return None
        text += value if piece[0] == "s" else quote_identifier(value) if piece[0] == "I" else quote_literal(value)
        text += piece[1:]
    return text
