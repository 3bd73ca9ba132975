"""What exists in a database, by the server's own catalogs: the identities that dflint should give."""

from __future__ import annotations

from psycopg import Connection

from dflint.model.names import Identity

_USERS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
#: Rows (kind, parts…). One query, since it is asked twice for every object that is dropped.
_LISTING = f"""
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign_table' WHEN 'v' THEN 'view'
       WHEN 'm' THEN 'materialized_view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'index' END,
       n.nspname::text, c.relname::text, NULL::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USERS} AND c.relkind <> 't'
UNION ALL
SELECT 'column', n.nspname, c.relname, a.attname FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USERS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
UNION ALL
SELECT CASE k.contype WHEN 'f' THEN 'fk' ELSE 'constraint' END, n.nspname, c.relname, k.conname FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USERS} AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND k.contype <> 't'
UNION ALL
SELECT 'constraint', n.nspname, t.typname, k.conname FROM pg_constraint k
JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {_USERS}
UNION ALL
SELECT 'default', n.nspname, c.relname, a.attname FROM pg_attrdef d
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USERS}
UNION ALL
SELECT 'trigger', n.nspname, c.relname, g.tgname FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USERS} AND NOT g.tgisinternal
UNION ALL
SELECT 'policy', n.nspname, c.relname, p.polname FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USERS}
UNION ALL
SELECT 'rule', n.nspname, c.relname, r.rulename FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USERS} AND r.rulename <> '_RETURN'
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, n.nspname,
       p.proname || '(' || coalesce((SELECT string_agg(format_type(u.t, NULL), ', ' ORDER BY u.o)
                                     FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, o)), '') || ')', NULL
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_USERS} AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                               AND d.deptype = 'i' AND d.refclassid = 'pg_type'::regclass)
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname, t.typname, NULL
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {_USERS} AND t.typtype IN ('d', 'e', 'r', 'b') AND NOT (t.typtype = 'b' AND t.typelem <> 0)
UNION ALL
SELECT 'statistics', n.nspname, s.stxname, NULL FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE {_USERS}
"""
#: Between a publication and a table of it.
MEMBER = "\n"
_MEMBERS = """
SELECT p.pubname::text, r.prrelid::regclass::text FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
"""


def existing(connection: Connection) -> set[str]:
    """The printed identities of everything; so does each table of a publication, after `MEMBER`."""
    found = set()
    for kind, *parts in connection.execute(_LISTING.encode()).fetchall():
        found.add(str(Identity(kind, tuple(part for part in parts if part is not None))))
    for publication, table in connection.execute(_MEMBERS).fetchall():
        found.add(f"{Identity('publication', (publication,))}{MEMBER}{table}")
    return found


def gone(before: set[str], after: set[str]) -> set[str]:
    """What a command removed, as an impact lists it: without the columns of relations that went."""
    removed = before - after
    relations = {
        Identity.parse(each).parts
        for each in removed
        if each.partition(":")[0] in ("table", "foreign_table", "view", "materialized_view", "type")
    }
    return {
        each.partition(MEMBER)[0]
        for each in removed
        if not (each.startswith("column:") and Identity.parse(each).parts[:2] in relations)
    }
