"""Quoting of identifiers and literals: the one place that turns values into SQL text."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")

#: Words that cannot stand as a bare column or table name in some PostgreSQL from 13 to 18 (reserved, or reserved
#: except as a type or function name). From the keyword appendix of PostgreSQL's documentation.
RESERVED = frozenset(
    """all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true
    union unique user using variadic verbose when where window with
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int
    integer interval json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value least merge_action national nchar none normalize nullif numeric out overlay
    position precision real row setof smallint substring time timestamp treat trim values varchar xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable""".split()
)


def quote_identifier(name: str) -> str:
    """Return ``name`` as it must be written in SQL to mean exactly this identifier.

    Raises:
        ValueError: the name is empty or holds a NUL byte; PostgreSQL has no such identifier.
    """
    if not name or "\0" in name:
        raise ValueError(f"not an identifier: {name!r}")
    if _PLAIN.match(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return ``text`` as an SQL string literal, independent of standard_conforming_strings.

    Raises:
        ValueError: the text holds a NUL byte, which no PostgreSQL string can.
    """
    if "\0" in text:
        raise ValueError("a PostgreSQL string cannot hold a NUL byte")
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return " E" + quoted if "\\" in text else quoted
