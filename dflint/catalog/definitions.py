"""How the server prints the objects that an undo may have to make again.

A catalog holds what judging needs; the text of a view's query, for one, it does not hold. These are read for the few
objects that a plan names.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, LiteralString

import psycopg

from dflint.catalog.reader.session import since
from dflint.model.names import Identity

#: Each row: kind, parts of the identity, text. Parameter: names of relations, routines and types, in any schema.
_QUERIES: Final[tuple[LiteralString, ...]] = (
    """
    SELECT CASE c.relkind WHEN 'm' THEN 'materialized_view' ELSE 'view' END, ARRAY[n.nspname, c.relname],
           pg_catalog.pg_get_viewdef(c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'index', ARRAY[n.nspname, x.relname], pg_catalog.pg_get_indexdef(x.oid)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    WHERE x.relname = ANY (%(names)s) OR c.relname = ANY (%(names)s)
       OR x.oid IN (SELECT t.relid FROM pg_catalog.pg_class p CROSS JOIN LATERAL pg_catalog.pg_partition_tree(p.oid) t
                    WHERE p.relkind = 'I' AND p.relname = ANY (%(names)s))
    """,
    """
    SELECT CASE k.contype WHEN 'f' THEN 'fk' ELSE 'constraint' END, ARRAY[n.nspname, c.relname, k.conname],
           pg_catalog.pg_get_constraintdef(k.oid)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'constraint', ARRAY[n.nspname, t.typname, k.conname], pg_catalog.pg_get_constraintdef(k.oid)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typname = ANY (%(names)s)
    """,
    """
    SELECT 'default', ARRAY[n.nspname, c.relname, a.attname], pg_catalog.pg_get_expr(d.adbin, d.adrelid)
    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'default', ARRAY[n.nspname, t.typname], t.typdefault
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'd' AND t.typdefaultbin IS NOT NULL AND t.typname = ANY (%(names)s)
    """,
    """
    SELECT 'bound', ARRAY[n.nspname, c.relname], pg_catalog.pg_get_expr(c.relpartbound, c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpartbound IS NOT NULL AND c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'trigger', ARRAY[n.nspname, c.relname, t.tgname], pg_catalog.pg_get_triggerdef(t.oid)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'rule', ARRAY[n.nspname, c.relname, r.rulename], pg_catalog.pg_get_ruledef(r.oid)
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND r.ev_enabled = 'O' AND c.relname = ANY (%(names)s)
    """,
    """
    SELECT 'policy', ARRAY[n.nspname, c.relname, p.polname], pg_catalog.format(
             'CREATE POLICY %%I ON %%I.%%I AS %%s FOR %%s TO %%s', p.polname, n.nspname, c.relname,
             CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
             CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                           WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
             coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(o.rolname), ', ' ORDER BY o.rolname)
                       FROM pg_catalog.pg_roles o WHERE o.oid = ANY (p.polroles)), 'PUBLIC'))
           || coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (%(names)s)
    """,
    """
    SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
           ARRAY[n.nspname, p.proname || '('
                 || (SELECT coalesce(pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ', ' ORDER BY a.place),
                                     '')
                     FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY AS a (type, place)) || ')'],
           pg_catalog.pg_get_functiondef(p.oid)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind <> 'a' AND p.oid >= 16384 AND p.proname = ANY (%(names)s)
    """,
    """
    SELECT 'statistics', ARRAY[n.nspname, s.stxname], pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
    WHERE {usual_target} AND s.stxname = ANY (%(names)s)
    """,
)


async def read_definitions(
    connection: psycopg.AsyncConnection[Any], names: Collection[str], *, version: int
) -> dict[str, str]:
    """Printed identity -> text, of objects of these names in any schema, and of what belongs to them.

    What is locked is not waited for and left out, as is what the role may not see.

    Args:
        connection: in autocommit mode.
        names: of relations, routines, types and statistics, without their schemas.
        version: major version of the server.

    Raises:
        psycopg.Error: the connection is lost.
    """
    found: dict[str, str] = {}
    # The server qualifies what is not in the search_path.
    for setting, value in (("search_path", "pg_catalog"), ("lock_timeout", "100ms"), ("statement_timeout", "10s")):
        await connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (setting, value))
    usual_target = since(version, 17, "s.stxstattarget IS NULL", "s.stxstattarget = -1")
    for query in _QUERIES:
        text = psycopg.sql.SQL(query).format(usual_target=usual_target) if "{usual_target}" in query else query
        try:
            rows = await (await connection.execute(text, {"names": sorted(names)})).fetchall()
        except psycopg.Error:
            if connection.closed:
                raise
            continue
        for kind, parts, definition in rows:
            if definition is not None:
                found[str(Identity(kind, tuple(parts)))] = definition
    return found
