"""Spelling types as PostgreSQL's ``format_type`` does."""

from __future__ import annotations

from dflint.model.expressions import Type
from dflint.model.quoting import quote_identifier

_SPELLED = {
    "bool": "boolean",
    "bpchar": "character",
    "char": '"char"',
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "varchar": "character varying",
}
_PRECISION_INSIDE = {"time", "timestamp", "timestamptz", "timetz"}


def spell(type_: Type) -> str:
    """The type as users know it: ``character varying(50)``, ``integer[]``."""
    schema, name = type_.name
    if type_.reference:
        return f"{type_.name}%TYPE"
    modifiers = f"({','.join(type_.modifiers)})" if type_.modifiers else ""
    if schema not in (None, "pg_catalog"):
        base = f"{type_.name}{modifiers}"
    elif name in _PRECISION_INSIDE and modifiers:
        first, _, rest = _SPELLED[name].partition(" ")
        base = f"{first}{modifiers} {rest}"
    elif name == "bpchar" and not modifiers:
        base = "bpchar"
    else:
        base = _SPELLED.get(name, name) + modifiers
    return ("SETOF " if type_.setof else "") + base + "[]" * type_.dimensions


def in_identity(type_: Type) -> str:
    """The type as identities have it: as ``format_type`` prints it with an empty search_path, without modifiers."""
    schema, name = type_.name
    if schema in (None, "pg_catalog") or type_.reference:
        text = spell(Type(type_.name, reference=type_.reference))
    else:
        text = f"{quote_identifier(schema or '')}.{quote_identifier(name)}"
    return f"{text}[]" if type_.dimensions else text
